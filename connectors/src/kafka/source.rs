//! The partitions that one worker reads.
//!
//! Each topic has a client and a reader thread of its own. That is not for speed: the client library reports
//! the end of a partition, and errors, by partition number alone, and number 0 of two topics would be
//! ambiguous.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, bounded};

use super::assignment::Assignment;
use super::consumer;
use super::progress::SourceProgress;
use super::reader::{Ends, Reader, UNTOLD};
use super::settings::KafkaSettings;
use crate::source::{Outbox, ReadClock, SourceError, SourceEvent, Wake};

/// Reads the partitions assigned to one worker; stops when dropped.
pub struct KafkaSource {
    topics: Vec<TopicEvents>,
    progress: Arc<SourceProgress>,
    /// The latest time of records that are to be read, ms since 1970; [`UNTOLD`] at first.
    latest: Arc<AtomicI64>,
    stop: Arc<AtomicBool>,
    readers: Vec<JoinHandle<()>>,
}

/// What is read of one topic.
pub struct TopicEvents {
    /// The topic's number in the [`streamflow_model::PartitionId`]s of its records.
    pub number: u16,
    /// Disconnected once the reader has stopped, after [`SourceEvent::Failed`].
    pub events: Receiver<SourceEvent>,
}

impl KafkaSource {
    /// Starts reading and returns at once: brokers that are unreachable are waited for. The ends of partitions
    /// are told as of `clock`.
    ///
    /// # Errors
    /// [`SourceError::Client`] where the settings or the assignment are wrong, [`SourceError::Thread`].
    pub fn start(
        settings: &KafkaSettings,
        assignments: &[Assignment],
        clock: &ReadClock,
        wake: &Wake,
    ) -> Result<Self, SourceError> {
        let mut source = Self {
            topics: Vec::new(),
            progress: Arc::new(SourceProgress::new(assignments)),
            latest: Arc::new(AtomicI64::new(UNTOLD)),
            stop: Arc::default(),
            readers: Vec::new(),
        };
        let mut topics: BTreeMap<&str, Vec<&Assignment>> = BTreeMap::new();
        for assignment in assignments {
            topics.entry(&assignment.topic).or_default().push(assignment);
        }
        let client = |isolation| {
            let client = consumer::unassigned(settings, isolation);
            client.map(Arc::new).map_err(|error| SourceError::Client(error.to_string()))
        };
        let (all, committed) = (client("read_uncommitted")?, client("read_committed")?);
        let ends = Ends { all, committed, clock: Arc::clone(clock) };
        for (topic, partitions) in topics {
            let consumer = consumer::assigned(settings, topic, &partitions, &source.progress)?;
            let (sender, events) = bounded(settings.source.queued_batches);
            let number = partitions.first().map_or(0, |assignment| assignment.partition.topic());
            source.topics.push(TopicEvents { number, events });
            let outbox = Outbox { events: sender, wake: Arc::clone(wake), stop: Arc::clone(&source.stop) };
            let reader =
                Reader::new(consumer, ends.clone(), &source.latest, &partitions, &settings.source, outbox);
            let thread = thread::Builder::new()
                .name(format!("read {topic}"))
                .spawn(move || reader.run())
                .map_err(SourceError::Thread)?;
            source.readers.push(thread);
        }
        Ok(source)
    }

    /// What has been read, by topic: who reads it decides which topic goes first.
    pub fn topics(&self) -> &[TopicEvents] {
        &self.topics
    }

    /// Records that are later than `time`, ms since 1970, wait, and with them their partitions, unless these never
    /// wait.
    pub fn read_up_to(&self, time: i64) {
        self.latest.store(time, Ordering::Relaxed);
    }

    /// How far reading has come, for metrics.
    pub fn progress(&self) -> &Arc<SourceProgress> {
        &self.progress
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Frees a reader that waits for room; it then sees that it is to stop.
        for topic in &self.topics {
            while topic.events.try_recv().is_ok() {}
        }
        for reader in self.readers.drain(..) {
            // A panic of the reader is reported on standard error.
            let _ = reader.join();
        }
    }
}
