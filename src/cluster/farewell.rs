//! Spreads a stop from one process to all, because none of them can commit the records in flight without the
//! others.

use crate::stop::Stop;
use std::sync::Arc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::InputHandle;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Input, Inspect};
use timely::worker::Worker;

/// A small dataflow beside the graph that broadcasts why a worker stops.
pub struct Farewell {
    reasons: InputHandle<u64, CapacityContainerBuilder<Vec<String>>>,
}

impl Farewell {
    /// Asks `stop` to leave when any worker announces its stop.
    pub fn listen(worker: &mut Worker, stop: &Arc<Stop>) -> Self {
        let stop = Arc::clone(stop);
        worker.dataflow(|scope| {
            let (reasons, announced) = scope.new_input();
            announced.broadcast().inspect(move |reason: &String| stop.leave(reason.clone()));
            Self { reasons }
        })
    }

    /// Sends the reason to all workers.
    pub fn announce(mut self, reason: String) {
        self.reasons.send(reason);
    }
}
