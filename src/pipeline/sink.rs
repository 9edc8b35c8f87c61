//! The sink gathers all changes on the first worker and submits complete epochs to the committer.
//!
//! Law: the frontier of its output is the durable frontier. Everything before it is committed.
//!
//! Nothing is committed before the publisher has found that Kafka is not ahead of the database: a restored one would
//! catch up, and then nobody could tell any more which of its changes are in Kafka.

use super::status::{Status, Submission};
use crate::stop::Stop;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use streamflow_connectors::postgres::Committer;
use streamflow_dataflow::changes::ViewChange;
use streamflow_medallion::{Changes, Topics};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;
use timely::progress::frontier::MutableAntichain;

/// The committer, and the parts that fill its batches.
pub struct Committing {
    pub committer: Committer<Changes>,
    pub topics: Arc<Topics>,
}

/// While nothing changes, the frontier alone is committed this often, so that readers see how fresh the
/// tables are.
const IDLE_COMMIT: Duration = Duration::from_secs(1);

/// Commits `changes`. The frontier of the result is the durable one. `committing` is `Some` on the first
/// worker only.
pub fn sink<'s>(
    changes: StreamVec<'s, u64, ViewChange>,
    committing: Option<Committing>,
    stop: Arc<Stop>,
    status: Arc<Status>,
) -> StreamVec<'s, u64, ()> {
    let scope = changes.scope();
    let to_first = Exchange::new(|_: &ViewChange| 0);
    changes.unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
        to_first,
        "commit",
        move |capability, info| {
            let mut sink = committing.map(|committing| {
                let activator = || scope.worker().sync_activator_for(info.address.to_vec());
                status.activate_at_commits(activator());
                status.publisher.activate_when_confirmed(activator());
                Sink {
                    committing: Some(committing),
                    durable: Some(capability),
                    epochs: BTreeMap::new(),
                    submitted: status.durable.load(Ordering::Acquire),
                    submitted_at: Instant::now(),
                    status,
                    stop,
                }
            });
            move |(input, frontier), _output| {
                let Some(sink) = &mut sink else {
                    // All changes go to the first worker.
                    return;
                };
                input.for_each(|capability, data| {
                    let time = capability.least().copied().unwrap_or_default();
                    sink.epochs.entry(time).or_default().append(data);
                });
                sink.submit(frontier);
                sink.follow(frontier);
            }
        },
    )
}

struct Sink {
    /// `None` once it is closed.
    committing: Option<Committing>,
    /// Its time is the durable frontier.
    durable: Option<Capability<u64>>,
    epochs: BTreeMap<u64, Vec<ViewChange>>,
    submitted: u64,
    submitted_at: Instant,
    status: Arc<Status>,
    stop: Arc<Stop>,
}

impl Sink {
    /// Submits complete epochs.
    fn submit(&mut self, frontier: &MutableAntichain<u64>) {
        let Some(committing) = &self.committing else { return };
        let last = self.epochs.last_key_value().map_or(self.submitted, |(time, _)| time + 1);
        let complete = frontier.frontier().first().copied().unwrap_or(last);
        self.status.complete.store(complete, Ordering::Relaxed);
        if !self.status.publisher.is_confirmed() {
            return;
        }
        let due = self.epochs.first_key_value().is_some_and(|(time, _)| *time < complete)
            || self.submitted_at.elapsed() >= IDLE_COMMIT;
        if complete <= self.submitted || !due {
            return;
        }
        let mut batch = Changes::new(Arc::clone(&committing.topics));
        let mut submission = Submission::default();
        while let Some(first) = self.epochs.first_entry().filter(|first| *first.key() < complete) {
            let (time, changes) = first.remove_entry();
            submission.epoch();
            for change in changes {
                submission.observe(time, &change);
                if let ViewChange::AlertChange(change) = &change {
                    self.status.alert_change(change);
                }
                batch.push(time, change);
            }
        }
        self.status.submitted(complete, submission);
        self.submitted = complete;
        self.submitted_at = Instant::now();
        if let Err(error) = committing.committer.submit(complete, batch) {
            self.stop.fail(error.to_string());
            self.close();
        }
    }

    /// Downgrades the capability to the durable frontier. At the end, waits for the last commit.
    fn follow(&mut self, frontier: &MutableAntichain<u64>) {
        if let Some(error) = self.committing.as_ref().and_then(|committing| committing.committer.failure()) {
            self.stop.fail(error.to_string());
            self.close();
            return;
        }
        let durable = self.status.durable.load(Ordering::Acquire);
        if frontier.is_empty() && durable >= self.submitted {
            // What may not be committed yet is read again after the next start.
            self.close();
        } else if let Some(capability) = &mut self.durable
            && durable > *capability.time()
        {
            capability.downgrade(&durable);
        }
    }

    /// Commits what was submitted.
    fn close(&mut self) {
        self.durable = None;
        self.epochs.clear();
        if let Some(Committing { committer, .. }) = self.committing.take()
            && let Err(error) = committer.close()
        {
            self.stop.fail(error.to_string());
        }
    }
}

impl Drop for Sink {
    /// Where the dataflow is given up, so is what was submitted.
    fn drop(&mut self) {
        if let Some(Committing { committer, .. }) = self.committing.take() {
            committer.abandon();
        }
    }
}
