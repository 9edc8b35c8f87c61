//! Spreads a stop from one process to all, because none of them can commit the records in flight without the others.

use crate::stop::Stop;
use std::sync::Arc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::InputHandle;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Input, Inspect};
use timely::worker::Worker;

/// A small dataflow beside the graph, through which a worker announces to all others that it stops.
pub struct Farewell {
    words: InputHandle<u64, CapacityContainerBuilder<Vec<String>>>,
}

impl Farewell {
    /// Requests the stop when another worker announces one.
    pub fn listen(worker: &mut Worker, stop: &Arc<Stop>) -> Self {
        let stop = Arc::clone(stop);
        worker.dataflow(|scope| {
            let (words, said) = scope.new_input();
            said.broadcast().inspect(move |words: &String| stop.leave(words.clone()));
            Self { words }
        })
    }

    /// Announces the stop, with its reason, to the other workers.
    pub fn say(mut self, words: String) {
        self.words.send(words);
    }
}
