//! How far alert changes and dead letters are published, as Kafka has it in the progress record.

use crate::config::Config;
use crate::publisher;
use anyhow::Result;
use std::time::Duration;
use streamflow_medallion::outbox::ProgressRecord;

const PATIENCE: Duration = Duration::from_secs(20);

/// The record, with the numbers of the last alert change and the last dead letter in Kafka; 0 if there is none.
///
/// # Errors
/// Errors of Kafka, no answer from it, or a record that cannot be decoded.
pub fn progress(config: &Config) -> Result<ProgressRecord> {
    Ok(publisher::published(config, PATIENCE)?)
}
