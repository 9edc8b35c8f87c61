//! What stateful operators hold, told in a log of the worker, as timely and differential tell of themselves.
//!
//! An operator whose worker has no such log tells nothing, at no cost.

use crate::operators::output::VecBuilder;
use std::time::Duration;
use timely::dataflow::Scope;
use timely::dataflow::operators::generic::OperatorInfo;
use timely::logging_core::Logger;

/// The log's name in the worker's register.
pub const LOG: &str = "streamflow/holding";

/// What gathers the log's events.
pub type HoldingBuilder = VecBuilder<(Duration, Holding)>;

/// What an operator holds after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Number of the operator on its worker.
    pub operator: usize,
    /// Entries: ids, transactions or keys.
    pub records: u64,
    /// Their memory, about, bytes.
    pub bytes: u64,
}

/// Where one operator tells what it holds.
pub(crate) struct HoldingLog {
    operator: usize,
    log: Option<Logger<HoldingBuilder>>,
}

impl HoldingLog {
    /// For the operator of `info`.
    pub(crate) fn new(scope: Scope<'_, u64>, info: &OperatorInfo) -> Self {
        Self { operator: info.global_id, log: scope.worker().logger_for(LOG) }
    }

    /// Tells it, if anybody listens: records and bytes.
    pub(crate) fn tell(&self, held: impl FnOnce() -> (usize, usize)) {
        if let Some(log) = &self.log {
            let (records, bytes) = held();
            log.log(Holding { operator: self.operator, records: records as u64, bytes: bytes as u64 });
        }
    }
}
