//! How far alert changes are published: only Kafka knows.

use crate::config::Config;
use crate::publisher::{Progress, PublisherError};
use anyhow::Result;
use std::time::Duration;
use streamflow_connectors::kafka::KafkaError;

const PATIENCE: Duration = Duration::from_secs(20);

/// The number of the last alert change in Kafka; 0 where there is none.
///
/// # Errors
/// What Kafka says, or that it says nothing; a record that cannot be read.
pub fn last_alert_change(config: &Config) -> Result<i64> {
    match Progress::latest(config, PATIENCE) {
        Ok(progress) => Ok(progress.alert_number),
        // Nothing was ever published.
        Err(PublisherError::Kafka(KafkaError::MissingTopic { .. })) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
