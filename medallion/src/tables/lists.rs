//! `silver.blacklist` and `gold.rule_versions`: versions, appended.

use crate::changes::{At, Changes};
use crate::encoding::{Fields, micros};
use crate::output::Output;
use streamflow_connectors::postgres::{CopyRows, PostgresError};
use streamflow_dataflow::alerts::{AlertChange, Cause, ChangeKind};
use streamflow_dataflow::rules::{RulesChange, SetName, document};
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
    let mut ordered: Vec<&At<RulesChange>> = changes.rules.iter().collect();
    ordered.sort_by_key(|change| (change.time, change.value.is_put()));
    let mut rows = CopyRows::new(7);
    for (place, change) in ordered.iter().enumerate() {
        let RulesChange { set, applies_from, version } = &change.value;
        let is_live = |change: &At<RulesChange>| change.value.set == SetName::Live;
        let mut later =
            ordered[place + 1..].iter().filter(|later| is_live(later) && later.time == change.time);
        let is_last = is_live(change) && later.next().is_none();
        rows.begin();
        rows.text(set.as_str());
        rows.instant(*applies_from);
        rows.text(&document::write(version, None).to_string());
        rows.instant(micros(change.time));
        for kind in [ChangeKind::Raised, ChangeKind::Revised, ChangeKind::Withdrawn] {
            rows.int8(if is_last { caused(changes, change.time, kind) } else { 0 });
        }
    }
    output.copy(
        "gold.rule_versions",
        "COPY gold.rule_versions (rule_set, applies_from, rules, ingested_at, alerts_raised, alerts_revised, \
         alerts_withdrawn) FROM STDIN (FORMAT binary)",
        &rows,
    )
}

/// Changes of a kind that the rules caused in an epoch.
fn caused(changes: &Changes, time: u64, kind: ChangeKind) -> i64 {
    let by_rules = |change: &&At<AlertChange>| {
        change.time == time && change.value.cause == Cause::RuleChange && change.value.kind == kind
    };
    changes.alerts.iter().filter(by_rules).count() as i64
}
