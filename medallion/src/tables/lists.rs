//! `silver.blacklist` and `gold.rule_versions`: versions, appended.

use crate::changes::Changes;
use crate::encoding::{Fields, micros};
use crate::output::Output;
use streamflow_connectors::postgres::{CopyRows, PostgresError};
use streamflow_dataflow::rules::{RulesChange, document};
use streamflow_model::ListChange;

/// Appends the versions in order.
pub(crate) fn write(output: &mut Output<'_, '_>, changes: &Changes) -> Result<(), PostgresError> {
    write_list(output, changes)?;
    write_rules(output, changes)
}

fn write_list(output: &mut Output<'_, '_>, changes: &Changes) -> Result<(), PostgresError> {
    let mut rows = CopyRows::new(8);
    for change in &changes.list {
        let ListChange { entity, applies_from, entry } = &change.value;
        let entry = entry.as_ref();
        rows.begin();
        rows.text(entity.kind());
        rows.text(entity.id());
        rows.instant(*applies_from);
        rows.nullable(entry.and_then(|entry| entry.valid_from), Fields::instant);
        rows.nullable(entry.and_then(|entry| entry.expires_at), Fields::instant);
        rows.text_or_null(entry.and_then(|entry| entry.reason.as_ref()));
        rows.boolean(entry.is_none());
        rows.instant(micros(change.time));
    }
    output.copy(
        "silver.blacklist",
        "COPY silver.blacklist (entity_kind, entity_id, applies_from, valid_from, expires_at, reason, removed, \
         ingested_at) FROM STDIN (FORMAT binary)",
        &rows,
    )
}

fn write_rules(output: &mut Output<'_, '_>, changes: &Changes) -> Result<(), PostgresError> {
    let mut rows = CopyRows::new(3);
    for change in &changes.rules {
        let RulesChange { applies_from, version } = &change.value;
        rows.begin();
        rows.instant(*applies_from);
        rows.text(&document::write(version, None).to_string());
        rows.instant(micros(change.time));
    }
    output.copy(
        "gold.rule_versions",
        "COPY gold.rule_versions (applies_from, rules, ingested_at) FROM STDIN (FORMAT binary)",
        &rows,
    )
}
