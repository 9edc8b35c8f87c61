//! The watermark: the smallest reference time of all partitions. What lies a horizon behind it is final.

use super::stash::Stash;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use streamflow_model::PartitionId;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::vec::Broadcast;

/// A partition's reference time, microseconds since 1970. `i64::MIN` announces a partition that holds the watermark
/// back until more is known of it, `i64::MAX` one that never will again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReferenceTime {
    /// The partition.
    pub partition: PartitionId,
    /// Its reference time, which only grows.
    pub time: i64,
}

/// The smallest of all partitions' reference times.
#[derive(Debug, Default)]
pub struct Watermark {
    partitions: BTreeMap<PartitionId, i64>,
}

impl Watermark {
    /// Takes note of reference times.
    pub fn update(&mut self, references: impl IntoIterator<Item = ReferenceTime>) {
        for reference in references {
            let time = self.partitions.entry(reference.partition).or_insert(i64::MIN);
            *time = (*time).max(reference.time);
        }
    }

    /// The watermark in microseconds since 1970; `i64::MIN` while nothing is known.
    pub fn time(&self) -> i64 {
        self.partitions.values().copied().min().unwrap_or(i64::MIN)
    }

    /// What lies before this instant is final.
    pub fn settled(&self, horizon: i64) -> i64 {
        settled(self.time(), horizon)
    }
}

/// What lies before this instant is final at a watermark, all in microseconds; once nothing more can come, everything is.
pub fn settled(watermark: i64, horizon: i64) -> i64 {
    match watermark {
        i64::MAX => i64::MAX,
        time => time.saturating_sub(horizon),
    }
}

/// Every reference time, on every worker.
pub fn broadcast<'s>(references: StreamVec<'s, u64, ReferenceTime>) -> StreamVec<'s, u64, ReferenceTime> {
    references.broadcast()
}

/// The watermark itself, at each complete epoch in which it grows, on the first worker only.
pub fn watermark<'s>(references: StreamVec<'s, u64, ReferenceTime>) -> StreamVec<'s, u64, i64> {
    let first_worker = references.scope().index() == 0;
    references.unary_frontier(Pipeline, "watermark", move |_, _| {
        let mut stash = Stash::<ReferenceTime>::new(1);
        let mut watermark = Watermark::default();
        move |(input, frontier), output| {
            input.for_each(|capability, references| stash.hold_first(&capability, references));
            while let Some(mut epoch) = stash.next_complete(&[frontier]) {
                let before = watermark.time();
                watermark.update(epoch.first.drain(..));
                let grown = first_worker && watermark.time() > before;
                if let Some(capability) = epoch.capabilities.first().filter(|_| grown) {
                    output.session(capability).give(watermark.time());
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_partition_counts_and_nothing_goes_back() {
        let partition = |number| PartitionId::new(0, number).unwrap();
        let reference = |number, time| ReferenceTime { partition: partition(number), time };
        let mut watermark = Watermark::default();
        assert_eq!(watermark.time(), i64::MIN);
        watermark.update([reference(0, 50), reference(1, i64::MIN)]);
        assert_eq!(watermark.settled(10), i64::MIN);
        watermark.update([reference(1, 30), reference(0, 40)]);
        assert_eq!((watermark.time(), watermark.settled(10)), (30, 20));
        watermark.update([reference(1, i64::MAX)]);
        assert_eq!(watermark.time(), 50);
        watermark.update([reference(0, i64::MAX)]);
        assert_eq!(watermark.settled(10), i64::MAX);
    }
}
