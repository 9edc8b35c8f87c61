//! The watermark: the smallest partition time. What lies a horizon behind it is final.

use super::stash::Stash;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use streamflow_model::PartitionId;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::vec::Broadcast;

/// A partition time, or a clock that raises it, microseconds since 1970. `i64::MIN` announces a partition, which
/// holds the watermark back until its first record; `i64::MAX` ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartitionTime {
    /// The partition.
    pub partition: PartitionId,
    /// Its time, which only grows.
    pub time: i64,
}

/// What is known of a partition beside its records: that it is read, that it has been read to its end, or that
/// it has ended. It counts for the records of later epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Clock {
    /// The partition.
    pub partition: PartitionId,
    /// An instant, microseconds since 1970, before which no further record can be. `i64::MIN` announces the
    /// partition, which holds the watermark back until its first record; `i64::MAX` ends it.
    pub time: i64,
    /// The partition's end; after its last record there may be offsets that hold none.
    pub end: Option<u64>,
}

impl From<Clock> for PartitionTime {
    fn from(Clock { partition, time, .. }: Clock) -> Self {
        Self { partition, time }
    }
}

/// The smallest partition time.
#[derive(Debug, Default)]
pub struct Watermark {
    partitions: BTreeMap<PartitionId, i64>,
}

impl Watermark {
    /// Raises the times of partitions.
    pub fn update(&mut self, partition_times: impl IntoIterator<Item = PartitionTime>) {
        for PartitionTime { partition, time } in partition_times {
            let largest = self.partitions.entry(partition).or_insert(i64::MIN);
            *largest = (*largest).max(time);
        }
    }

    /// The watermark in microseconds since 1970; `i64::MIN` while nothing is known.
    pub fn time(&self) -> i64 {
        self.partitions.values().copied().min().unwrap_or(i64::MIN)
    }

    /// The instant before which everything is final, `horizon` microseconds behind the watermark.
    pub fn settled(&self, horizon: i64) -> i64 {
        settled(self.time(), horizon)
    }
}

/// The instant before which everything is final at a watermark; `i64::MAX` once no more input can arrive. All
/// in microseconds.
pub fn settled(watermark: i64, horizon: i64) -> i64 {
    match watermark {
        i64::MAX => i64::MAX,
        time => time.saturating_sub(horizon),
    }
}

/// Sends every partition time to every worker.
pub fn broadcast<'s>(
    partition_times: StreamVec<'s, u64, PartitionTime>,
) -> StreamVec<'s, u64, PartitionTime> {
    partition_times.broadcast()
}

/// The watermark of complete epochs, to be looked at between steps of the worker; `i64::MIN` while nothing is
/// known.
pub type CurrentWatermark = Rc<Cell<i64>>;

/// The watermark, at each complete epoch in which it grows, on the first worker only; and on every worker as it is.
pub fn watermark<'s>(
    partition_times: StreamVec<'s, u64, PartitionTime>,
) -> (StreamVec<'s, u64, i64>, CurrentWatermark) {
    let first_worker = partition_times.scope().index() == 0;
    let current = Rc::new(Cell::new(i64::MIN));
    let shown = Rc::clone(&current);
    let changes = partition_times.unary_frontier(Pipeline, "watermark", move |_, _| {
        let mut stash = Stash::<PartitionTime>::new(1);
        let mut watermark = Watermark::default();
        move |(input, frontier), output| {
            input.for_each(|capability, partition_times| stash.hold_first(&capability, partition_times));
            while let Some(mut epoch) = stash.next_complete(&[frontier]) {
                let before = watermark.time();
                watermark.update(epoch.first.drain(..));
                shown.set(watermark.time());
                let grown = first_worker && watermark.time() > before;
                if let Some(capability) = epoch.capabilities.first().filter(|_| grown) {
                    output.session(capability).give(watermark.time());
                }
            }
        }
    });
    (changes, current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_partition_counts_and_nothing_goes_back() {
        let partition = |number| PartitionId::new(0, number).unwrap();
        let partition_time = |number, time| PartitionTime { partition: partition(number), time };
        let mut watermark = Watermark::default();
        assert_eq!(watermark.time(), i64::MIN);
        watermark.update([partition_time(0, 50), partition_time(1, i64::MIN)]);
        assert_eq!(watermark.settled(10), i64::MIN);
        watermark.update([partition_time(1, 30), partition_time(0, 40)]);
        assert_eq!((watermark.time(), watermark.settled(10)), (30, 20));
        watermark.update([partition_time(1, i64::MAX)]);
        assert_eq!(watermark.time(), 50);
        watermark.update([partition_time(0, i64::MAX)]);
        assert_eq!(watermark.settled(10), i64::MAX);
    }
}
