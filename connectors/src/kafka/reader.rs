//! The reader thread of one topic: polls, gathers, sends.
//!
//! A broker that is away is waited for, since the client library reconnects by itself; what cannot mend itself ends
//! the reader with [`SourceEvent::Failed`].

use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use streamflow_dataflow::model::PartitionId;

use super::batch::BatchBuilder;
use super::client::Reporting;
use super::settings::SourceSettings;
use super::source::Assignment;
use crate::source::{Outbox, STOP_CHECK, SourceError, SourceEvent, Stopped};

const WATERMARKS_WITHIN: Duration = Duration::from_secs(5);

/// Reads the assigned partitions of one topic.
pub(super) struct Reader {
    consumer: BaseConsumer<Reporting>,
    partitions: Vec<Cursor>,
    batch: BatchBuilder,
    outbox: Outbox,
}

/// Where reading stands in one partition.
struct Cursor {
    partition: PartitionId,
    /// The next offset to deliver.
    next: u64,
    /// The end was reached and this has not been told yet.
    at_end: bool,
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
        partitions: &[&Assignment],
        settings: &SourceSettings,
        outbox: Outbox,
    ) -> Self {
        let cursor = |assignment: &&Assignment| Cursor {
            partition: assignment.partition,
            next: assignment.start,
            at_end: false,
        };
        Self {
            consumer,
            partitions: partitions.iter().map(cursor).collect(),
            batch: BatchBuilder::new(settings),
            outbox,
        }
    }

    /// Reads until told to stop or until it cannot go on.
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
            self.poll(wait)?;
        }
    }

    /// Takes the next message, waiting for it at most until the batch is due.
    fn poll(&mut self, wait: Option<Duration>) -> Result<(), End> {
        // Whole milliseconds, upwards: the client library would spin through a fraction of one.
        let wait = wait.map_or(STOP_CHECK, |wait| Duration::from_millis(wait.as_millis() as u64 + 1));
        match self.consumer.poll(wait) {
            None => {}
            Some(Ok(message)) => take(&mut self.partitions, &mut self.batch, &message),
            Some(Err(KafkaError::PartitionEOF(number))) => {
                if let Some(cursor) = find(&mut self.partitions, number) {
                    cursor.at_end = true;
                }
                // With a batch under way the news goes out behind it.
                if self.batch.is_empty() {
                    self.send_batch()?;
                }
            }
            Some(Err(error)) => self.judge(&error)?,
        }
        Ok(())
    }

    /// Sends what has been gathered, then tells which partitions are at their end.
    fn send_batch(&mut self) -> Result<(), Stopped> {
        if !self.batch.is_empty() {
            self.outbox.send(SourceEvent::Batch(self.batch.take()))?;
        }
        let context = self.consumer.context();
        for cursor in &mut self.partitions {
            let number = i32::from(cursor.partition.partition());
            if let Some(progress) = context.progress.find(&context.topic, number) {
                progress.delivered_below(cursor.next);
            }
            if std::mem::take(&mut cursor.at_end) {
                let (partition, offset) = (cursor.partition, cursor.next);
                self.outbox.send(SourceEvent::EndOfPartition { partition, offset })?;
            }
        }
        Ok(())
    }

    /// Whether reading can go on after an error that the client library reported.
    fn judge(&mut self, error: &KafkaError) -> Result<(), End> {
        let topic = self.consumer.context().topic.clone();
        let cause = error.to_string();
        let failure = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                self.out_of_range(&topic).unwrap_or(SourceError::Interrupted { topic, cause })
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
                tracing::warn!(topic, cause, "reading from Kafka is interrupted; the client tries again");
                self.consumer.context().progress.interrupted();
                return Ok(());
            }
        };
        Err(End::Failed(failure))
    }

    /// The first partition whose next offset the broker does not have.
    fn out_of_range(&self, topic: &str) -> Option<SourceError> {
        self.partitions.iter().find_map(|cursor| {
            let number = cursor.partition.partition();
            let watermarks = self.consumer.fetch_watermarks(topic, i32::from(number), WATERMARKS_WITHIN);
            let (earliest, latest) = watermarks.ok()?;
            let (earliest, latest) = (u64::try_from(earliest).ok()?, u64::try_from(latest).ok()?);
            let is_missing = cursor.next < earliest || cursor.next > latest;
            is_missing.then(|| SourceError::OffsetOutOfRange {
                topic: topic.to_owned(),
                partition: number,
                offset: cursor.next,
                earliest,
                latest,
            })
        })
    }
}

fn find(partitions: &mut [Cursor], number: i32) -> Option<&mut Cursor> {
    partitions.iter_mut().find(|cursor| i32::from(cursor.partition.partition()) == number)
}

fn take(partitions: &mut [Cursor], batch: &mut BatchBuilder, message: &BorrowedMessage<'_>) {
    // Neither happens: only assigned partitions are fetched, and offsets of records are not negative.
    let Some(cursor) = find(partitions, message.partition()) else { return };
    let Ok(offset) = u64::try_from(message.offset()) else { return };
    batch.push(cursor.partition, offset, message);
    cursor.next = offset + 1;
    cursor.at_end = false;
}
