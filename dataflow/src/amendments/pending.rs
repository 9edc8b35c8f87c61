//! Events that wait for an answer.

use crate::admitted_event::AdmittedEvent;
use crate::operators::hold::Hold;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use streamflow_model::Source;

/// An event of a transaction that is final or that memory does not hold, or one behind such an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pending {
    /// The event.
    pub event: AdmittedEvent,
    /// The epoch in which it was read.
    pub arrived: u64,
    /// Transactions before this event time were final for its partition when it came, microseconds since 1970.
    pub own_final_before: i64,
    /// It waits behind another event of its transaction, and is not to be answered yet.
    pub waits_behind: bool,
    /// Its line: its own one, or that of an earlier event of its transaction that has to wait, if that is
    /// later; microseconds since 1970. Behind another event it may still become later.
    pub final_before: i64,
    /// Only a transaction from this event time on is young enough to be meant, microseconds since 1970: an amendment
    /// reaches farther back than an event that merely repeats an id. Behind another event: what memory held of its
    /// id when it came.
    pub reaches_back_to: i64,
}

impl Pending {
    /// While it waits nothing becomes final that was not final when it came.
    pub(crate) fn hold(&self, horizon: i64, begins: bool) -> Hold {
        Hold { time: self.event.partition_time.min(self.own_final_before.saturating_add(horizon)), begins }
    }

    /// While it waits, what is from this event time on is not final, microseconds since 1970. `horizon` is in
    /// microseconds.
    pub fn held_before(&self, horizon: i64) -> i64 {
        self.hold(horizon, true).time.saturating_sub(horizon)
    }

    /// The order in which a customer's events are answered. Of those that wait behind others each comes after
    /// the one that it waits for.
    pub fn order(&self) -> (i64, u64, Source) {
        (self.final_before, self.arrived, self.event.transaction.source)
    }
}

/// Those that can be answered now, of events in [order](Pending::order): of each customer the first one, unless
/// it waits behind another.
pub fn answerable(in_order: impl IntoIterator<Item = Pending>) -> Vec<Pending> {
    let mut busy = HashSet::new();
    let mut answerable = Vec::new();
    for pending in in_order {
        if busy.insert(pending.event.transaction.customer.clone()) && !pending.waits_behind {
            answerable.push(pending);
        }
    }
    answerable
}
