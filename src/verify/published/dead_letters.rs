//! Compares records of `streamflow.dlq` with the rows of `bronze.dead_letters`.

use super::published_rows::Row;
use crate::verify::brokers::CommittedRecord;
use anyhow::Result;
use postgres::Transaction;
use std::collections::HashMap;
use streamflow_medallion::outbox::{KEY_BYTES, PAYLOAD_BYTES};
use streamflow_model::dead_letter::PAYLOAD_LIMIT;

fn query() -> String {
    format!(
        "SELECT id, source_topic, source_partition::text, source_offset::text, reason, message, \
         full_length::text, truncated::text, \
         {KEY_BYTES}, {PAYLOAD_BYTES} \
     FROM bronze.dead_letters WHERE id = ANY ($1)"
    )
}

/// Headers with one column each, in the order of the query.
const HEADERS: [&str; 7] = [
    "dlq.topic",
    "dlq.partition",
    "dlq.offset",
    "dlq.reason",
    "dlq.message",
    "dlq.full_length",
    "dlq.truncated",
];

/// The row of each record.
///
/// # Errors
/// What the server or the connection says.
pub fn rows(transaction: &mut Transaction<'_>, records: &[CommittedRecord]) -> Result<Vec<Option<Row>>> {
    let numbers: Vec<Option<i64>> = records.iter().map(number).collect();
    let asked: Vec<i64> = numbers.iter().flatten().copied().collect();
    let mut letters: HashMap<i64, postgres::Row> = HashMap::new();
    for row in transaction.query(&query(), &[&asked])? {
        letters.insert(row.try_get(0)?, row);
    }
    let row = |(record, number): (&CommittedRecord, Option<i64>)| -> Result<Option<Row>> {
        let Some((number, letter)) = number.and_then(|number| Some((number, letters.get(&number)?))) else {
            return Ok(None);
        };
        Ok(Some(Row { number, difference: difference(record, letter)? }))
    };
    records.iter().zip(numbers).map(row).collect()
}

fn number(record: &CommittedRecord) -> Option<i64> {
    std::str::from_utf8(record.headers.get("dlq.number")?).ok()?.parse().ok()
}

fn difference(record: &CommittedRecord, letter: &postgres::Row) -> Result<Option<String>> {
    let mut columns: Vec<&str> = Vec::with_capacity(HEADERS.len());
    for (place, name) in (1..).zip(HEADERS) {
        let column: &str = letter.try_get(place)?;
        if record.headers.get(name).map(Vec::as_slice) != Some(column.as_bytes()) {
            return Ok(Some(format!("another {name}")));
        }
        columns.push(column);
    }
    let place = columns[..3].join("-");
    let (key, payload): (Option<&[u8]>, Option<&[u8]>) = (letter.try_get(8)?, letter.try_get(9)?);
    let key = key.map(|key| &key[..key.len().min(PAYLOAD_LIMIT)]);
    let differs = if record.key.as_deref() != Some(place.as_bytes()) {
        Some("another key")
    } else if record.headers.get("dlq.key").map(Vec::as_slice) != key {
        Some("another dlq.key")
    } else if record.value.as_deref() != payload {
        Some("another payload")
    } else {
        None
    };
    Ok(differs.map(str::to_owned))
}
