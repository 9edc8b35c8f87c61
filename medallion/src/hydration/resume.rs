//! Reads what every worker knows before the graph is built.

use crate::copy_out::impossible;
use crate::encoding::Instant;
use crate::progress::Progress;
use crate::tables::pending_events;
use crate::topics::Topics;
use postgres::{Client, GenericClient, Row};
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::changes::PartitionPosition;
use streamflow_dataflow::controls::ControlChange;
use streamflow_dataflow::resume::Resume;
use streamflow_dataflow::rules::{RulesChange, SetName, document};
use streamflow_model::{Entity, ListChange, ListEntry, PartitionId};

/// Both in order; infinite instants have no number.
const CONTROLS: &str = "SELECT ingested_at, version, applies_from, NULL AS kind, NULL AS id, \
         false AS removed, NULL::timestamptz AS valid_from, NULL::timestamptz AS expires_at, NULL AS reason, \
         rules::text AS rules, rule_set FROM gold.rule_versions \
     WHERE $1::timestamptz IS NULL OR ingested_at <= $1 \
     UNION ALL SELECT ingested_at, version, applies_from, entity_kind, entity_id, removed, valid_from, expires_at, \
         reason, NULL, NULL FROM silver.blacklist WHERE $1::timestamptz IS NULL OR ingested_at <= $1 \
     ORDER BY ingested_at, version";

/// Reads it, as of `progress`, the lease just taken. `horizon` is the one of corrections, microseconds.
///
/// # Errors
/// The server's and the connection's; [`PostgresError::Fenced`] for rows that no pipeline wrote.
pub fn resume(
    client: &mut Client,
    progress: &Progress,
    topics: &Topics,
    horizon: i64,
) -> Result<Resume, PostgresError> {
    let pending = pending_events::all(client, topics)?;
    let held_before = pending.iter().map(|pending| pending.held_before(horizon)).min();
    Ok(Resume {
        held_before: held_before.unwrap_or(i64::MAX),
        watermark: progress.watermark.unwrap_or(i64::MIN),
        partitions: partitions(progress, topics),
        controls: controls(client, None)?,
    })
}

/// The changes of the rules and the list, in order; only those that were read by `known_at`, microseconds since
/// 1970, if that is given.
///
/// # Errors
/// As [`resume`].
pub fn controls(
    client: &mut impl GenericClient,
    known_at: Option<i64>,
) -> Result<Vec<ControlChange>, PostgresError> {
    client.query(CONTROLS, &[&known_at.map(Instant)])?.iter().map(control).collect()
}

fn partitions(progress: &Progress, topics: &Topics) -> Vec<PartitionPosition> {
    let mut partitions = Vec::new();
    for (topic, offsets) in &progress.offsets {
        let Some(number) = topics.number(topic) else { continue };
        let times = progress.reference_times.get(topic);
        partitions.extend(offsets.iter().filter_map(|(partition, next_offset)| {
            Some(PartitionPosition {
                partition: PartitionId::new(number, *partition)?,
                next_offset: *next_offset,
                partition_time: times.and_then(|times| times.get(partition)).copied(),
            })
        }));
    }
    partitions
}

fn control(row: &Row) -> Result<ControlChange, PostgresError> {
    let applies_from = instant(row, "applies_from")?.unwrap_or(i64::MIN);
    if let Some(rules) = row.try_get::<_, Option<&str>>("rules")? {
        let version = document::parse(rules.as_bytes());
        let version = version.map_err(|problem| impossible(format!("rules: {problem}")))?;
        let name: &str = row.try_get("rule_set")?;
        let set = SetName::from_column(name).ok_or_else(|| impossible(format!("rule set `{name}`")))?;
        return Ok(ControlChange::Rules(RulesChange { set, applies_from, version }));
    }
    let (kind, id): (&str, &str) = (row.try_get("kind")?, row.try_get("id")?);
    let entity = Entity::new(kind, id).ok_or_else(|| impossible(format!("a listed `{kind}`")))?;
    let removed: bool = row.try_get("removed")?;
    let entry = ListEntry {
        valid_from: instant(row, "valid_from")?,
        expires_at: instant(row, "expires_at")?,
        reason: row.try_get("reason")?,
    };
    Ok(ControlChange::List(ListChange { entity, applies_from, entry: (!removed).then_some(entry) }))
}

fn instant(row: &Row, column: &str) -> Result<Option<i64>, PostgresError> {
    Ok(row.try_get::<_, Option<Instant>>(column)?.map(|Instant(micros)| micros))
}
