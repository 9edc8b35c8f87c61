//! What the database has on record of a transaction: `gold.explain`, and the version that was known at a time.

use super::row::{Position, Row};
use anyhow::{Context, Result};
use postgres::Transaction as Snapshot;
use serde::Deserialize;
use serde_json::Value;
use std::cmp::Reverse;
use std::sync::Arc;
use streamflow_connectors::postgres::Instant;
use streamflow_dataflow::decode::decode_payload;
use streamflow_model::{PartitionId, Source, Transaction};

/// The answer of `gold.explain`.
#[derive(Debug, Deserialize)]
pub struct Recorded {
    pub frontier: i64,
    /// Its current row.
    pub transaction: Value,
    /// Its current verdict.
    pub verdict: Value,
    /// The events that brought its versions, by when they were read.
    pub events: Value,
    /// The changes of its alert, in order.
    pub changes: Value,
}

impl Recorded {
    /// Reads it; `None` where nobody knows the transaction.
    pub fn read(snapshot: &mut Snapshot<'_>, id: &str, known_at: Option<i64>) -> Result<Option<Self>> {
        let sql = "SELECT gold.explain($1, coalesce($2, 'infinity'::timestamptz))::text";
        let answer: Option<String> = snapshot.query_one(sql, &[&id, &known_at.map(Instant)])?.try_get(0)?;
        answer
            .map(|answer| serde_json::from_str(&answer).context("gold.explain answers otherwise"))
            .transpose()
    }

    /// The changes, one by one.
    pub fn each_change(&self) -> &[Value] {
        self.changes.as_array().map_or(&[], Vec::as_slice)
    }

    /// What there is to be said where changes are no longer kept.
    pub fn missing_changes(&self) -> Option<String> {
        let first = self.each_change().first()?["sequence"].as_i64()?;
        (first > 1).then(|| format!("changes 1 to {} of the alert are older than what is kept", first - 1))
    }
}

/// The version of the rules that applies to an event time, as known at a time.
pub fn rules_version(snapshot: &mut Snapshot<'_>, event_time: i64, known_at: Option<i64>) -> Result<Value> {
    let sql = "SELECT streamflow.rules_version($1, coalesce($2, 'infinity'::timestamptz))::text";
    let parameters: [&(dyn postgres::types::ToSql + Sync); 2] =
        [&Instant(event_time), &known_at.map(Instant)];
    let version: Option<String> = snapshot.query_one(sql, &parameters)?.try_get(0)?;
    Ok(version.map(|version| serde_json::from_str(&version)).transpose()?.unwrap_or_default())
}

/// The version of a transaction that was known at a time.
pub struct Known {
    pub transaction: Transaction,
    pub shown: Value,
    pub notes: Vec<String>,
}

impl Known {
    /// Finds it; `None` where nobody knew the transaction then.
    pub fn find(
        snapshot: &mut Snapshot<'_>,
        id: &str,
        recorded: &Recorded,
        known_at: Option<i64>,
    ) -> Result<Option<Self>> {
        let row: Row =
            serde_json::from_value(recorded.transaction.clone()).context("no row of it is left")?;
        let current = row.transaction(id)?;
        let shown = recorded.transaction.clone();
        let Some(known_at) = known_at else {
            let notes = missing_revisions(snapshot, id, &current)?;
            return Ok(Some(Self { transaction: current, shown, notes }));
        };
        let versions = versions(snapshot, id)?;
        if !versions.iter().any(|version| version.position == row.position) {
            let note = "its events are no longer in bronze: it is shown as it is now".to_owned();
            return Ok(Some(Self { transaction: current, shown, notes: vec![note] }));
        }
        let mut notes = missing_revisions(snapshot, id, &current)?;
        let Some(known) = last(versions.into_iter().filter(|version| version.ingested_at <= known_at)) else {
            return Ok(None);
        };
        if known.position == row.position {
            return Ok(Some(Self { transaction: current, shown, notes: Vec::new() }));
        }
        if known.transaction.revision + 1 == current.revision {
            notes.clear();
        }
        let shown = serde_json::to_value(Row::new(&known.transaction, known.position))?;
        Ok(Some(Self { transaction: Arc::unwrap_or_clone(known.transaction), shown, notes }))
    }
}

/// Says which revisions of before are on no record.
fn missing_revisions(snapshot: &mut Snapshot<'_>, id: &str, current: &Transaction) -> Result<Vec<String>> {
    if current.revision == 0 {
        return Ok(Vec::new());
    }
    let versions = versions(snapshot, id)?;
    let is_found = |revision: &u32| versions.iter().any(|version| version.transaction.revision == *revision);
    let missing: Vec<u32> = (0..current.revision).filter(|revision| !is_found(revision)).take(10).collect();
    let list = missing.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let note = format!(
        "no event of revision {list} was found: there may have been one with another event time, or none"
    );
    Ok(if missing.is_empty() { Vec::new() } else { vec![note] })
}

/// A version of a transaction with its event.
pub struct Version {
    pub transaction: Arc<Transaction>,
    pub position: Position,
    /// When it was read, microseconds since 1970.
    pub ingested_at: i64,
}

/// The versions of a transaction that are on record.
pub fn versions(snapshot: &mut Snapshot<'_>, id: &str) -> Result<Vec<Version>> {
    let sql = "SELECT source_topic, source_partition, source_offset, ingested_at, payload \
         FROM streamflow.versions_of($1, 'infinity')";
    let rows = snapshot.query(sql, &[&id])?;
    let mut versions = Vec::with_capacity(rows.len());
    for row in &rows {
        let position =
            Position { topic: row.try_get(0)?, partition: row.try_get(1)?, offset: row.try_get(2)? };
        let source = Source::new(PartitionId::FIRST, u64::try_from(position.offset).unwrap_or_default());
        // What is in bronze has been decoded once.
        let Ok(decoded) = decode_payload(row.try_get::<_, &str>(4)?.as_bytes(), source) else { continue };
        let Instant(ingested_at) = row.try_get(3)?;
        versions.push(Version { transaction: decoded.transaction, position, ingested_at });
    }
    Ok(versions)
}

/// The version that counts: of those with the highest revision the first in its partition.
pub fn last(versions: impl Iterator<Item = Version>) -> Option<Version> {
    versions.max_by_key(|version| (version.transaction.revision, Reverse(version.position.clone())))
}
