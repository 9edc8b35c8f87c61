//! Compares records of `fraud.alerts` with the rows of the outbox.

use super::published_rows::Row;
use crate::checks::brokers::CommittedRecord;
use crate::error::VerificationError;
use crate::snapshot::Snapshot;
use serde::Deserialize;
use std::collections::HashMap;
use streamflow_medallion::outbox::{Limits, Numbered, StoredAlertChange};

/// The part of a message that identifies its row.
#[derive(Deserialize, PartialEq, Eq, Hash)]
struct Identity {
    transaction_id: String,
    sequence: i64,
}

const NAMED: &str = "(transaction_id, sequence) IN (SELECT * FROM unnest($3::text[], $4::int8[]))";

/// The row of each record.
///
/// # Errors
/// What the server or the connection says.
pub fn rows(
    snapshot: &mut Snapshot<'_>,
    records: &[CommittedRecord],
) -> Result<Vec<Option<Row>>, VerificationError> {
    let identities: Vec<Option<Identity>> = records.iter().map(identity).collect();
    let named = identities.iter().flatten().map(|named| (named.transaction_id.as_str(), named.sequence));
    let (ids, sequences): (Vec<&str>, Vec<i64>) = named.unzip();
    let changes =
        StoredAlertChange::select(snapshot.transaction(), Limits::NONE, NAMED, &[&ids, &sequences])?;
    let by_identity = |change: StoredAlertChange| {
        (Identity { transaction_id: change.transaction_id.clone(), sequence: change.sequence }, change)
    };
    let changes: HashMap<Identity, StoredAlertChange> = changes.into_iter().map(by_identity).collect();
    let row = |(record, identity): (&CommittedRecord, Option<Identity>)| {
        Some(compare(record, changes.get(&identity?)?))
    };
    Ok(records.iter().zip(identities).map(row).collect())
}

/// PostgreSQL has no text with a NUL character, and refuses to be asked for one.
fn identity(record: &CommittedRecord) -> Option<Identity> {
    let identity: Identity = serde_json::from_slice(record.value.as_deref()?).ok()?;
    (!identity.transaction_id.contains('\0')).then_some(identity)
}

/// Kafka still has what was published before a customer was erased.
fn compare(record: &CommittedRecord, change: &StoredAlertChange) -> Row {
    let difference = if change.is_erased {
        None
    } else if record.value.as_deref() != Some(change.payload.as_bytes()) {
        Some("another payload")
    } else if record.key.as_deref() != Some(change.customer_id.as_bytes()) {
        Some("another key")
    } else {
        None
    };
    Row { number: change.number, difference: difference.map(str::to_owned) }
}
