//! Compares records of `streamflow.dlq` with the rows of `bronze.dead_letters`.
//!
//! What a record must be is written down here once more, so that a mistake of the publisher shows.

use super::published_rows::Row;
use crate::checks::brokers::CommittedRecord;
use crate::error::VerificationError;
use crate::snapshot::Snapshot;
use std::collections::HashMap;
use streamflow_medallion::outbox::{Limits, Numbered, StoredDeadLetter};
use streamflow_model::dead_letter::PAYLOAD_LIMIT;

/// The row of each record.
///
/// # Errors
/// What the server or the connection says.
pub fn rows(
    snapshot: &mut Snapshot<'_>,
    records: &[CommittedRecord],
) -> Result<Vec<Option<Row>>, VerificationError> {
    let numbers: Vec<Option<i64>> = records.iter().map(number).collect();
    let named: Vec<i64> = numbers.iter().flatten().copied().collect();
    let letters = StoredDeadLetter::select(snapshot.transaction(), Limits::NONE, "id = ANY ($3)", &[&named])?;
    let letters: HashMap<i64, StoredDeadLetter> =
        letters.into_iter().map(|letter| (letter.number, letter)).collect();
    let row = |(record, number): (&CommittedRecord, Option<i64>)| {
        let letter = letters.get(&number?)?;
        Some(Row { number: letter.number, difference: difference(record, letter) })
    };
    Ok(records.iter().zip(numbers).map(row).collect())
}

fn number(record: &CommittedRecord) -> Option<i64> {
    std::str::from_utf8(record.headers.get("dlq.number")?).ok()?.parse().ok()
}

/// Kafka still has what was published before a customer was erased.
fn difference(record: &CommittedRecord, letter: &StoredDeadLetter) -> Option<String> {
    if letter.is_erased {
        return None;
    }
    let StoredDeadLetter { topic, partition, offset, reason, message, full_length, truncated, .. } = letter;
    let headers: [(&str, &dyn ToString); 7] = [
        ("dlq.topic", topic),
        ("dlq.partition", partition),
        ("dlq.offset", offset),
        ("dlq.reason", reason),
        ("dlq.message", message),
        ("dlq.full_length", full_length),
        ("dlq.truncated", truncated),
    ];
    let header = |name: &str| record.headers.get(name).map(Vec::as_slice);
    let differs = |(name, value): &(&str, &dyn ToString)| header(name) != Some(value.to_string().as_bytes());
    if let Some((name, _)) = headers.into_iter().find(differs) {
        return Some(format!("another {name}"));
    }
    let key = letter.key.as_ref().map(|key| &key[..key.len().min(PAYLOAD_LIMIT)]);
    let differs = if record.key.as_deref() != Some(format!("{topic}-{partition}-{offset}").as_bytes()) {
        Some("another key")
    } else if header("dlq.key") != key {
        Some("another dlq.key")
    } else if record.value != letter.payload {
        Some("another payload")
    } else {
        None
    };
    differs.map(str::to_owned)
}
