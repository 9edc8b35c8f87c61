//! What two sets of rules say of the same history, counted.

use crate::replay::{Alerted, AlertedRow, Side};
use serde::Serialize;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use streamflow_model::timestamp::{Rfc3339, civil_from_days};
use streamflow_model::{Calendar, Cents, Id};

/// The whole comparison.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What was compared.
    pub subject: Subject,
    /// The stretch of event time.
    pub period: Period,
    /// Current transactions in it.
    pub transactions: u64,
    /// Over all of it.
    pub total: Counts,
    /// Of that, what activation would change now; none where that is not known, as of files.
    pub on_activation: Option<Counts>,
    /// Amounts, by currency.
    pub money: BTreeMap<String, Money>,
    pub by_rule: BTreeMap<String, Counts>,
    /// By local day, `YYYY-MM-DD`.
    pub by_day: BTreeMap<String, Counts>,
    /// By category of the store; `unknown` where that is not told.
    pub by_category: BTreeMap<String, Counts>,
    /// Where labels are given.
    pub labels: Option<Labels>,
    pub examples: Examples,
}

/// The two sets.
#[derive(Clone, Debug, Serialize)]
pub struct Subject {
    pub live: String,
    pub candidate: String,
}

/// A stretch of event time.
#[derive(Clone, Debug, Serialize)]
pub struct Period {
    /// Microseconds since 1970; `i64::MIN` for all.
    #[serde(serialize_with = "instant")]
    pub since: i64,
    /// From here on a version that is put now would apply, microseconds since 1970; `None` where that is not known.
    #[serde(serialize_with = "known_instant")]
    pub applies_from: Option<i64>,
}

fn instant<S: serde::Serializer>(at: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    known_instant(&Some(*at).filter(|at| *at > i64::MIN), serializer)
}

fn known_instant<S: serde::Serializer>(at: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| Rfc3339(at).to_string()).serialize(serializer)
}

/// Alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Of the live set.
    pub live: u64,
    /// Of the candidate.
    pub candidate: u64,
    /// Only of the candidate.
    pub gained: u64,
    /// Only of the live set.
    pub lost: u64,
    /// Of both, with another score or other rules.
    pub moved: u64,
}

impl Counts {
    fn add(&mut self, live: bool, candidate: bool, change: Option<Change>) {
        self.live += u64::from(live);
        self.candidate += u64::from(candidate);
        match change {
            Some(Change::Gained) => self.gained += 1,
            Some(Change::Lost) => self.lost += 1,
            Some(Change::Moved) => self.moved += 1,
            None => {}
        }
    }
}

/// Sums of amounts.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Money {
    #[serde(serialize_with = "cents")]
    pub gained: i128,
    #[serde(serialize_with = "cents")]
    pub lost: i128,
    #[serde(serialize_with = "cents")]
    pub moved: i128,
}

fn cents<S: serde::Serializer>(sum: &i128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&amount(*sum))
}

/// Cents as a decimal.
pub(super) fn amount(cents: i128) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// How the sets do against labels.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Labels {
    /// Transactions that are known to be fraud.
    pub fraud: u64,
    pub live: Accuracy,
    pub candidate: Accuracy,
}

/// How one set does.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Accuracy {
    /// Alerts that are fraud.
    pub right: u64,
    /// Of all alerts; none without any.
    pub precision: Option<f64>,
    /// Of all fraud; none without any.
    pub recall: Option<f64>,
}

impl Accuracy {
    fn of(right: u64, alerts: u64, fraud: u64) -> Self {
        let share = |of: u64| (of > 0).then(|| (right as f64 / of as f64 * 10_000.0).round() / 10_000.0);
        Self { right, precision: share(alerts), recall: share(fraud) }
    }
}

/// Some of each kind: of all, those with the highest scores.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Examples {
    pub gained: Vec<Example>,
    pub lost: Vec<Example>,
    pub moved: Vec<Example>,
}

/// A transaction on which the two sets differ.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    pub transaction_id: String,
    pub customer_id: String,
    pub store_id: String,
    pub amount: String,
    pub currency: String,
    pub timestamp: String,
    /// Whether it is known to be fraud.
    pub is_fraud: bool,
    pub live: Option<Said>,
    pub candidate: Option<Said>,
}

/// What a set says of a transaction.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    pub fraud_score: String,
    pub rules: Vec<String>,
    /// By rule; null for an amended transaction, of which only the scores are kept.
    pub evidence: Value,
}

/// Most examples of a kind.
const EXAMPLES: usize = 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Gained,
    Lost,
    Moved,
}

fn change(row: &AlertedRow) -> Option<Change> {
    match (&row.live, &row.candidate) {
        (None, Some(_)) => Some(Change::Gained),
        (Some(_), None) => Some(Change::Lost),
        (Some(live), Some(candidate)) if !live.is_like(candidate) => Some(Change::Moved),
        _ => None,
    }
}

impl Report {
    /// Counts what was seen.
    pub fn new(
        subject: Subject,
        period: Period,
        calendar: &Calendar,
        has_labels: bool,
        alerted: &Alerted,
    ) -> Self {
        let mut report = Self {
            subject,
            transactions: alerted.transactions,
            total: Counts::default(),
            on_activation: period.applies_from.map(|_| Counts::default()),
            period,
            money: BTreeMap::new(),
            by_rule: BTreeMap::new(),
            by_day: BTreeMap::new(),
            by_category: BTreeMap::new(),
            labels: None,
            examples: Examples::default(),
        };
        for row in alerted.rows.values() {
            report.count(row, calendar, alerted);
        }
        report.labels = has_labels.then(|| labels(alerted, &report.total));
        report.examples = Examples {
            gained: examples(alerted, Change::Gained),
            lost: examples(alerted, Change::Lost),
            moved: examples(alerted, Change::Moved),
        };
        report
    }

    fn count(&mut self, row: &AlertedRow, calendar: &Calendar, alerted: &Alerted) {
        let change = change(row);
        let add = |counts: &mut Counts| counts.add(row.live.is_some(), row.candidate.is_some(), change);
        add(&mut self.total);
        if let (Some(counts), Some(from)) = (&mut self.on_activation, self.period.applies_from)
            && row.event_time >= from
        {
            add(counts);
        }
        add(self.by_day.entry(date(calendar.day(row.event_time))).or_default());
        let category = alerted.categories.get(&row.store).map_or("unknown", |category| category.as_str());
        add(self.by_category.entry(category.to_owned()).or_default());
        let rules = |side: &Option<Side>| -> BTreeSet<_> {
            side.iter().flat_map(|side| side.hits.iter().map(|hit| hit.rule)).collect()
        };
        let (live, candidate) = (rules(&row.live), rules(&row.candidate));
        for rule in live.union(&candidate) {
            let counts = self.by_rule.entry(rule.to_string()).or_default();
            counts.add(live.contains(rule), candidate.contains(rule), change);
        }
        let money = self.money.entry(row.currency.to_string()).or_default();
        match change {
            Some(Change::Gained) => money.gained += i128::from(row.amount),
            Some(Change::Lost) => money.lost += i128::from(row.amount),
            Some(Change::Moved) => money.moved += i128::from(row.amount),
            None => {}
        }
    }
}

/// `YYYY-MM-DD` of a day since 1970.
fn date(day: i32) -> String {
    let (year, month, of_month) = civil_from_days(i64::from(day));
    format!("{year:04}-{month:02}-{of_month:02}")
}

fn labels(alerted: &Alerted, total: &Counts) -> Labels {
    let right = |of: fn(&AlertedRow) -> bool| {
        alerted.rows.values().filter(|row| row.is_fraud && of(row)).count() as u64
    };
    Labels {
        fraud: alerted.fraud,
        live: Accuracy::of(right(|row| row.live.is_some()), total.live, alerted.fraud),
        candidate: Accuracy::of(right(|row| row.candidate.is_some()), total.candidate, alerted.fraud),
    }
}

/// Those of a kind with the highest scores, the first id of several.
fn examples(alerted: &Alerted, kind: Change) -> Vec<Example> {
    let mut rows: Vec<(&Id, &AlertedRow)> =
        alerted.rows.iter().filter(|(_, row)| change(row) == Some(kind)).collect();
    let score = |row: &AlertedRow| row.live.iter().chain(&row.candidate).map(|side| side.score).max();
    rows.sort_by_key(|(_, row)| Reverse(score(row)));
    rows.truncate(EXAMPLES);
    rows.into_iter().map(|(id, row)| example(id, row)).collect()
}

fn example(id: &Id, row: &AlertedRow) -> Example {
    let said = |side: &Side| Said {
        fraud_score: side.score.to_string(),
        rules: side.hits.iter().map(|hit| hit.rule.to_string()).collect(),
        evidence: side.evidence.clone(),
    };
    Example {
        transaction_id: id.to_string(),
        customer_id: row.customer.to_string(),
        store_id: row.store.to_string(),
        amount: Cents(row.amount).to_string(),
        currency: row.currency.to_string(),
        timestamp: Rfc3339(row.event_time).to_string(),
        is_fraud: row.is_fraud,
        live: row.live.as_ref().map(said),
        candidate: row.candidate.as_ref().map(said),
    }
}
