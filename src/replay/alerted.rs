//! What the live set and a candidate alert, transaction by transaction.

use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use streamflow_dataflow::alerts::Alert;
use streamflow_dataflow::score::{Amended, Settled, ShadowAlert, ShownHit, Verdict};
use streamflow_model::{Currency, Id, Score, Transaction};

/// Which transactions are looked at.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Those from this event time on, microseconds since 1970.
    pub since: i64,
    /// Ids of those that are known to be fraud.
    pub fraud: HashSet<Id>,
}

/// The current transactions that at least one of the two sets alerts, and how many there are in all.
#[derive(Debug)]
pub struct Alerted {
    scope: Scope,
    /// Current transactions, without voided ones.
    pub transactions: u64,
    /// Those of them that are known to be fraud.
    pub fraud: u64,
    /// By id.
    pub rows: BTreeMap<Id, AlertedRow>,
    /// The categories of stores, where they are known.
    pub categories: HashMap<Id, String>,
}

/// A transaction that at least one of the two sets alerts.
#[derive(Clone, Debug)]
pub struct AlertedRow {
    pub customer: Id,
    pub store: Id,
    /// In cents.
    pub amount: i64,
    pub currency: Currency,
    /// Microseconds since 1970.
    pub event_time: i64,
    pub is_fraud: bool,
    pub live: Option<Side>,
    pub candidate: Option<Side>,
}

/// The alert of one of the two sets.
#[derive(Clone, Debug)]
pub struct Side {
    pub score: Score,
    /// By rule id.
    pub hits: Vec<ShownHit>,
    /// By rule id; null where both sets say the same, and where only what is shown was kept.
    pub evidence: Value,
}

impl Side {
    /// Whether both are shown alike.
    pub fn is_like(&self, other: &Self) -> bool {
        self.score.shown() == other.score.shown() && self.hits == other.hits
    }
}

impl Alerted {
    /// Nothing yet.
    pub fn new(scope: Scope) -> Self {
        let (rows, categories) = (BTreeMap::new(), HashMap::new());
        Self { scope, transactions: 0, fraud: 0, rows, categories }
    }

    /// A transaction is final.
    pub(super) fn settle(&mut self, settled: &Settled) {
        let Settled { transaction, verdict, .. } = settled;
        let candidate = verdict.shadows.first().map(|ShadowAlert { score, hits, .. }| {
            let alone = Verdict { score: *score, alert: true, hits: hits.clone(), shadows: Vec::new() };
            side(transaction, &alone)
        });
        self.add(transaction, verdict, candidate.flatten());
    }

    /// An amendment has made this version current.
    pub(super) fn assert(&mut self, amended: &Amended, verdict: &Verdict) {
        let shown = amended.scored.verdict.shadows.first();
        let candidate = shown.map(|shadow| Side {
            score: shadow.score,
            hits: shadow.hits.clone(),
            evidence: Value::Null,
        });
        self.add(&amended.scored.transaction, verdict, candidate);
    }

    /// An amendment has replaced this version.
    pub(super) fn retract(&mut self, transaction: &Transaction) {
        if self.concerns(transaction) {
            self.transactions -= 1;
            self.fraud -= u64::from(self.scope.fraud.contains(&transaction.id));
            self.rows.remove(&transaction.id);
        }
    }

    fn concerns(&self, transaction: &Transaction) -> bool {
        !transaction.voided && transaction.event_time >= self.scope.since
    }

    fn add(&mut self, transaction: &Transaction, live: &Verdict, mut candidate: Option<Side>) {
        if !self.concerns(transaction) {
            return;
        }
        let is_fraud = self.scope.fraud.contains(&transaction.id);
        self.transactions += 1;
        self.fraud += u64::from(is_fraud);
        let mut live = side(transaction, live);
        if let (Some(live), Some(candidate)) = (&mut live, &mut candidate)
            && live.is_like(candidate)
        {
            (live.evidence, candidate.evidence) = (Value::Null, Value::Null);
        }
        if live.is_some() || candidate.is_some() {
            let row = AlertedRow {
                customer: transaction.customer.clone(),
                store: transaction.store.clone(),
                amount: transaction.amount.0,
                currency: transaction.currency,
                event_time: transaction.event_time,
                is_fraud,
                live,
                candidate,
            };
            self.rows.insert(transaction.id.clone(), row);
        }
    }
}

/// The alert that a verdict makes, if it is one.
fn side(transaction: &Transaction, verdict: &Verdict) -> Option<Side> {
    let alert = Alert::from_verdict(transaction, verdict)?;
    Some(Side {
        score: alert.score.shown(),
        hits: alert.hits.iter().map(ShownHit::from).collect(),
        evidence: alert.rule_details(),
    })
}
