//! How many events wait for an answer, as all workers have seen it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use streamflow_dataflow::changes::ViewChange;

/// By epoch, the events that have begun to wait less those that no longer do.
#[derive(Default)]
pub struct Waiting(Mutex<BTreeMap<u64, i64>>);

impl Waiting {
    /// Takes note of changes of an epoch.
    pub fn see(&self, epoch: u64, changes: &[ViewChange]) {
        let waits = |change: &ViewChange| match change {
            ViewChange::Pending((_, Some(_))) => Some(1),
            ViewChange::Pending((_, None)) => Some(-1),
            _ => None,
        };
        for event in changes.iter().filter_map(waits) {
            *self.counts().entry(epoch).or_default() += event;
        }
    }

    /// Whether any waits after the epochs before this one, which are complete.
    pub fn any_before(&self, epoch: u64) -> bool {
        let mut counts = self.counts();
        if counts.is_empty() {
            return false;
        }
        let later = counts.split_off(&epoch);
        let waiting: i64 = counts.values().sum();
        *counts = later;
        if waiting != 0 {
            // As of the beginning.
            *counts.entry(0).or_default() += waiting;
        }
        waiting != 0
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<u64, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamflow_model::{PartitionId, Source};

    #[test]
    fn what_waits_counts_from_the_epoch_in_which_it_begins() {
        let waiting = Waiting::default();
        let ends = ViewChange::Pending((Source::new(PartitionId::FIRST, 0), None));
        assert!(!waiting.any_before(9));
        *waiting.counts().entry(3).or_default() += 1;
        waiting.see(5, &[ViewChange::Watermark(0), ends]);
        assert_eq!([3, 4, 5, 6].map(|epoch| waiting.any_before(epoch)), [false, true, true, false]);
        assert!(waiting.counts().is_empty());
    }
}
