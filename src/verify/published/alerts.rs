//! Compares records of `fraud.alerts` with the rows of the outbox.

use super::published_rows::Row;
use crate::verify::brokers::CommittedRecord;
use anyhow::Result;
use postgres::Transaction;
use serde::Deserialize;
use std::collections::HashMap;

/// The part of a message that identifies its row.
#[derive(Deserialize)]
struct Identity {
    transaction_id: String,
    sequence: i64,
}

const ROWS: &str = "SELECT a.transaction_id, a.sequence, a.number, a.customer_id, a.payload::text \
     FROM unnest($1::text[], $2::int8[]) AS told (id, sequence) \
     JOIN bronze.raw_fraud_alerts AS a ON a.transaction_id = told.id AND a.sequence = told.sequence";

/// A row of the outbox.
struct Change {
    number: i64,
    customer_id: String,
    payload: String,
}

/// The row of each record.
///
/// # Errors
/// What the server or the connection says.
pub fn rows(transaction: &mut Transaction<'_>, records: &[CommittedRecord]) -> Result<Vec<Option<Row>>> {
    let identities: Vec<Option<Identity>> = records.iter().map(identity).collect();
    let (mut ids, mut sequences) = (Vec::new(), Vec::new());
    for Identity { transaction_id, sequence } in identities.iter().flatten() {
        ids.push(transaction_id.as_str());
        sequences.push(*sequence);
    }
    let mut changes: HashMap<(String, i64), Change> = HashMap::new();
    for row in transaction.query(ROWS, &[&ids, &sequences])? {
        let change =
            Change { number: row.try_get(2)?, customer_id: row.try_get(3)?, payload: row.try_get(4)? };
        changes.insert((row.try_get(0)?, row.try_get(1)?), change);
    }
    let row = |(record, identity): (&CommittedRecord, Option<Identity>)| {
        let Identity { transaction_id, sequence } = identity?;
        Some(compare(record, changes.get(&(transaction_id, sequence))?))
    };
    Ok(records.iter().zip(identities).map(row).collect())
}

/// PostgreSQL has no text with a NUL character, and refuses to be asked for one.
fn identity(record: &CommittedRecord) -> Option<Identity> {
    let identity: Identity = serde_json::from_slice(record.value.as_deref()?).ok()?;
    (!identity.transaction_id.contains('\0')).then_some(identity)
}

fn compare(record: &CommittedRecord, change: &Change) -> Row {
    let difference = if record.value.as_deref() != Some(change.payload.as_bytes()) {
        Some("another payload")
    } else if record.key.as_deref() != Some(change.customer_id.as_bytes()) {
        Some("another key")
    } else {
        None
    };
    Row { number: change.number, difference: difference.map(str::to_owned) }
}
