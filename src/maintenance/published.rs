//! How far alert changes are published, as Kafka has it in the progress record.

use crate::config::Config;
use crate::publisher;
use anyhow::Result;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// The number of the last alert change in Kafka; 0 if there is none.
///
/// # Errors
/// Errors of Kafka, no answer from it, or a record that cannot be decoded.
pub fn last_alert_change(config: &Config) -> Result<i64> {
    Ok(publisher::published(config, PATIENCE)?.alert_number)
}
