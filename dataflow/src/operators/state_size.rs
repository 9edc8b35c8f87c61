//! Stateful operators log the size of their state, as timely and differential log their own events.
//!
//! Where the worker has no such log, nothing is measured.

use crate::operators::output::VecBuilder;
use std::time::Duration;
use timely::dataflow::Scope;
use timely::dataflow::operators::generic::OperatorInfo;
use timely::logging_core::Logger;

/// Name of the log in the worker's log register.
pub const LOG: &str = "streamflow/state-size";

/// Gathers the log's events into vectors.
pub type StateSizeBuilder = VecBuilder<(Duration, StateSize)>;

/// The state of an operator after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateSize {
    /// Timely's number of the operator, unique on its worker.
    pub operator: usize,
    /// Entries: ids, transactions or keys.
    pub records: u64,
    /// Their approximate memory, bytes.
    pub bytes: u64,
}

/// The log of one operator.
pub(crate) struct StateSizeLog {
    operator: usize,
    log: Option<Logger<StateSizeBuilder>>,
}

impl StateSizeLog {
    pub(crate) fn new(scope: Scope<'_, u64>, info: &OperatorInfo) -> Self {
        Self { operator: info.global_id, log: scope.worker().logger_for(LOG) }
    }

    /// Logs records and bytes; `measure` is called only where there is a log.
    pub(crate) fn report(&self, measure: impl FnOnce() -> (usize, usize)) {
        if let Some(log) = &self.log {
            let (records, bytes) = measure();
            log.log(StateSize { operator: self.operator, records: records as u64, bytes: bytes as u64 });
        }
    }
}
