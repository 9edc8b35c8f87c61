//! How far alert changes are published, as Kafka has it in the progress record.

use crate::config::Config;
use crate::publisher::{self, PublisherError};
use anyhow::Result;
use std::time::Duration;
use streamflow_connectors::kafka::KafkaError;

const PATIENCE: Duration = Duration::from_secs(20);

/// The number of the last alert change in Kafka; 0 if there is none.
///
/// # Errors
/// Errors of Kafka, no answer from it, or a record that cannot be decoded.
pub fn last_alert_change(config: &Config) -> Result<i64> {
    match publisher::latest_progress(config, PATIENCE) {
        Ok(progress) => Ok(progress.alert_number),
        // Nothing was ever published.
        Err(PublisherError::Kafka(KafkaError::MissingTopic { .. })) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
