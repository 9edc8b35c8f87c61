//! Events and alerts, as they are committed.

use super::samples::{Metric, Samples};
use super::{Family, Observed};
use crate::observe::books;
use std::collections::BTreeSet;
use streamflow_dataflow::alerts::{Cause, ChangeKind};
use streamflow_dataflow::rules::Rules;
use streamflow_model::RuleId;

const READ: Metric = Metric::counter(
    "streamflow_events_read_total",
    &["topic"],
    "Events read, committed with where they ended, since the database was begun.",
);
const EVENTS: Metric = Metric::counter(
    "streamflow_events_total",
    &["topic", "outcome", "reason"],
    "Events by where they ended, committed, since the database was begun: the books.",
);
const PENDING: Metric = Metric::gauge(
    "streamflow_pending_events",
    &["topic"],
    "Events committed that wait to be decided: corrections and voids of transactions that memory does not hold.",
);
const ALERTS: Metric = Metric::counter(
    "streamflow_alert_changes_total",
    &["change", "cause"],
    "Changes of alerts committed since the start.",
);
const RULES: Metric = Metric::counter(
    "streamflow_alert_rule_changes_total",
    &["rule", "change"],
    "Changes of alerts committed since the start, once for each rule that the alert has.",
);

pub const FAMILY: Family = Family { metrics: &[&READ, &EVENTS, &PENDING, &ALERTS, &RULES], read };

const CHANGES: [ChangeKind; 3] = [ChangeKind::Raised, ChangeKind::Revised, ChangeKind::Withdrawn];

const CAUSES: [Cause; 6] = [
    Cause::Transaction,
    Cause::LateEvent,
    Cause::Correction,
    Cause::Void,
    Cause::ListChange,
    Cause::RuleChange,
];

fn read(observed: &Observed, samples: &mut Samples) {
    if !observed.status.commits() {
        return;
    }
    let totals = observed.status.totals();
    for book in books::look(observed, &totals) {
        samples.add(&READ, &[&book.topic], book.read as f64);
        samples.add(&PENDING, &[&book.topic], book.pending as f64);
        for ended in &book.ended {
            samples.add(&EVENTS, &[&book.topic, ended.outcome, ended.account], ended.events as f64);
        }
    }
    for change in CHANGES {
        for cause in CAUSES {
            let count = totals.alerts.get(&(change, cause)).copied().unwrap_or(0);
            samples.count(&ALERTS, &[change.as_str(), cause.as_str()], count);
        }
        let seen = totals.rules.keys().map(|(rule, _)| *rule);
        let rules: BTreeSet<RuleId> = Rules::IDS.into_iter().chain(seen).collect();
        for rule in rules {
            let count = totals.rules.get(&(rule, change)).copied().unwrap_or(0);
            samples.count(&RULES, &[rule.as_str(), change.as_str()], count);
        }
    }
}
