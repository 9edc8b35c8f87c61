//! Events and alerts, as they are committed.

use super::samples::{Metric, Samples};
use super::{Family, Observed};
use streamflow_dataflow::model::{Account, BooksEntry, Cause, ChangeKind, Reason, Rule};
use streamflow_dataflow::reference::Role;

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

pub const FAMILY: Family = Family { metrics: &[&READ, &EVENTS, &ALERTS, &RULES], read };

const ACCEPTED: [Account; 5] =
    [Account::New, Account::Correcting, Account::Voiding, Account::Duplicate, Account::Superseded];

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
    let totals = observed.status.totals();
    for (topic, (name, role)) in (0..).zip(&observed.limits.topics) {
        let events = |entry: BooksEntry| totals.books.get(&entry).copied().unwrap_or(0) as f64;
        samples.add(&READ, &[name], events(BooksEntry::Read { topic }));
        for account in accounts(*role) {
            let (outcome, reason) = labels(account);
            samples.add(&EVENTS, &[name, outcome, reason], events(BooksEntry::Ended { topic, account }));
        }
    }
    for change in CHANGES {
        for cause in CAUSES {
            let count = totals.alerts.get(&(change, cause)).copied().unwrap_or(0);
            samples.count(&ALERTS, &[change.as_str(), cause.as_str()], count);
        }
        for rule in Rule::ALL {
            let count = totals.rules.get(&(rule, change)).copied().unwrap_or(0);
            samples.count(&RULES, &[rule.id(), change.as_str()], count);
        }
    }
}

/// Where events of a topic can end.
fn accounts(role: Role) -> Vec<Account> {
    let accepted: &[Account] = match role {
        Role::Transactions => &ACCEPTED,
        _ => &[Account::Reference],
    };
    accepted.iter().copied().chain(Reason::ALL.map(Account::DeadLetter)).collect()
}

/// The outcome, and the reason for it.
fn labels(account: Account) -> (&'static str, &'static str) {
    let outcome = match account {
        Account::New | Account::Correcting | Account::Voiding | Account::Reference => "accepted",
        Account::Duplicate | Account::Superseded => "ignored",
        Account::DeadLetter(_) => "dead_letter",
    };
    (outcome, account.as_str())
}
