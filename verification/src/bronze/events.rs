//! The events in bronze, and the dead letters.

use crate::comparison::{self, Comparison};
use crate::error::{VerificationError, unreadable};
use crate::snapshot::{Snapshot, instant, instant_or_null, narrow, text};
use streamflow_medallion::Topics;
use streamflow_medallion::outbox::{Limits, Numbered, StoredDeadLetter};
use streamflow_model::dead_letter::PAYLOAD_LIMIT;
use streamflow_oracle::{Coordinates, Expected, RawEvent, decode};

const TABLE: &str = "bronze.raw_transactions";

/// A row of bronze: the event, and the columns that repeat its payload.
pub(super) struct Received {
    pub(super) event: RawEvent,
    event_time: i64,
    schema_version: u32,
}

/// All events that are no dead letters, copies included. Their epoch is the ingest time.
pub(super) fn read(snapshot: &mut Snapshot<'_>, topics: &Topics) -> Result<Vec<Received>, VerificationError> {
    let sql = "SELECT source_topic, source_partition::int8, source_offset, \
             (extract(epoch FROM ingested_at) * 1000)::int8, payload, event_time, schema_version, \
             final_before \
         FROM bronze.raw_transactions";
    snapshot.rows(sql, &[], |row| {
        let payload: String = row.try_get(4)?;
        Ok(Received {
            event: RawEvent {
                final_before: instant_or_null(row, 7)?,
                topic: topic(topics, &text(row, 0)?, TABLE)?,
                partition: narrow(row, 1, TABLE)?,
                offset: narrow(row, 2, TABLE)?,
                epoch: narrow(row, 3, TABLE)?,
                appended_at: None,
                key: None,
                payload: Some(payload.into_bytes()),
            },
            event_time: instant(row, 5)?,
            schema_version: narrow(row, 6, TABLE)?,
        })
    })
}

/// The index of a topic, by which the oracle refers to it.
pub(super) fn topic(topics: &Topics, name: &str, table: &'static str) -> Result<u16, VerificationError> {
    let lacking = || unreadable(table, &format!("topic {name}, which streamflow.topics lacks"));
    topics.number(name).ok_or_else(lacking)
}

/// Checks that each event occurs once and is acceptable, and that its row's columns agree with its payload.
pub(super) fn compare_received(received: &[Received], expected: &Expected) -> Comparison {
    let stored = received.iter().map(|row| (row.event.coordinates(), (row.event_time, row.schema_version)));
    let expected = expected.received.iter();
    let expected = expected.map(|(coordinates, row)| (*coordinates, (row.event_time, row.schema_version)));
    comparison::equal(TABLE, stored, expected)
}

/// Dead letters of transaction topics.
const OF_TRANSACTIONS: &str = "source_topic IN (SELECT source_topic FROM bronze.raw_transactions)";

/// Checks the reasons of dead letters where the payload determines them, and that each event occurs once.
pub(super) fn compare_dead_letters(
    snapshot: &mut Snapshot<'_>,
    topics: &Topics,
) -> Result<Comparison, VerificationError> {
    let letters = StoredDeadLetter::select(snapshot.transaction(), Limits::NONE, OF_TRANSACTIONS, &[])?;
    let table = StoredDeadLetter::TABLE;
    let (mut stored, mut expected) = (Vec::new(), Vec::new());
    for letter in &letters {
        let coordinates = Coordinates {
            topic: topic(topics, &letter.topic, table)?,
            partition: u16::try_from(letter.partition)?,
            offset: u64::try_from(letter.offset)?,
        };
        stored.push((coordinates, letter.reason.as_str()));
        expected.push((coordinates, expected_reason(letter)));
    }
    expected.sort_unstable();
    expected.dedup_by_key(|(coordinates, _)| *coordinates);
    Ok(comparison::equal("bronze.dead_letters (reasons)", stored, expected))
}

/// The stored reason where the payload alone does not determine it, or is erased.
fn expected_reason(letter: &StoredDeadLetter) -> &str {
    if letter.is_erased {
        return &letter.reason;
    }
    if letter.full_length > PAYLOAD_LIMIT as i64 {
        return "too_large";
    }
    match decode(letter.payload.as_deref()) {
        Err(refusal) => refusal.reason,
        Ok(_) => match letter.reason.as_str() {
            stored @ ("future_timestamp" | "too_late" | "conflicting_identity") => stored,
            _ => "none: it is acceptable",
        },
    }
}
