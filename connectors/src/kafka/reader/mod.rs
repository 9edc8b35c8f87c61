//! The reader thread of one topic: polls, gathers, sends.
//!
//! A broker that is away is waited for, since the client library reconnects by itself; a permanent error ends
//! the reader with [`SourceEvent::Failed`]. A partition with records that cannot be read stands still before
//! them, and the others go on.

mod isolation;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, OwnedMessage};
use rdkafka::{Message, TopicPartitionList};
use streamflow_model::PartitionId;

use super::assignment::Assignment;
use super::batch::BatchBuilder;
use super::client::{Logging, Reporting};
use super::settings::SourceSettings;
use super::unreadable::Damage;
use crate::repeats::Repeats;
use crate::source::{Outbox, ReadClock, STOP_CHECK, SourceError, SourceEvent, Stopped};
use isolation::Silence;

const WATERMARKS_WITHIN: Duration = Duration::from_secs(5);

/// How often the reader checks whether a partition still ends at the same offset.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Nobody has told yet up to which time is to be read.
pub(super) const UNTOLD: i64 = i64::MIN;

/// How often messages that wait are looked at.
const WAITING_CHECK: Duration = Duration::from_millis(10);

/// A broker that does not answer that within this time is asked again later: others wait meanwhile.
const LOOK_WITHIN: Duration = Duration::from_millis(300);

/// Reads the assigned partitions of one topic.
pub(super) struct Reader {
    consumer: BaseConsumer<Reporting>,
    ends: Ends,
    /// The latest time of records that are to be read, ms since 1970; [`UNTOLD`] at first.
    latest: Arc<AtomicI64>,
    partitions: Vec<Cursor>,
    batch: BatchBuilder,
    outbox: Outbox,
    looked: Instant,
    /// Interruptions that have been logged.
    interruptions: Repeats<String>,
    /// Partitions by index, one of which may have records that cannot be read. While there are any, nothing is
    /// fetched.
    suspects: Option<Range<usize>>,
    /// Partitions that stand still and have been logged.
    unreadable: Repeats<u16>,
}

/// How the reader learns where a partition ends: by clients that fetch nothing, because what is asked on a
/// connection is answered behind the fetch that waits there.
#[derive(Clone)]
pub(super) struct Ends {
    /// A client that sees the records of open transactions.
    pub(super) all: Arc<BaseConsumer<Logging>>,
    /// A client that does not.
    pub(super) committed: Arc<BaseConsumer<Logging>>,
    pub(super) clock: ReadClock,
}

/// The state of reading one partition.
struct Cursor {
    partition: PartitionId,
    /// The next offset to deliver.
    next: u64,
    /// The time of the last record in the batch, ms since 1970.
    time: Option<u64>,
    /// The end was reached and nothing has come since.
    at_end: bool,
    /// All records before this offset have been taken from the client; markers of transactions may lie between
    /// `next` and it.
    taken: u64,
    /// Messages that are later than what is to be read. While there are any, the partition is paused.
    waiting: VecDeque<OwnedMessage>,
    /// The time of the first waiting message that was told, ms since 1970.
    told: Option<i64>,
    /// How far past its first message it is read before it is told up to which time, ms; `None` if none waits.
    ahead: Option<i64>,
    /// The time of the first message, ms since 1970.
    first: Option<i64>,
    /// `next` when it was last looked whether it delivers anything.
    heard: u64,
    /// Since when it has not.
    silence: Option<Silence>,
}

impl Cursor {
    fn number(&self) -> i32 {
        i32::from(self.partition.partition())
    }

    /// Whether a message has to wait, where what is to be read ends at `latest`, ms since 1970.
    fn is_later(&mut self, message: &impl Message, latest: i64) -> bool {
        let (Some(ahead), Some(time)) = (self.ahead, message.timestamp().to_millis()) else { return false };
        let first = *self.first.get_or_insert(time);
        time > if latest == UNTOLD { first.saturating_add(ahead) } else { latest }
    }
}

/// Why the loop ends.
enum End {
    Stopped,
    Failed(SourceError),
}

impl From<Stopped> for End {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl Reader {
    pub(super) fn new(
        consumer: BaseConsumer<Reporting>,
        ends: Ends,
        latest: &Arc<AtomicI64>,
        partitions: &[&Assignment],
        settings: &SourceSettings,
        outbox: Outbox,
    ) -> Self {
        let cursor = |assignment: &&Assignment| Cursor {
            partition: assignment.partition,
            next: assignment.start,
            time: None,
            at_end: false,
            taken: 0,
            waiting: VecDeque::new(),
            told: None,
            ahead: assignment.ahead,
            first: None,
            heard: assignment.start,
            silence: None,
        };
        Self {
            consumer,
            ends,
            latest: Arc::clone(latest),
            partitions: partitions.iter().map(cursor).collect(),
            batch: BatchBuilder::new(settings),
            outbox,
            looked: Instant::now(),
            interruptions: Repeats::default(),
            suspects: None,
            unreadable: Repeats::default(),
        }
    }

    /// Reads until it is stopped or fails.
    pub(super) fn run(mut self) {
        let Err(end) = self.read_all();
        if let End::Failed(error) = end {
            tracing::error!(%error, "reading from Kafka stopped");
            // What was read before the failure is good; nobody may be left to hear either.
            let _ = self.send_batch();
            let _ = self.outbox.send(SourceEvent::Failed(error));
        }
    }

    fn read_all(&mut self) -> Result<std::convert::Infallible, End> {
        loop {
            if self.outbox.is_stopped() {
                return Err(End::Stopped);
            }
            let wait = self.batch.due(Instant::now());
            if wait == Some(Duration::ZERO) {
                self.send_batch()?;
                continue;
            }
            self.isolate()?;
            if self.batch.is_empty() && self.looked.elapsed() >= LOOK_EVERY {
                self.tell_ends()?;
                self.tell_unreadable();
                self.suspect_silent()?;
            }
            self.take_waiting()?;
            if self.batch.is_empty() {
                self.tell_next()?;
            }
            self.poll(wait)?;
        }
    }

    /// Takes the next message, waiting for it at most until the batch is due.
    fn poll(&mut self, wait: Option<Duration>) -> Result<(), End> {
        // Whole milliseconds, upwards: the client library would spin through a fraction of one.
        let waits = self.partitions.iter().any(|cursor| !cursor.waiting.is_empty());
        let without = if waits { WAITING_CHECK } else { STOP_CHECK };
        let wait = wait.map_or(without, |wait| Duration::from_millis(wait.as_millis() as u64 + 1));
        match self.consumer.poll(wait) {
            None => self.take_ends(),
            Some(Ok(message)) => {
                let latest = self.latest.load(Ordering::Relaxed);
                let ahead = take(&mut self.partitions, &mut self.batch, latest, &message);
                drop(message);
                if let Some(number) = ahead {
                    self.pause(number)?;
                }
            }
            Some(Err(KafkaError::PartitionEOF(number))) => {
                if let Some(cursor) = find(&mut self.partitions, number) {
                    cursor.at_end = true;
                }
            }
            Some(Err(error)) if Damage::of(&error).is_some() => self.suspect(0..self.partitions.len())?,
            Some(Err(error)) => self.classify(&error)?,
        }
        Ok(())
    }

    /// Takes messages that have waited long enough, and fetches their partitions again.
    fn take_waiting(&mut self) -> Result<(), End> {
        let latest = self.latest.load(Ordering::Relaxed);
        let mut ready = Vec::new();
        for cursor in self.partitions.iter_mut().filter(|cursor| !cursor.waiting.is_empty()) {
            while let Some(message) = cursor.waiting.pop_front() {
                if cursor.is_later(&message, latest) {
                    cursor.waiting.push_front(message);
                    break;
                }
                accept(cursor, &mut self.batch, &message);
            }
            if cursor.waiting.is_empty() {
                ready.push(cursor.number());
            }
        }
        ready.into_iter().try_for_each(|number| self.resume(number))
    }

    /// Tells the times of the first messages that wait, once each. Everything before them must have been sent.
    fn tell_next(&mut self) -> Result<(), End> {
        for index in 0..self.partitions.len() {
            let cursor = &mut self.partitions[index];
            let Some(time) = cursor.waiting.front().and_then(|message| message.timestamp().to_millis())
            else {
                continue;
            };
            if cursor.told.replace(time) != Some(time) {
                let partition = cursor.partition;
                self.send(SourceEvent::NextRecord { partition, time })?;
            }
        }
        Ok(())
    }

    /// Stops fetching a partition that is ahead. What the client has fetched beyond is fetched again.
    fn pause(&mut self, number: i32) -> Result<(), End> {
        let list = self.list(number);
        self.consumer.pause(&list).map_err(|error| self.stopped(&error))?;
        self.mark(number, true);
        Ok(())
    }

    fn resume(&mut self, number: i32) -> Result<(), End> {
        let list = self.list(number);
        self.consumer.resume(&list).map_err(|error| self.stopped(&error))?;
        self.mark(number, false);
        Ok(())
    }

    fn list(&self, number: i32) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(&self.consumer.context().topic, number);
        list
    }

    fn mark(&mut self, number: i32, waits: bool) {
        let context = self.consumer.context();
        context.progress.find(&context.topic, number).into_iter().for_each(|found| found.set_waits(waits));
        // An end that was reported may lie behind messages that are fetched again.
        find(&mut self.partitions, number).into_iter().for_each(|cursor| cursor.at_end = false);
    }

    /// The client's queue is empty, so that everything before the ends that it has reported was taken.
    fn take_ends(&mut self) {
        let context = self.consumer.context();
        for cursor in &mut self.partitions {
            let number = cursor.number();
            if let Some(progress) = context.progress.find(&context.topic, number) {
                cursor.taken = progress.reported_end();
            }
        }
    }

    /// Sends what has been gathered.
    fn send_batch(&mut self) -> Result<(), End> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let delivered: Vec<_> =
            self.partitions.iter_mut().map(|cursor| (cursor.next, cursor.time.take())).collect();
        let batch = self.batch.take();
        self.send(SourceEvent::Batch(batch))?;
        let context = self.consumer.context();
        for (cursor, (next, time)) in self.partitions.iter().zip(delivered) {
            let number = cursor.number();
            if let Some(progress) = context.progress.find(&context.topic, number) {
                progress.delivered_below(next);
                time.into_iter().for_each(|time| progress.read_up_to(time));
            }
        }
        Ok(())
    }

    /// Tells which partitions have been read to their end, after asking the broker whether that is still so:
    /// while it cannot be reached, or while nobody takes what was read, nobody knows.
    fn tell_ends(&mut self) -> Result<(), End> {
        self.looked = Instant::now();
        for index in 0..self.partitions.len() {
            // What came while a send waited is not delivered yet.
            if !self.partitions[index].at_end || !self.batch.is_empty() {
                continue;
            }
            // The clock first: what is appended after its reading is no part of the end and has a later time.
            let Some(as_of) = (self.ends.clock)() else { break };
            let Some(end) = self.end_of_all(index) else { break };
            let cursor = &self.partitions[index];
            let (partition, number) = (cursor.partition, cursor.number());
            if end <= cursor.next.max(cursor.taken) {
                self.send(SourceEvent::EndOfPartition { partition, offset: end, as_of })?;
                let context = self.consumer.context();
                let progress = context.progress.find(&context.topic, number);
                progress.into_iter().for_each(|progress| progress.read_up_to(as_of));
            }
        }
        Ok(())
    }

    /// Where a partition ends with the records of open transactions, if its broker answers soon and there are
    /// none.
    fn end_of_all(&self, index: usize) -> Option<u64> {
        let all = self.end(&self.ends.all, index)?;
        (self.end(&self.ends.committed, index)? >= all).then_some(all)
    }

    /// Where a partition ends for a client, if its broker answers soon.
    fn end(&self, client: &BaseConsumer<Logging>, index: usize) -> Option<u64> {
        // What the client has to say is in the log.
        let _ = client.poll(Duration::ZERO);
        let (topic, number) = (&self.consumer.context().topic, self.partitions[index].number());
        let (_, end) = client.fetch_watermarks(topic, number, LOOK_WITHIN).ok()?;
        u64::try_from(end).ok()
    }

    /// Waits until there is room and sends. If that takes long, fetching is paused, but the client is still
    /// polled, else its events would pile up.
    fn send(&mut self, event: SourceEvent) -> Result<(), End> {
        let Some(mut event) = self.outbox.offer(event)? else { return Ok(()) };
        let begun = Instant::now();
        while begun.elapsed() < LOOK_EVERY {
            match self.outbox.offer(event)? {
                Some(unsent) => event = unsent,
                None => return Ok(()),
            }
        }
        let assigned = self.consumer.assignment().map_err(|error| self.stopped(&error))?;
        self.consumer.pause(&assigned).map_err(|error| self.stopped(&error))?;
        while let Some(unsent) = self.outbox.offer(event)? {
            event = unsent;
            self.listen()?;
        }
        for index in 0..self.partitions.len() {
            if self.partitions[index].waiting.is_empty() {
                self.resume(self.partitions[index].number())?;
            }
        }
        Ok(())
    }

    /// Handles the client's events while it is paused, and checks how far the partitions' ends have moved.
    fn listen(&mut self) -> Result<(), End> {
        self.poll(Some(Duration::ZERO))?;
        if self.looked.elapsed() < LOOK_EVERY {
            return Ok(());
        }
        self.looked = Instant::now();
        let context = self.consumer.context();
        for (index, cursor) in self.partitions.iter().enumerate() {
            let Some(end) = self.end(&self.ends.committed, index) else { break };
            let number = cursor.number();
            context
                .progress
                .find(&context.topic, number)
                .into_iter()
                .for_each(|progress| progress.saw_end(end));
        }
        Ok(())
    }

    fn stopped(&self, error: &KafkaError) -> End {
        let topic = self.consumer.context().topic.clone();
        End::Failed(SourceError::Interrupted { topic, cause: error.to_string() })
    }

    /// Whether reading can go on after an error that the client library reported.
    fn classify(&mut self, error: &KafkaError) -> Result<(), End> {
        let topic = self.consumer.context().topic.clone();
        let cause = error.to_string();
        let failure = match error.rdkafka_error_code() {
            _ if is_of_offset(error) => {
                self.check_offsets()?;
                // It was the client's, which has taken damaged bytes for an offset.
                return self.suspect(0..self.partitions.len());
            }
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::Authentication,
            ) => SourceError::Denied { topic, cause },
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition,
            ) => SourceError::Interrupted { topic, cause },
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => {
                SourceError::Interrupted { topic, cause }
            }
            _ => {
                self.interrupted(&cause);
                return Ok(());
            }
        };
        Err(End::Failed(failure))
    }

    fn interrupted(&mut self, cause: &str) {
        let context = self.consumer.context();
        if let Some(left_out) = self.interruptions.note(cause.to_owned(), Instant::now()) {
            let message = "reading from Kafka is interrupted; the client tries again";
            tracing::warn!(topic = context.topic, cause, left_out, "{message}");
        }
        context.progress.interrupted();
    }

    /// Fails where the broker does not have the next offset of a partition.
    fn check_offsets(&self) -> Result<(), End> {
        self.out_of_range().map_or(Ok(()), |error| Err(End::Failed(error)))
    }

    /// The first partition whose next offset the broker does not have.
    fn out_of_range(&self) -> Option<SourceError> {
        let topic = &self.consumer.context().topic;
        self.partitions.iter().find_map(|cursor| {
            let number = cursor.partition.partition();
            let watermarks = self.consumer.fetch_watermarks(topic, i32::from(number), WATERMARKS_WITHIN);
            let (earliest, latest) = watermarks.ok()?;
            let (earliest, latest) = (u64::try_from(earliest).ok()?, u64::try_from(latest).ok()?);
            let is_missing = cursor.next < earliest || cursor.next > latest;
            is_missing.then(|| SourceError::OffsetOutOfRange {
                topic: topic.clone(),
                partition: number,
                offset: cursor.next,
                earliest,
                latest,
            })
        })
    }
}

fn is_of_offset(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(error.rdkafka_error_code(), Some(Code::AutoOffsetReset | Code::OffsetOutOfRange))
}

fn find(partitions: &mut [Cursor], number: i32) -> Option<&mut Cursor> {
    partitions.iter_mut().find(|cursor| cursor.number() == number)
}

/// Takes a message, or lets it wait where it is later than `latest`, ms since 1970; then it returns its
/// partition's number, to be paused.
fn take(
    partitions: &mut [Cursor],
    batch: &mut BatchBuilder,
    latest: i64,
    message: &BorrowedMessage<'_>,
) -> Option<i32> {
    // It always finds it: only assigned partitions are fetched.
    let cursor = find(partitions, message.partition())?;
    if !cursor.is_later(message, latest) && cursor.waiting.is_empty() {
        accept(cursor, batch, message);
        return None;
    }
    cursor.waiting.push_back(message.detach());
    Some(cursor.number())
}

fn accept(cursor: &mut Cursor, batch: &mut BatchBuilder, message: &impl Message) {
    // Offsets of records are not negative.
    let Ok(offset) = u64::try_from(message.offset()) else { return };
    batch.push(cursor.partition, offset, message);
    cursor.next = offset + 1;
    cursor.time = message.timestamp().to_millis().and_then(|time| u64::try_from(time).ok());
    cursor.at_end = false;
}
