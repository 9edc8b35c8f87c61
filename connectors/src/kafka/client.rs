//! How the client library's own messages reach the program's log, and its statistics the metrics.

use std::sync::Arc;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, Statistics};

use super::progress::SourceProgress;

/// Writes what the client library says to the log.
pub(super) struct Logging;

impl ClientContext for Logging {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        warn(&error, reason);
    }
}

impl ConsumerContext for Logging {}

/// As [`Logging`], and takes the partitions' ends from the statistics.
pub(super) struct Reporting {
    pub(super) topic: String,
    pub(super) progress: Arc<SourceProgress>,
}

impl ClientContext for Reporting {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        warn(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        for (number, partition) in &topic.partitions {
            // Negative until the first fetch has answered.
            if let (Some(progress), Ok(end)) =
                (self.progress.find(&self.topic, *number), u64::try_from(partition.hi_offset))
            {
                progress.saw_end(end);
            }
        }
    }
}

impl ConsumerContext for Reporting {}

fn warn(error: &KafkaError, reason: &str) {
    // The end of a partition is told as an error, and is none.
    if !matches!(error, KafkaError::Global(RDKafkaErrorCode::PartitionEOF)) {
        tracing::warn!(%error, reason, "Kafka client");
    }
}

fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        // Failed connections come at this level; the client tries again by itself.
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => tracing::warn!(facility, "Kafka client: {message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(facility, "Kafka client: {message}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(facility, "Kafka client: {message}"),
    }
}
