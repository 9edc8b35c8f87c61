//! Changes of what verdicts depend on beside the transactions.

use crate::detectors::RulesChange;
use serde::{Deserialize, Serialize};
use streamflow_model::ListChange;

/// A change of what verdicts depend on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ControlChange {
    /// Of the blacklist.
    List(ListChange),
    /// Of the rules.
    Rules(RulesChange),
}

impl ControlChange {
    /// Makes the change apply from `event_time` on at the earliest.
    pub(crate) fn apply_from(&mut self, event_time: i64) {
        let applies_from = match self {
            Self::List(change) => &mut change.applies_from,
            Self::Rules(change) => &mut change.applies_from,
        };
        *applies_from = (*applies_from).max(event_time);
    }
}
