//! A rule's hit.

use crate::detectors::Evidence;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use streamflow_model::{RuleId, Score};

/// A rule that triggered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hit {
    /// The rule.
    pub rule: RuleId,
    /// Its score, above 0 and at most 1.
    pub score: Score,
    /// What its detector saw.
    pub evidence: Evidence,
}

impl Hit {
    /// The hit as `rule_details` has it: the evidence, and the score to 3 decimals.
    pub fn details(&self) -> Value {
        let mut details = self.evidence.finding().details();
        details["score"] = json!(thousandths(i64::from(self.score.thousandths())));
        details
    }

    /// What the detector saw, as a sentence without its full stop.
    pub fn explanation(&self) -> String {
        self.evidence.finding().explanation()
    }
}

/// A number of thousandths as a decimal.
pub(super) fn thousandths(value: i64) -> f64 {
    value as f64 / 1000.0
}

/// A number of hundredths as a decimal.
pub(super) fn hundredths(value: i64) -> f64 {
    value as f64 / 100.0
}
