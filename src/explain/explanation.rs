//! The document that an explanation is.

use super::context::ContextValues;
use super::flips::Flips;
use super::recorded::Recorded;
use serde::Serialize;
use serde_json::Value;
use streamflow_dataflow::detectors::Hit;
use streamflow_dataflow::rules::RuleSet;
use streamflow_dataflow::score::Verdict;

/// Why a transaction is alerted or not. Money and scores are text, times are in RFC 3339.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    pub transaction_id: String,
    /// What is said is as known then; `None` is now.
    pub known_at: Option<String>,
    /// All changes before it are in the tables, ms since 1970.
    pub frontier: i64,
    /// The version that was known, with the position of its event.
    pub transaction: Value,
    pub verdict: Verdicts,
    pub context: ContextValues,
    /// `None` of a voided transaction.
    pub flips: Option<Flips>,
    /// As `gold.explain` has them.
    pub events: Value,
    pub changes: Value,
    /// What cannot be said, and why.
    pub notes: Vec<String>,
}

/// The verdict on record, and what the rules give in the context that is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdicts {
    pub recorded: RecordedVerdict,
    pub evaluated: Evaluated,
    pub agree: bool,
}

/// The verdict that the tables and alert changes show.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordedVerdict {
    pub is_fraud: bool,
    /// `None` where it was not alerted at a time before: only alerts keep their scores.
    pub fraud_score: Option<String>,
}

/// The verdict of the rules.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluated {
    pub is_fraud: bool,
    pub fraud_score: String,
    pub alert_threshold: String,
    pub rules: Vec<Triggered>,
    pub rules_version: Value,
}

/// A rule that triggered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Triggered {
    pub rule: String,
    pub weight: String,
    pub score: String,
    /// What it compared, as a sentence.
    pub reason: String,
    pub details: Value,
}

impl Verdicts {
    pub fn new(recorded: RecordedVerdict, evaluated: Evaluated) -> Self {
        let is_score = recorded.fraud_score.as_ref().is_none_or(|score| *score == evaluated.fraud_score);
        Self { agree: recorded.is_fraud == evaluated.is_fraud && is_score, recorded, evaluated }
    }
}

impl RecordedVerdict {
    /// Of the current row; at a time before, of the last change until then.
    pub fn of(recorded: &Recorded, is_before: bool) -> Self {
        if !is_before {
            return Self {
                is_fraud: recorded.verdict["is_fraud"].as_bool().unwrap_or_default(),
                fraud_score: text(&recorded.verdict["fraud_score"]),
            };
        }
        let last = recorded.each_change().last().filter(|change| change["change"] != "withdrawn");
        Self { is_fraud: last.is_some(), fraud_score: last.and_then(|change| text(&change["fraud_score"])) }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

impl Evaluated {
    pub fn new(verdict: &Verdict, rules: &RuleSet, rules_version: Value) -> Self {
        let triggered = |hit: &Hit| Triggered {
            rule: hit.rule.to_string(),
            weight: rules.weight(hit.rule).to_string(),
            score: hit.score.to_string(),
            reason: hit.explanation(),
            details: hit.details(),
        };
        Self {
            is_fraud: verdict.alert,
            fraud_score: verdict.score.to_string(),
            alert_threshold: rules.alert_threshold.to_string(),
            rules: verdict.hits.iter().map(triggered).collect(),
            rules_version,
        }
    }
}
