//! Recomputes the views from bronze with the oracle.

use super::events::Received;
use super::rules::for_oracle;
use crate::error::{VerificationError, unreadable};
use crate::snapshot::{Snapshot, instant_or_null, narrow, text};
use chrono_tz::Tz;
use serde_json::json;
use std::collections::BTreeSet;
use streamflow_dataflow::rules::{RuleSet, document};
use streamflow_medallion::{Progress, Topics};
use streamflow_model::timestamp::Rfc3339;
use streamflow_oracle::{Expected, Oracle, OracleSettings, RawEvent, RulesVersion, TopicRole};

/// More than any event can be late, microseconds, so that every accepted event is accepted again.
const FOREVER: i64 = 1 << 61;

/// The expected rows of every view, from the received events and the versions of the list and the rules.
pub(super) fn recompute(
    snapshot: &mut Snapshot<'_>,
    topics: &Topics,
    received: &[Received],
    progress: &Progress,
    rules: &RuleSet,
) -> Result<Expected, VerificationError> {
    let mut events = list_versions(snapshot, blacklist(topics))?;
    events.extend(received.iter().map(|received| received.event.clone()));
    let mut roles = vec![TopicRole::Transactions; topics.names().len()];
    roles.push(TopicRole::Blacklist);
    let zone = progress.time_zone.as_deref().unwrap_or("UTC");
    let zone: Tz = zone
        .parse()
        .map_err(|error| unreadable("streamflow.progress", &format!("time zone {zone}: {error}")))?;
    let oracle = Oracle::new(OracleSettings {
        topics: roles,
        horizon: FOREVER,
        retention: FOREVER,
        correction_retention: FOREVER,
        later: None,
        future_allowance: i64::MAX,
        file_now: i64::MAX,
        zone,
        rules: for_oracle(rules),
    });
    Ok(oracle.recompute(&events, &rules_versions(snapshot)?, &[], &BTreeSet::new()))
}

/// The index of the list entries: behind the topics of transactions.
fn blacklist(topics: &Topics) -> u16 {
    topics.names().len() as u16
}

/// The versions of the list as records, whose times make them apply from the same event times. They were in as
/// many partitions as it takes for the times of each never to decrease.
fn list_versions(snapshot: &mut Snapshot<'_>, topic: u16) -> Result<Vec<RawEvent>, VerificationError> {
    let sql = "SELECT version, entity_kind, entity_id, \
             CASE WHEN isfinite(applies_from) THEN applies_from END, valid_from, expires_at, reason, removed \
         FROM silver.blacklist ORDER BY version";
    let mut newest: Vec<Option<i64>> = Vec::new();
    snapshot.rows(sql, &[], |row| {
        let (kind, id) = (text(row, 1)?, text(row, 2)?);
        let time = |column: usize| -> Result<Option<String>, VerificationError> {
            Ok(instant_or_null(row, column)?.map(|at| Rfc3339(at).to_string()))
        };
        let entry = json!({
            "entity": kind, "id": id, "valid_from": time(4)?, "expires_at": time(5)?,
            "reason": row.try_get::<_, Option<&str>>(6)?,
        });
        let removed: bool = row.try_get(7)?;
        let appended_at = instant_or_null(row, 3)?.map(|from| from.saturating_add(FOREVER));
        let partition = newest.iter().position(|newest| *newest <= appended_at).unwrap_or(newest.len());
        newest.resize(newest.len().max(partition + 1), None);
        newest[partition] = appended_at;
        let version = narrow(row, 0, "silver.blacklist")?;
        Ok(RawEvent {
            final_before: None,
            topic,
            partition: partition as u16,
            offset: version,
            epoch: version,
            appended_at,
            key: Some(format!("{kind}:{id}").into_bytes()),
            payload: (!removed).then(|| entry.to_string().into_bytes()),
        })
    })
}

fn rules_versions(snapshot: &mut Snapshot<'_>) -> Result<Vec<RulesVersion>, VerificationError> {
    let sql = "SELECT CASE WHEN isfinite(applies_from) THEN applies_from END, rules::text, nullif(rule_set, 'live') \
         FROM gold.rule_versions ORDER BY version";
    snapshot.rows(sql, &[], |row| {
        let version = document::parse(row.try_get::<_, &str>(1)?.as_bytes())
            .map_err(|problem| unreadable("gold.rule_versions", &problem))?;
        Ok(RulesVersion {
            shadow: row.try_get(2)?,
            epoch: 0,
            applies_from: instant_or_null(row, 0)?.unwrap_or(i64::MIN),
            rules: for_oracle(&version.rules),
        })
    })
}
