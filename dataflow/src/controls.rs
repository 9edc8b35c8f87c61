//! Controls: changes of the rules and the blacklist, on which verdicts depend beside the transactions.

use crate::operators::ordered;
use crate::rules::RulesChange;
use serde::{Deserialize, Serialize};
use streamflow_model::ListChange;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concat;

/// A change of the rules or the blacklist.
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

/// All changes of the rules and the blacklist, on every worker, in the order of each sender.
pub fn controls<'s>(
    list_changes: StreamVec<'s, u64, ListChange>,
    rules: StreamVec<'s, u64, RulesChange>,
) -> StreamVec<'s, u64, ControlChange> {
    let lists = ordered::flat_map("list changes", list_changes, |change| [ControlChange::List(change)]);
    let rules = ordered::flat_map("rules changes", rules, |change| [ControlChange::Rules(change)]);
    ordered::broadcast("controls", lists.concat(rules))
}
