//! How the client library's own messages reach the program's log, and its statistics the metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Broker;
use rdkafka::{ClientContext, Statistics};

use super::progress::SourceProgress;
use crate::repeats::Repeats;

/// Writes the client library's messages to the log, and repeated warnings rarely.
#[derive(Default)]
pub(super) struct Logging {
    /// By facility or error.
    warnings: Mutex<Repeats<String>>,
}

impl Logging {
    /// Calls `log` where a warning of this kind is due, with the number left out before it.
    fn warn(&self, kind: String, log: impl FnOnce(u64)) {
        let due = self.warnings.lock().unwrap_or_else(PoisonError::into_inner).note(kind, Instant::now());
        if let Some(left_out) = due {
            log(left_out);
        }
    }
}

impl ClientContext for Logging {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            // Failed connections come at this level; the client tries again by itself.
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => self.warn(facility.to_owned(), |left_out| {
                tracing::warn!(facility, left_out, "Kafka client: {message}");
            }),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(facility, "Kafka client: {message}");
            }
            RDKafkaLogLevel::Debug => tracing::debug!(facility, "Kafka client: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition is reported as an error, but is none.
        if !matches!(error, KafkaError::Global(RDKafkaErrorCode::PartitionEOF)) {
            self.warn(error.to_string(), |left_out| tracing::warn!(%error, reason, left_out, "Kafka client"));
        }
    }
}

impl ConsumerContext for Logging {}

/// A broker that leaves requests unanswered for this long is away, connected or not: it holds a fetch for
/// milliseconds.
const SILENCE: Duration = Duration::from_secs(5);

/// As [`Logging`], and takes the partitions' ends and whether their leaders answer from the statistics.
pub(super) struct Reporting {
    pub(super) topic: String,
    pub(super) progress: Arc<SourceProgress>,
    logging: Logging,
    incomplete: AtomicU64,
}

impl Reporting {
    pub(super) fn new(topic: &str, progress: &Arc<SourceProgress>) -> Self {
        Self {
            topic: topic.to_owned(),
            progress: Arc::clone(progress),
            logging: Logging::default(),
            incomplete: AtomicU64::new(0),
        }
    }

    /// How often records that were fetched ended too early, as of the last statistics: cut off by the broker's
    /// limits, or not to be decoded.
    pub(super) fn incomplete(&self) -> u64 {
        self.incomplete.load(Ordering::Relaxed)
    }
}

impl ClientContext for Reporting {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.logging.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.logging.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let incomplete = statistics.brokers.values().map(|broker| broker.rxpartial).sum();
        self.incomplete.store(incomplete, Ordering::Relaxed);
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let now = u64::try_from(statistics.time).unwrap_or(0) * 1000;
        for (number, partition) in &topic.partitions {
            let Some(progress) = self.progress.find(&self.topic, *number) else { continue };
            // Negative until the first fetch has answered.
            if let Ok(end) = u64::try_from(partition.hi_offset) {
                let read_to_end = partition.eof_offset == partition.hi_offset;
                progress.saw_end(if read_to_end { progress.position() } else { end });
            }
            // Negative before the first end.
            if let Ok(end) = u64::try_from(partition.eof_offset) {
                progress.report_end(end);
            }
            let leader = statistics.brokers.values().find(|broker| broker.nodeid == partition.leader);
            progress.saw_leader(leader.is_some_and(answers), now);
        }
    }
}

impl ConsumerContext for Reporting {}

fn answers(broker: &Broker) -> bool {
    let silent = broker.waitresp_cnt > 0 && broker.rxidle > SILENCE.as_micros() as i64;
    matches!(broker.state.as_str(), "UP" | "UPDATE") && !silent
}
