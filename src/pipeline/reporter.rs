//! A worker's reports: how far it is, what waits, what its operators do. They are also its sign of life.

use super::activity::Activity;
use super::feed::InFlight;
use super::status::{Frontiers, Status, WorkerReport};
use std::time::{Duration, Instant};
use streamflow_dataflow::graph::Stages;
use timely::dataflow::ProbeHandle;

/// The least time between two reports: nobody looks more often, and between them nothing is shared.
const INTERVAL: Duration = Duration::from_millis(200);

/// Reports of one worker.
pub struct Reporter<'a> {
    worker: usize,
    status: &'a Status,
    stages: Stages,
    /// `None` where nobody asks for it.
    activity: Option<Activity>,
    due: Instant,
}

impl<'a> Reporter<'a> {
    /// The first report is due at once.
    pub fn new(worker: usize, status: &'a Status, stages: Stages, activity: Option<Activity>) -> Self {
        Self { worker, status, stages, activity, due: Instant::now() }
    }

    /// Reports, if it is due. `source` is the frontier of what was given to the graph, `None` where that was the last.
    pub fn report(&mut self, source: Option<u64>, in_flight: &InFlight) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        self.due = now + INTERVAL;
        let report = WorkerReport {
            made: now,
            frontiers: Frontiers {
                source,
                admitted: frontier(&self.stages.admitted),
                history: frontier(&self.stages.history),
            },
            in_flight: in_flight.records(),
            in_flight_bytes: in_flight.bytes(),
            paused: in_flight.paused(),
            oldest: in_flight.oldest(),
            operators: self.activity.as_ref().map(Activity::look).unwrap_or_default(),
        };
        self.status.report(self.worker, report);
    }
}

fn frontier(probe: &ProbeHandle<u64>) -> Option<u64> {
    probe.with_frontier(|frontier| frontier.first().copied())
}
