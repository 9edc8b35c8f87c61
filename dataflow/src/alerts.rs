//! Alerts and their changes.

use crate::detectors::Hit;
use crate::score::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use streamflow_model::{Currency, Id, RuleId, Score, Source, Transaction};

/// The alert of a current transaction whose score reaches the threshold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Alert {
    /// The transaction.
    pub transaction: Id,
    /// Its customer.
    pub customer: Id,
    /// Its store.
    pub store: Id,
    /// Its amount in cents.
    pub amount: i64,
    /// The amount's currency.
    pub currency: Currency,
    /// Its event time, microseconds since 1970.
    pub event_time: i64,
    /// The combined score.
    pub score: Score,
    /// The rules that triggered, by id.
    pub hits: Vec<Hit>,
    /// Position of the event with the current version.
    pub source: Source,
}

impl Alert {
    /// The alert of a transaction, if its verdict is one.
    pub fn from_verdict(transaction: &Transaction, verdict: &Verdict) -> Option<Self> {
        verdict.alert.then(|| Self {
            transaction: transaction.id.clone(),
            customer: transaction.customer.clone(),
            store: transaction.store.clone(),
            amount: transaction.amount.0,
            currency: transaction.currency,
            event_time: transaction.event_time,
            score: verdict.score,
            hits: verdict.hits.clone(),
            source: transaction.source,
        })
    }

    /// The alert's id: a function of the transaction's.
    pub fn id(&self) -> String {
        format!("alert-{}", self.transaction)
    }

    /// The rules that triggered, in the order of their ids.
    pub fn rules(&self) -> impl Iterator<Item = RuleId> + '_ {
        self.hits.iter().map(|hit| hit.rule)
    }

    /// The evidence by rule id.
    pub fn rule_details(&self) -> Value {
        rule_details(&self.hits)
    }
}

/// The evidence of an alert that is otherwise as its last change left it: with what precedes a transaction,
/// the numbers behind its hits change far more often than what makes a change of the alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertEvidence {
    /// The transaction.
    pub transaction: Id,
    /// Number of the alert's last change.
    pub sequence: u32,
    /// The rules that triggered, by id.
    pub hits: Vec<Hit>,
}

impl AlertEvidence {
    /// The evidence by rule id.
    pub fn rule_details(&self) -> Value {
        rule_details(&self.hits)
    }
}

fn rule_details(hits: &[Hit]) -> Value {
    let details = hits.iter().map(|hit| (hit.rule.to_string(), hit.details()));
    Value::Object(details.collect::<Map<_, _>>())
}

/// What happened to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChangeKind {
    /// It is new.
    Raised,
    /// Its score or rules changed.
    Revised,
    /// It is retracted; the alert is as it last was.
    Withdrawn,
}

impl ChangeKind {
    /// The name that users see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Revised => "revised",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Why an alert changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// Its own transaction arrived.
    Transaction,
    /// A transaction that precedes it in event time arrived after it.
    LateEvent,
    /// It or a transaction before it was corrected.
    Correction,
    /// It or a transaction before it was voided.
    Void,
    /// The blacklist changed.
    ListChange,
    /// The rules changed.
    RuleChange,
}

impl Cause {
    /// The name that users see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::LateEvent => "late_event",
            Self::Correction => "correction",
            Self::Void => "void",
            Self::ListChange => "list_change",
            Self::RuleChange => "rule_change",
        }
    }
}

/// One change of one alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertChange {
    /// The number of the change within its alert, from 1.
    pub sequence: u32,
    /// What happened.
    pub kind: ChangeKind,
    /// Why.
    pub cause: Cause,
    /// The alert after the change; as it last was where it is withdrawn.
    pub alert: Alert,
}
