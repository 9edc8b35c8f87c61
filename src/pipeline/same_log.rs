//! Whether partitions are still those that were read: a topic that was deleted and created anew, and has grown past the
//! offset at which reading goes on, would else be read on as if nothing were missing.

use crate::config::Config;
use anyhow::{Result, bail};
use postgres::Client;
use std::collections::BTreeMap;
use std::time::Duration;
use streamflow_connectors::kafka::{RecordPlace, records_from};
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::dimensions::Role;
use streamflow_medallion::Progress;
use streamflow_model::timestamp::Rfc3339;

const RECORDS_WITHIN: Duration = Duration::from_secs(30);

/// The last record of a partition before an offset, as bronze has it: where it was, and its time in microseconds
/// since 1970. Of two at one offset the later one counts: the topic was created anew before, and that was accepted. Dead
/// letters have no index by their place, so only the latest are looked at.
const LAST_READ: &str = "SELECT source_offset, (extract(epoch FROM record_time) * 1000000)::int8 FROM ( \
         (SELECT source_offset, record_time, ingested_at FROM bronze.raw_transactions \
          WHERE source_partition = $2 AND source_topic = $1 AND source_offset < $3 \
          ORDER BY source_offset DESC, ingested_at DESC LIMIT 1) \
         UNION ALL \
         (SELECT source_offset, record_time, ingested_at FROM bronze.dead_letters \
          WHERE source_partition = $2 AND source_topic = $1 AND source_offset < $3 \
              AND id > (SELECT dead_letters - 100000 FROM streamflow.progress) \
          ORDER BY id DESC LIMIT 1)) AS last \
     ORDER BY source_offset DESC, ingested_at DESC LIMIT 1";

/// Compares the last records that were read of transaction partitions with what Kafka has in their places.
///
/// # Errors
/// Another record is in the place of one that was read; errors of Kafka and PostgreSQL.
pub fn check(config: &Config, client: &mut Client, progress: &Progress) -> Result<()> {
    let roles = config.topics.roles().into_iter();
    for (topic, _) in roles.filter(|(_, role)| *role == Role::Transactions) {
        let Some(offsets) = progress.offsets.get(&topic) else { continue };
        let mut read = BTreeMap::new();
        for (partition, next) in offsets {
            if let Some(last) = last_read(client, &topic, *partition, *next)? {
                read.insert(*partition, last);
            }
        }
        let places: Vec<_> = read.iter().map(|(partition, last)| (*partition, last.offset)).collect();
        let found = records_from(&config.kafka, &topic, &places, RECORDS_WITHIN)?;
        for (partition, last) in &read {
            if let Some(problem) = found.get(partition).and_then(|found| difference(*last, *found)) {
                bail!("topic {topic}, partition {partition}: {problem}");
            }
        }
    }
    Ok(())
}

/// `None` also where its time is not known.
fn last_read(
    client: &mut Client,
    topic: &str,
    partition: u16,
    next: u64,
) -> Result<Option<RecordPlace>, PostgresError> {
    let next = i64::try_from(next).unwrap_or(i64::MAX);
    let Some(row) = client.query_opt(LAST_READ, &[&topic, &i32::from(partition), &next])? else {
        return Ok(None);
    };
    let (offset, micros): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    let place =
        |micros: i64| Some(RecordPlace { offset: u64::try_from(offset).ok()?, time: Some(micros / 1000) });
    Ok(micros.and_then(place))
}

/// How Kafka's record differs from the one that was read in its place. Where there is none any more, nothing can be
/// said.
fn difference(read: RecordPlace, found: RecordPlace) -> Option<String> {
    if found.offset != read.offset || found.time == read.time {
        return None;
    }
    let time =
        |time: Option<i64>| time.map_or("none".to_owned(), |ms| Rfc3339(ms.saturating_mul(1000)).to_string());
    Some(format!(
        "the record at offset {} has the time {}, the one that was read there had {}: the topic was deleted and created \
         anew; see the runbook, \"Offsets that Kafka no longer has\"",
        read.offset,
        time(found.time),
        time(read.time)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_record_in_the_same_place_is_a_difference() {
        let place = |offset, time| RecordPlace { offset, time: Some(time) };
        assert_eq!(difference(place(7, 1000), place(7, 1000)), None);
        assert_eq!(difference(place(7, 1000), place(9, 2000)), None);
        let problem = difference(place(7, 1000), place(7, 2000)).unwrap();
        assert!(problem.contains("offset 7 has the time 1970-01-01T00:00:02"), "{problem}");
    }
}
