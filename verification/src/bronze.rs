//! The events in bronze.

use crate::error::unreadable;
use crate::snapshot::{Snapshot, instant, narrow};
use crate::topics::Topics;
use crate::{Comparison, VerificationError, comparison};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postgres::Row;
use streamflow_model::dead_letter::PAYLOAD_LIMIT;
use streamflow_oracle::{Coordinates, Expected, RawEvent, decode};

const TABLE: &str = "bronze.raw_transactions";
const DEAD_LETTERS: &str = "bronze.dead_letters";

/// A row of bronze: the event, and what was written beside its payload.
pub(crate) struct Received {
    pub(crate) event: RawEvent,
    beside: Beside,
}

/// The columns of a row that repeat its payload.
#[derive(Debug, PartialEq)]
struct Beside {
    event_time: i64,
    schema_version: u32,
}

/// All events that are no dead letters, copies included. Their epoch is the ingest time.
pub(crate) fn read(snapshot: &mut Snapshot<'_>, topics: &Topics) -> Result<Vec<Received>, VerificationError> {
    let sql = "SELECT source_topic, source_partition::int8, source_offset, \
             (extract(epoch FROM ingested_at) * 1000)::int8, payload, event_time, schema_version \
         FROM bronze.raw_transactions";
    snapshot.rows(sql, |row| {
        let Coordinates { topic, partition, offset } = coordinates(row, topics, TABLE)?;
        let payload: String = row.try_get(4)?;
        Ok(Received {
            event: RawEvent {
                topic,
                partition,
                offset,
                epoch: narrow(row, 3, TABLE)?,
                appended_at: None,
                key: None,
                payload: Some(payload.into_bytes()),
            },
            beside: Beside { event_time: instant(row, 5)?, schema_version: narrow(row, 6, TABLE)? },
        })
    })
}

/// Topic, partition and offset in the first three columns.
fn coordinates(row: &Row, topics: &Topics, table: &'static str) -> Result<Coordinates, VerificationError> {
    Ok(Coordinates {
        topic: topics.index(row.try_get(0)?, table)?,
        partition: narrow(row, 1, table)?,
        offset: narrow(row, 2, table)?,
    })
}

/// Checks that each event occurs once and is acceptable, and that its row's columns agree with its payload.
pub(crate) fn compare_received(received: Vec<Received>, expected: &Expected) -> Comparison {
    let stored = received.into_iter().map(|received| (received.event.coordinates(), received.beside));
    let expected = expected.received.iter().map(|(coordinates, row)| {
        (*coordinates, Beside { event_time: row.event_time, schema_version: row.schema_version })
    });
    comparison::equal(TABLE, stored, expected)
}

/// Checks the reasons of dead letters of transaction topics where the payload determines them, and that each event occurs once.
pub(crate) fn compare_dead_letters(
    snapshot: &mut Snapshot<'_>,
    topics: &Topics,
) -> Result<Comparison, VerificationError> {
    let sql = "SELECT source_topic, source_partition::int8, source_offset, reason, payload, payload_is_base64, \
             full_length \
         FROM bronze.dead_letters \
         WHERE source_topic IN (SELECT source_topic FROM bronze.raw_transactions)";
    let rows = snapshot.rows(sql, |row| {
        let reason: String = row.try_get(3)?;
        let payload: Option<String> = row.try_get(4)?;
        let payload = match payload {
            Some(text) if row.try_get(5)? => {
                Some(STANDARD.decode(text).map_err(|error| unreadable(DEAD_LETTERS, &error))?)
            }
            payload => payload.map(String::into_bytes),
        };
        let expected = expected_reason(&reason, payload.as_deref(), row.try_get(6)?).to_owned();
        Ok((coordinates(row, topics, DEAD_LETTERS)?, reason, expected))
    })?;
    let stored = rows.iter().map(|(coordinates, reason, _)| (*coordinates, reason.as_str()));
    let mut expected: Vec<_> =
        rows.iter().map(|(coordinates, _, reason)| (*coordinates, reason.as_str())).collect();
    expected.sort_unstable();
    expected.dedup_by_key(|(coordinates, _)| *coordinates);
    Ok(comparison::equal("bronze.dead_letters (reasons)", stored, expected))
}

/// Reasons that the payload alone does not determine.
fn expected_reason<'a>(stored: &'a str, payload: Option<&[u8]>, full_length: i64) -> &'a str {
    if full_length > PAYLOAD_LIMIT as i64 {
        return "too_large";
    }
    match decode(payload) {
        Err(refusal) => refusal.reason,
        Ok(_) if ["future_timestamp", "too_late", "conflicting_identity"].contains(&stored) => stored,
        Ok(_) => "none: it is acceptable",
    }
}
