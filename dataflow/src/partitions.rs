//! The partitions that a worker reads: how far, and what time it is in each.

use crate::changes::PartitionPosition;
use crate::operators::watermark::Clock;
use crate::resume::Resume;
use std::collections::BTreeMap;
use streamflow_model::{PartitionId, Record};

/// The state of reading one partition. All times in microseconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Partition {
    next_offset: u64,
    newest: Option<i64>,
    clock: Option<i64>,
    moved: bool,
}

impl Partition {
    /// Takes note of a record's time.
    pub(crate) fn observe(&mut self, record_time: i64) {
        self.newest = self.newest.max(Some(record_time));
    }

    /// The partition time: the largest record time or, if it is later, the clock. `None` before both.
    pub(crate) fn time(&self) -> Option<i64> {
        self.newest.max(self.clock)
    }
}

/// All partitions of a worker.
#[derive(Default)]
pub(crate) struct Partitions(BTreeMap<PartitionId, Partition>);

impl Partitions {
    /// The partitions at the positions in `resume`.
    pub(crate) fn new(resume: &Resume) -> Self {
        let restore = |position: &PartitionPosition| {
            let PartitionPosition { partition, next_offset, partition_time } = *position;
            (partition, Partition { next_offset, newest: partition_time, ..Partition::default() })
        };
        Self(resume.partitions.iter().map(restore).collect())
    }

    /// The partition of a record, which is read now.
    pub(crate) fn read(&mut self, record: &Record) -> &mut Partition {
        let partition = self.0.entry(record.source.partition()).or_default();
        partition.next_offset = record.source.offset() + 1;
        partition.moved = true;
        record.appended_at.into_iter().for_each(|time| partition.observe(time));
        partition
    }

    /// Takes note of a clock, for the records of later epochs.
    pub(crate) fn follow(&mut self, clock: &Clock) {
        let partition = self.0.entry(clock.partition).or_default();
        // An announcement says nothing about the time.
        if clock.time > i64::MIN {
            partition.clock = partition.clock.max(Some(clock.time));
        }
        if let Some(end) = clock.end.filter(|end| *end > partition.next_offset) {
            partition.next_offset = end;
            partition.moved = true;
        }
    }

    /// The positions that have changed since the last call.
    pub(crate) fn take_moved(&mut self) -> Vec<PartitionPosition> {
        let moved = self.0.iter_mut().filter_map(|(partition, state)| {
            std::mem::take(&mut state.moved).then_some(PartitionPosition {
                partition: *partition,
                next_offset: state.next_offset,
                partition_time: state.newest,
            })
        });
        moved.collect()
    }
}
