//! What a detector finds in one transaction.

use crate::detectors::Evidence;
use streamflow_model::Score;

/// A detector that triggered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    /// Its score, above 0 and at most 1.
    pub score: Score,
    /// What it saw.
    pub evidence: Evidence,
}

impl Detection {
    /// What it saw, as a sentence without its full stop.
    pub fn explanation(&self) -> String {
        self.evidence.finding().explanation()
    }
}
