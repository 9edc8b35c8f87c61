//! The transactions with events that wait for an answer.

use crate::amendments::Pending;
use crate::operators::earliest::Earliest;
use std::collections::{BTreeMap, HashMap};
use streamflow_model::{Id, Source};

/// The events of each transaction that wait: one for an answer, the others behind it.
#[derive(Default)]
pub(super) struct Waiting {
    queues: HashMap<Id, Queue, foldhash::fast::RandomState>,
    /// Of all of them.
    lines: Earliest,
}

#[derive(Default)]
struct Queue {
    /// The line of the event that waits for an answer; `None` while that is being decided.
    line: Option<i64>,
    /// By arrival.
    behind: BTreeMap<(u64, Source), Pending>,
}

impl Waiting {
    /// Adds an event.
    pub(super) fn add(&mut self, pending: Pending) {
        let transaction = &pending.event.transaction;
        self.lines.add(pending.own_final_before);
        let queue = self.queues.entry(transaction.id.clone()).or_default();
        if pending.waits_behind {
            queue.behind.insert((pending.arrived, transaction.source), pending);
        } else {
            queue.line = Some(pending.final_before);
        }
    }

    /// Removes an event that has waited for an answer.
    pub(super) fn remove_first(&mut self, first: &Pending) {
        if let Some(queue) = self.queues.get_mut(&first.event.transaction.id) {
            queue.line = None;
            self.lines.remove(first.own_final_before);
        }
    }

    /// The line of the event of a transaction that waits for an answer.
    pub(super) fn line(&self, id: &Id) -> Option<i64> {
        self.queues.get(id)?.line
    }

    /// Those that wait behind the first event of a transaction.
    pub(super) fn behind(&mut self, id: &Id) -> impl Iterator<Item = &mut Pending> {
        self.queues.get_mut(id).into_iter().flat_map(|queue| queue.behind.values_mut())
    }

    /// Removes the next event behind, and returns it; `None` where one waits for an answer or there is none,
    /// which ends the queue.
    pub(super) fn next(&mut self, id: &Id) -> Option<Pending> {
        let queue = self.queues.get_mut(id).filter(|queue| queue.line.is_none())?;
        if let Some((_, pending)) = queue.behind.pop_first() {
            self.lines.remove(pending.own_final_before);
            return Some(pending);
        }
        self.queues.remove(id);
        None
    }

    /// The smallest line that an event that waits had when it came; `i64::MAX` without any.
    pub(super) fn final_before(&self) -> i64 {
        self.lines.get().unwrap_or(i64::MAX)
    }

    /// Nearly always nothing waits, which costs no look-up.
    pub(super) fn contains(&self, id: &Id) -> bool {
        !self.queues.is_empty() && self.queues.contains_key(id)
    }
}
