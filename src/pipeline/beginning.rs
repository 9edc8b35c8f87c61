//! Partitions that are new to the pipeline begin at their own first record, however old that is.

use super::plan::Sources;
use crate::config::Config;
use anyhow::Result;
use postgres::Client;
use std::time::Duration;
use streamflow_connectors::kafka::first_record_time;
use streamflow_dataflow::dimensions::Role;
use streamflow_medallion::Progress;
use streamflow_model::timestamp::{DAY, Rfc3339, SECOND};

const FIRST_RECORD_WITHIN: Duration = Duration::from_secs(30);

/// Sets the committed watermark back to the first records of transaction partitions that have not been read
/// before: what they bring is in time for them. What was final after that, less the horizon, is restored as open.
pub fn begin_new_partitions(
    config: &Config,
    client: &mut Client,
    progress: &mut Progress,
    sources: &Sources,
) -> Result<()> {
    let Some(watermark) = progress.watermark else { return Ok(()) };
    let mut begins = watermark;
    for ((topic, partitions), (_, role)) in sources.partitions.iter().zip(config.topics.roles()) {
        let known = progress.offsets.get(topic);
        let new =
            (0..*partitions).filter(|partition| known.is_none_or(|known| !known.contains_key(partition)));
        for partition in new.filter(|_| role == Role::Transactions) {
            let first = first_record_time(&config.kafka, topic, partition, FIRST_RECORD_WITHIN)?;
            let Some(first) = first.map(|first| first.saturating_mul(1000)) else { continue };
            tracing::info!(topic, partition, first = %Rfc3339(first), "a partition is new");
            begins = begins.min(first);
        }
    }
    let earliest = earliest(watermark, config);
    if begins < earliest {
        tracing::warn!(
            "new partitions begin before {}: what is a horizon older than that will be too late",
            Rfc3339(earliest)
        );
    }
    let begins = begins.max(earliest);
    if begins < watermark {
        tracing::info!(from = %Rfc3339(watermark), to = %Rfc3339(begins), "the watermark is set back");
        progress.set_back(client, begins, i64::MAX)?;
    }
    Ok(())
}

/// How far the watermark can be set back: open minutes must still be in their tables, which keep a day of them.
fn earliest(watermark: i64, config: &Config) -> i64 {
    let horizon = i64::from(config.correction_horizon_seconds) * SECOND;
    watermark - (DAY - horizon).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_that_open_again_are_still_there() {
        let config = |horizon| Config { correction_horizon_seconds: horizon, ..Config::default() };
        let watermark = 10 * DAY;
        assert_eq!(earliest(watermark, &config(3600)), 9 * DAY + 3600 * SECOND);
        assert_eq!(earliest(watermark, &config(2 * 86_400)), watermark);
    }
}
