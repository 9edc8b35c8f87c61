//! Finds the partition whose records cannot be read, and goes on without it.
//!
//! The client reports such records without their partition, skips some of them by itself, and says nothing of
//! others. So nothing more is taken of what it has fetched: each partition is fetched alone, from the offset that
//! is due, and what comes first tells. It costs the topic a fetch for each of its partitions, once.

use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::{Cursor, End, Reader, is_of_offset};
use crate::kafka::unreadable::{Damage, Unreadable};
use crate::source::{STOP_CHECK, now_ms};

/// How long a partition is fetched alone at most: longer than the client takes for three statistics.
const ALONE_FOR: Duration = Duration::from_secs(8);

/// A partition that has more and delivers nothing for this long may have records that the client cannot decode.
const SILENT_FOR: Duration = Duration::from_secs(10);

/// A partition that delivers nothing.
#[derive(Clone, Copy)]
pub(super) struct Silence {
    since: Instant,
    /// What the client had found to be incomplete then.
    incomplete: u64,
}

/// What comes first of a partition that is fetched alone.
enum First {
    /// A record, or the end.
    Readable,
    Unreadable(Damage),
    /// Nothing.
    Unknown,
}

impl Reader {
    /// Takes nothing more of what was fetched, until the partitions with these indices have been looked at.
    pub(super) fn suspect(&mut self, indices: Range<usize>) -> Result<(), End> {
        // The client keeps for good that a partition is paused.
        let waiting = self.partitions.iter().filter(|cursor| !cursor.waiting.is_empty());
        let waiting: Vec<i32> = waiting.map(Cursor::number).collect();
        waiting.into_iter().try_for_each(|number| self.resume(number))?;
        self.consumer.unassign().map_err(|error| self.stopped(&error))?;
        for cursor in &mut self.partitions {
            // All of it is fetched again.
            cursor.waiting.clear();
            cursor.at_end = false;
        }
        self.suspects = Some(indices);
        Ok(())
    }

    /// Looks at the suspects, if there are any, and goes on with the partitions that can be read.
    pub(super) fn isolate(&mut self) -> Result<(), End> {
        if self.suspects.is_none() {
            return Ok(());
        }
        self.send_batch()?;
        let mut found = Vec::new();
        for index in self.suspects.take().unwrap_or_default() {
            if let First::Unreadable(damage) = self.first_alone(index)? {
                found.push((self.partitions[index].number(), damage));
            }
        }
        for (number, damage) in &found {
            self.stand_still(*number, *damage);
        }
        if found.is_empty() {
            self.interrupted("records that could not be read can be read now");
        }
        self.assign(&self.partitions)?;
        self.tell_unreadable();
        Ok(())
    }

    /// Suspects a partition that has more and delivers nothing, while the client finds incomplete what it fetches.
    pub(super) fn suspect_silent(&mut self) -> Result<(), End> {
        let incomplete = self.consumer.context().incomplete();
        for index in 0..self.partitions.len() {
            let cursor = &mut self.partitions[index];
            if cursor.at_end || !cursor.waiting.is_empty() || cursor.heard != cursor.next {
                (cursor.heard, cursor.silence) = (cursor.next, None);
                continue;
            }
            let (next, now) = (cursor.next.max(cursor.taken), Silence { since: Instant::now(), incomplete });
            let silence = *cursor.silence.get_or_insert(now);
            if silence.since.elapsed() < SILENT_FOR || silence.incomplete == incomplete {
                continue;
            }
            cursor.silence = None;
            if self.end(&self.ends.committed, index).is_some_and(|end| end > next) {
                return self.suspect(index..index + 1);
            }
        }
        Ok(())
    }

    /// Logs once a minute where partitions stand still.
    pub(super) fn tell_unreadable(&mut self) {
        let context = self.consumer.context();
        for progress in
            context.progress.partitions().iter().filter(|progress| progress.topic() == context.topic)
        {
            let Some(Unreadable { offset, damage, .. }) = progress.unreadable() else { continue };
            let partition = progress.partition().partition();
            if self.unreadable.note(partition, Instant::now()).is_some() {
                tracing::error!(
                    topic = context.topic,
                    partition,
                    offset,
                    "the partition stands still: its records cannot be read, {damage}; see the runbook, \
                     \"Unreadable records\""
                );
            }
        }
    }

    fn first_alone(&mut self, index: usize) -> Result<First, End> {
        self.assign(&self.partitions[index..=index])?;
        let begun = Instant::now();
        let (mut incomplete, mut growths) = (self.consumer.context().incomplete(), 0);
        while begun.elapsed() < ALONE_FOR {
            if self.outbox.is_stopped() {
                return Err(End::Stopped);
            }
            let polled = self.consumer.poll(STOP_CHECK).map(|polled| polled.map(drop));
            match polled {
                Some(Ok(()) | Err(KafkaError::PartitionEOF(_))) => return Ok(First::Readable),
                Some(Err(error)) => match Damage::of(&error) {
                    Some(damage) => return Ok(First::Unreadable(damage)),
                    // Perhaps a late one of the partition before.
                    None if is_of_offset(&error) => self.check_offsets()?,
                    None => self.classify(&error)?,
                },
                None => {}
            }
            let now = self.consumer.context().incomplete();
            if now > incomplete {
                (incomplete, growths) = (now, growths + 1);
            }
            // The first one may have been before. A broker never cuts the only records that it sends.
            if growths > 1 {
                return Ok(First::Unreadable(Damage::Content));
            }
        }
        Ok(First::Unknown)
    }

    fn stand_still(&mut self, number: i32, damage: Damage) {
        let Some(place) = self.partitions.iter().position(|cursor| cursor.number() == number) else { return };
        let cursor = self.partitions.remove(place);
        let context = self.consumer.context();
        if let Some(progress) = context.progress.find(&context.topic, number) {
            progress.stand_still(Unreadable { offset: cursor.next, damage, since: now_ms() });
        }
    }

    /// Fetches `cursors` from where they are, and nothing else.
    fn assign(&self, cursors: &[Cursor]) -> Result<(), End> {
        let topic = &self.consumer.context().topic;
        let mut list = TopicPartitionList::with_capacity(cursors.len());
        for cursor in cursors {
            let next = Offset::Offset(i64::try_from(cursor.next).unwrap_or(i64::MAX));
            list.add_partition_offset(topic, cursor.number(), next).map_err(|error| self.stopped(&error))?;
        }
        self.consumer.assign(&list).map_err(|error| self.stopped(&error))
    }
}
