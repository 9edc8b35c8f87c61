//! What differs between the graph's tables and the oracle's, at every closed frontier.

use crate::case::{Case, graph_rules};
use crate::run::Observed;
use crate::tables::{Tables, alerted_row, bare};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::rules::{RulesChange, SetName, Version};
use streamflow_dataflow::score::{Alerted, Scored, Settled};
use streamflow_oracle::{AlertRow, Expected, TransactionRow};

/// Findings, the first few of which are kept.
#[derive(Default)]
pub(crate) struct Differences {
    frontier: u64,
    pub found: Vec<String>,
}

impl Differences {
    pub(crate) fn note(&mut self, view: &str, what: impl std::fmt::Display) {
        if self.found.len() < 12 {
            self.found.push(format!("before epoch {}: {view}: {what}", self.frontier));
        }
    }

    fn equal<T: PartialEq + Debug>(&mut self, view: &str, graph: &[T], oracle: &[T]) {
        for row in graph.iter().filter(|row| !oracle.contains(row)) {
            self.note(view, format!("only the graph has {row:?}"));
        }
        for row in oracle.iter().filter(|row| !graph.contains(row)) {
            self.note(view, format!("only the oracle has {row:?}"));
        }
        if graph.len() != oracle.len() {
            self.note(view, format!("{} rows, the oracle has {}", graph.len(), oracle.len()));
        }
    }

    fn table<K: Ord + Debug, V: PartialEq + Debug>(
        &mut self,
        view: &str,
        graph: &BTreeMap<K, V>,
        oracle: &BTreeMap<K, V>,
    ) {
        for (key, row) in graph.iter().filter(|(key, row)| oracle.get(key) != Some(row)) {
            self.note(view, format!("{key:?} is {row:?}, the oracle has {:?}", oracle.get(key)));
        }
        for (key, row) in oracle.iter().filter(|(key, _)| !graph.contains_key(key)) {
            self.note(view, format!("{key:?} is missing, the oracle has {row:?}"));
        }
    }
}

/// Compares every view at every closed frontier, and at the end what has settled with what is there.
pub(crate) fn differences(case: &Case, observed: Observed) -> Vec<String> {
    let mut wrong = Differences::default();
    let mut tables = Tables::default();
    let frontiers = frontiers(case, &observed.changes);
    let mut changes = observed.changes.into_iter().peekable();
    for frontier in frontiers {
        wrong.frontier = frontier;
        while let Some((_, change)) = changes.next_if(|(time, _)| *time < frontier) {
            tables.apply(change, &mut wrong);
        }
        let expected = case.recompute_without(frontier, &tables.pending);
        if has_twins(&expected) {
            return Vec::new();
        }
        compare(&mut tables, &expected, &mut wrong);
        passed_through(case, frontier, &tables, &expected, &mut wrong);
        if !wrong.found.is_empty() {
            return wrong.found;
        }
    }
    if let Some((time, change)) = changes.next() {
        wrong.note("frontiers", format_args!("a change after the last epoch, in {time}: {change:?}"));
    }
    // Transactions that an amendment has made to settle before their time settle once more after a restart, and with
    // another horizon others do, or have settled by then.
    let amended = observed.resumed && !observed.amended.is_empty();
    if !amended && case.restart.as_ref().is_none_or(|restart| restart.horizon == case.horizon) {
        settled(&tables, &observed.settled, &observed.amended, &mut wrong);
    }
    let current = once_only(&tables, current_alerts(&observed.alerts));
    wrong.equal("alert collection", &current, &once_only(&tables, tables.standing_alerts()));
    wrong.found
}

/// The alerts of ids that name one transaction: the changes of several are told apart by guessing.
fn once_only(tables: &Tables, mut alerts: Vec<AlertRow>) -> Vec<AlertRow> {
    alerts.retain(|alert| {
        let states = tables.alerts.get(&format!("alert-{}", alert.transaction_id));
        states.is_none_or(|states| states.len() == 1)
    });
    alerts
}

/// What the differences of the collection of alerts add up to.
fn current_alerts(differences: &[(u64, (Alerted, u64, isize))]) -> Vec<AlertRow> {
    let times = |count| usize::try_from(count).expect("no more alerts are retracted than there were");
    let mut sums: BTreeMap<&Alerted, isize> = BTreeMap::new();
    for (_, (alerted, _, diff)) in differences {
        *sums.entry(alerted).or_default() += diff;
    }
    let current = sums.into_iter().filter(|(_, count)| *count != 0);
    let mut rows: Vec<AlertRow> =
        current.flat_map(|(alerted, count)| vec![alerted_row(alerted); times(count)]).collect();
    rows.sort_by(|a, b| a.transaction_id.cmp(&b.transaction_id));
    rows
}

/// Whether one id names two transactions of one customer at one event time: where it was forgotten and its
/// producer breaks the rule. Nothing orders these two, so from there on there is no one right answer.
fn has_twins(expected: &Expected) -> bool {
    let key = |row: &TransactionRow| (row.transaction_id.clone(), row.customer_id.clone(), row.event_time);
    let keys: BTreeSet<_> = expected.transactions.iter().map(key).collect();
    keys.len() < expected.transactions.len()
}

/// The epoch after each one that has any input, or in which an answer is taken.
fn frontiers(case: &Case, changes: &[(u64, ViewChange)]) -> Vec<u64> {
    let events = case.events.iter().map(|event| event.epoch);
    let rules = case.rules_versions.iter().map(|version| version.epoch);
    let partition_times = case.partition_times.iter().map(|sent| sent.epoch);
    let answers = changes.iter().filter(|(_, change)| matches!(change, ViewChange::Pending((_, None))));
    let epochs = events.chain(rules).chain(partition_times).chain(answers.map(|(epoch, _)| *epoch));
    let mut frontiers: Vec<u64> = epochs.map(|epoch| epoch + 1).collect();
    frontiers.sort_unstable();
    frontiers.dedup();
    frontiers
}

fn compare(tables: &mut Tables, expected: &Expected, wrong: &mut Differences) {
    let transactions = tables.transactions(wrong);
    wrong.equal("transactions", &transactions, &expected.transactions);
    wrong.equal("shadow alerts", &tables.shadow_alerts(), &expected.shadow_alerts);
    let standing: Vec<AlertRow> = expected.alerts.iter().map(bare).collect();
    wrong.equal("alerts", &tables.alert_rows(), &standing);
    let changed = once_only(tables, tables.standing_alerts());
    wrong.equal("alert changes", &changed, &once_only(tables, standing));
    evidence(&tables.alerts_with_evidence(), &expected.alerts, wrong);
    for (id, states) in &tables.alerts {
        let known = |id: &str| format!("alert-{id}");
        let incarnations = transactions.iter().filter(|row| known(&row.transaction_id) == *id).count();
        if states.len() > incarnations {
            wrong.note("alert changes", format_args!("{id}: numbered anew"));
        }
    }
    tables.name_top_rules();
    let views = &tables.views;
    wrong.table("bronze", &views.received, &expected.received);
    wrong.table("dead letters", &views.dead_letters, &expected.dead_letters);
    wrong.table("books", &views.books, &expected.books);
    wrong.table("quality", &views.quality, &expected.quality);
    wrong.table("profiles", &views.profiles, &expected.profiles);
    wrong.table("hourly sales", &views.hourly, &expected.hourly);
    wrong.table("store days", &views.store_days, &expected.store_days);
    wrong.table("payments", &views.payments, &expected.payments);
    wrong.table("daily fraud", &views.daily_fraud, &expected.daily_fraud);
    wrong.table("rule performance", &views.rule_performance, &expected.rule_performance);
    wrong.table("minutes", &views.minutes, &expected.minutes);
    wrong.table("store minutes", &views.store_minutes, &expected.store_minutes);
    wrong.table("customers", &views.customers, &expected.customers);
    wrong.table("stores", &views.stores, &expected.stores);
    wrong.table("products", &views.products, &expected.products);
    wrong.equal("list versions", &views.list_versions, &expected.list_versions);
    wrong.table("progress", &views.progress, &expected.progress);
    balance(&views.books, wrong);
}

/// Read = the sum of all other accounts, by topic.
fn balance(books: &BTreeMap<(u16, String), i64>, wrong: &mut Differences) {
    let mut open: BTreeMap<u16, i64> = BTreeMap::new();
    for ((topic, account), count) in books {
        *open.entry(*topic).or_default() += if account == "read" { *count } else { -count };
    }
    for (topic, rest) in open.into_iter().filter(|(_, rest)| *rest != 0) {
        wrong.note("books", format_args!("topic {topic} is out of balance by {rest}"));
    }
}

/// Compares what the graph passes on unchanged: changes of the rules, and the watermark.
fn passed_through(case: &Case, frontier: u64, tables: &Tables, expected: &Expected, wrong: &mut Differences) {
    let rules: Vec<RulesChange> = case.rules_before(frontier).iter().map(rules_change).collect();
    wrong.equal("rules", &tables.rules_changes, &rules);
    let watermark = Some(case.watermark(frontier, expected)).filter(|time| *time != i64::MIN);
    if tables.watermark != watermark {
        wrong.note("watermark", format_args!("{:?}, must be {watermark:?}", tables.watermark));
    }
}

/// A version in the graph's terms.
pub(crate) fn rules_change(version: &streamflow_oracle::RulesVersion) -> RulesChange {
    let shadow = |name: &String| SetName::from_column(name).unwrap();
    RulesChange {
        set: version.shadow.as_ref().map_or(SetName::Live, shadow),
        applies_from: version.applies_from,
        version: Version::configured(graph_rules(&version.rules)),
    }
}

/// Compares the evidence of alerts with that of the oracle.
fn evidence(alerts: &[AlertRow], oracle: &[AlertRow], wrong: &mut Differences) {
    for row in alerts {
        let agrees = |other: &AlertRow| {
            (&other.transaction_id, &other.customer_id) == (&row.transaction_id, &row.customer_id)
                && alike("", &row.details, &other.details)
        };
        if !oracle.iter().any(agrees) {
            wrong.note("alerts", format_args!("no evidence like {row:?} in {oracle:?}"));
        }
    }
}

/// Evidence agrees where texts, counts and scores are equal and measured numbers differ by a unit of their
/// last digit at most.
fn alike(name: &str, graph: &Value, oracle: &Value) -> bool {
    let slack = match name {
        "km" | "z" => 0.001_001,
        "minutes" | "mean" | "std" => 0.010_01,
        _ => 0.0,
    };
    match (graph, oracle) {
        (Value::Object(graph), Value::Object(oracle)) => {
            graph.len() == oracle.len()
                && graph
                    .iter()
                    .all(|(name, value)| oracle.get(name).is_some_and(|other| alike(name, value, other)))
        }
        (Value::Number(graph), Value::Number(oracle)) => {
            let difference =
                graph.as_f64().zip(oracle.as_f64()).map(|(graph, oracle)| (graph - oracle).abs());
            difference.is_some_and(|difference| difference <= slack)
        }
        _ => graph == oracle,
    }
}

/// With every partition at its end each transaction has settled once, and with the amendments it is as it finally is.
fn settled(
    tables: &Tables,
    settled: &[(u64, Settled)],
    amended: &[(u64, (Scored, isize))],
    wrong: &mut Differences,
) {
    let mut counts: BTreeMap<_, isize> = BTreeMap::new();
    for (_, row) in settled {
        *counts.entry((&row.transaction, row.verdict.shown())).or_default() += 1;
    }
    for (_, (row, diff)) in amended {
        *counts.entry((&*row.transaction, row.verdict.clone())).or_default() += diff;
    }
    let counts = counts.into_iter().filter(|(_, count)| *count != 0);
    let rows: Vec<_> = counts.flat_map(|(row, count)| vec![row; count.unsigned_abs()]).collect();
    let kept: Vec<_> = tables.scored.keys().map(|row| (&*row.transaction, row.verdict.clone())).collect();
    wrong.equal("settled", &rows, &kept);
}

/// Every change of every alert, in order.
pub(crate) fn alert_log(observed: &Observed) -> BTreeMap<String, Vec<String>> {
    let mut log: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, change) in &observed.changes {
        if let ViewChange::AlertChange(change) = change {
            log.entry(change.alert.id()).or_default().push(format!("{change:?}"));
        }
    }
    log
}
