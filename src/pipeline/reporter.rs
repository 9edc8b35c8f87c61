//! A worker's reports on its frontiers, records in flight and operators. They also show that the worker still
//! steps.

use super::activity::Activity;
use super::flow::Flow;
use super::status::{Frontiers, Status, WorkerReport};
use std::time::{Duration, Instant};
use streamflow_dataflow::graph::Stages;
use timely::dataflow::ProbeHandle;

/// The shortest time between two reports. Nobody reads more often, and nothing is shared in between.
const INTERVAL: Duration = Duration::from_millis(200);

pub struct Reporter<'a> {
    worker: usize,
    status: &'a Status,
    stages: Stages,
    /// `None` if nobody reads it.
    activity: Option<Activity>,
    due: Instant,
}

impl<'a> Reporter<'a> {
    pub fn new(worker: usize, status: &'a Status, stages: Stages, activity: Option<Activity>) -> Self {
        Self { worker, status, stages, activity, due: Instant::now() }
    }

    /// Reports if a report is due. `source` is the frontier of the inputs, `None` after their end.
    pub fn report(&mut self, source: Option<u64>, flow: &Flow) {
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
            in_flight: flow.in_flight.records(),
            in_flight_bytes: flow.in_flight.bytes(),
            window: flow.window(),
            paused: flow.paused(),
            oldest: flow.in_flight.oldest(),
            operators: self.activity.as_ref().map(Activity::look).unwrap_or_default(),
        };
        self.status.report(self.worker, report);
    }
}

fn frontier(probe: &ProbeHandle<u64>) -> Option<u64> {
    probe.with_frontier(|frontier| frontier.first().copied())
}
