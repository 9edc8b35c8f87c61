//! Append times of the records in flight.

use crate::lock::lock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use streamflow_dataflow::changes::PartitionPosition;
use streamflow_model::{PartitionId, Record, Source};

/// Records of one partition in the order of their offsets, with the time of each in microseconds since 1970.
/// Never empty.
#[derive(Debug)]
pub struct Stretch(Vec<(Source, i64)>);

impl Stretch {
    /// The stretches of a batch. Records without a time are left out.
    pub fn of(records: &[Record]) -> Vec<Arc<Self>> {
        let timed = |record: &Record| Some((record.source, record.appended_at?));
        let mut timed: Vec<(Source, i64)> = records.iter().filter_map(timed).collect();
        // Each partition's are in order already: there are but a few runs to merge.
        timed.sort();
        let same_partition = |a: &(Source, i64), b: &(Source, i64)| a.0.partition() == b.0.partition();
        timed.chunk_by(same_partition).map(|stretch| Arc::new(Self(stretch.to_vec()))).collect()
    }

    /// The times of the records.
    pub fn times(&self) -> impl ExactSizeIterator<Item = i64> + '_ {
        self.0.iter().map(|(_, time)| *time)
    }

    /// The partition and the time of the first record.
    pub fn oldest(&self) -> Option<(PartitionId, i64)> {
        self.0.first().map(|(source, time)| (source.partition(), *time))
    }

    /// The next offset of its partition.
    pub fn progress(&self) -> Option<PartitionPosition> {
        self.0.last().map(|(source, time)| PartitionPosition {
            partition: source.partition(),
            next_offset: source.offset() + 1,
            partition_time: Some(*time),
        })
    }

    fn first(&self) -> Option<Source> {
        self.0.first().map(|(source, _)| *source)
    }

    fn find(&self, source: Source) -> Option<i64> {
        let place = self.0.binary_search_by_key(&source, |(source, _)| *source).ok()?;
        Some(self.0[place].1)
    }
}

/// The stretches of all workers, to look up a record's time by its source.
#[derive(Debug, Default)]
pub struct Appended(Mutex<BTreeMap<Source, Arc<Stretch>>>);

impl Appended {
    /// Adds stretches that are in flight.
    pub fn add(&self, stretches: &[Arc<Stretch>]) {
        let known = stretches.iter().filter_map(|stretch| Some((stretch.first()?, Arc::clone(stretch))));
        lock(&self.0).extend(known);
    }

    /// Removes stretches that are durable.
    pub fn remove(&self, stretches: &[Arc<Stretch>]) {
        let mut known = lock(&self.0);
        stretches.iter().filter_map(|stretch| stretch.first()).for_each(|first| {
            known.remove(&first);
        });
    }

    /// Removes all.
    pub fn clear(&self) {
        lock(&self.0).clear();
    }

    /// The append time of a record in flight, microseconds since 1970.
    pub fn find(&self, source: Source) -> Option<i64> {
        let known = lock(&self.0);
        let (_, stretch) = known.range(..=source).next_back()?;
        stretch.find(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(partition: u16, offset: u64) -> Source {
        Source::new(PartitionId::new(1, partition).unwrap(), offset)
    }

    fn record(partition: u16, offset: u64, appended_at: i64) -> Record {
        let source = source(partition, offset);
        Record { source, appended_at: Some(appended_at), key: None, payload: None, full_length: 0 }
    }

    #[test]
    fn records_in_flight_are_found_by_their_source() {
        let appended = Appended::default();
        let first = Stretch::of(&[record(1, 7, 70), record(0, 5, 50), record(1, 8, 80), record(0, 6, 60)]);
        let second = Stretch::of(&[record(0, 9, 90)]);
        appended.add(&first);
        appended.add(&second);
        let found = |partition, offset| appended.find(source(partition, offset));
        assert_eq!([found(0, 5), found(0, 6), found(0, 9)], [Some(50), Some(60), Some(90)]);
        assert_eq!([found(1, 7), found(1, 8)], [Some(70), Some(80)]);
        assert_eq!([found(0, 4), found(0, 7), found(1, 9)], [None; 3]);
        appended.remove(&first);
        assert_eq!([found(0, 5), found(1, 7), found(0, 9)], [None, None, Some(90)]);
    }
}
