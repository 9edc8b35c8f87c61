//! How far alert changes are published: only Kafka knows.

use crate::config::Config;
use crate::publisher::Progress;
use anyhow::Result;
use std::time::Duration;
use streamflow_connectors::kafka::{KafkaError, latest_record};

const PATIENCE: Duration = Duration::from_secs(20);

/// The number of the last alert change in Kafka; 0 where there is none.
///
/// # Errors
/// What Kafka says, or that it says nothing; a record that cannot be read.
pub fn last_alert_change(config: &Config) -> Result<i64> {
    let name = config.publisher.transactional_id.as_bytes();
    let record = match latest_record(&config.kafka, &config.topics.progress, name, PATIENCE) {
        Ok(record) => record,
        // Nothing was ever published.
        Err(KafkaError::MissingTopic { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(record.as_deref().map(Progress::decode).transpose()?.unwrap_or_default().alert_number)
}
