//! The records of a topic, compared with the numbered rows that it must hold.

use crate::checks::brokers::CommittedRecord;
use crate::checks::report::Cases;
use std::collections::BTreeMap;

/// The row of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Numbers are dense, in the order of commits.
    pub number: i64,
    /// The difference between row and record, if any.
    pub difference: Option<String>,
}

/// Rows older than this may have been removed, in ms.
const KEPT: i64 = 29 * 86_400_000;

/// Which rows are in the topic, and in which order. Numbers begin with 1.
#[derive(Default)]
pub struct PublishedRows {
    /// A bit a row.
    marked: Vec<u64>,
    /// The last number in each partition.
    last: BTreeMap<i32, i64>,
    /// The first number in each partition.
    first: BTreeMap<i32, i64>,
    /// Records of a row.
    pub records: u64,
    /// Records so old that maintenance may have removed their rows.
    pub older: u64,
    /// Rows so old that Kafka's retention may have deleted their records.
    pub expired: u64,
    pub cases: Cases,
}

impl PublishedRows {
    /// Takes note of a record and its row; `now` in ms since 1970.
    pub fn add(&mut self, record: &CommittedRecord, row: Option<Row>, now: i64) {
        let CommittedRecord { partition, offset, .. } = record;
        let at = || format!("partition {partition} offset {offset}");
        let Some(Row { number, difference }) = row else {
            let is_old = record.time.is_none_or(|time| time < now - KEPT);
            if is_old && !self.last.contains_key(partition) {
                self.older += 1;
            } else {
                self.cases.add(|| format!("{}: no row tells of it", at()));
            }
            return;
        };
        self.records += 1;
        if let Some(difference) = difference {
            self.cases.add(|| format!("{}: number {number} differs: {difference}", at()));
        }
        self.first.entry(*partition).or_insert(number);
        let last = self.last.insert(*partition, number);
        if self.mark(number) {
            self.cases.add(|| format!("{}: number {number} is told again", at()));
        } else if let Some(last) = last.filter(|last| *last > number) {
            self.cases.add(|| format!("{}: number {number} comes after {last}", at()));
        }
    }

    /// The number from which every row must be in the topic. `truncated` are the partitions whose first
    /// records are deleted.
    pub fn complete_from(&self, truncated: &[i32]) -> i64 {
        let first = truncated.iter().map(|partition| self.first.get(partition).copied().unwrap_or(i64::MAX));
        first.max().unwrap_or(1)
    }

    /// Whether a row is in the topic.
    pub fn has(&self, number: i64) -> bool {
        let (word, bit) = place(number);
        self.marked.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// Marks a number; returns whether it was marked before.
    fn mark(&mut self, number: i64) -> bool {
        let known = self.has(number);
        let (word, bit) = place(number);
        if self.marked.len() <= word {
            self.marked.resize(word + 1, 0);
        }
        self.marked[word] |= bit;
        known
    }
}

/// The index of a number. A number below 1 belongs to no row and shares index 0.
fn place(number: i64) -> (usize, u64) {
    let number = usize::try_from(number).unwrap_or(0);
    (number / 64, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 100 * 86_400_000;

    fn record(partition: i32, age_days: i64) -> CommittedRecord {
        CommittedRecord { partition, time: Some(NOW - age_days * 86_400_000), ..CommittedRecord::default() }
    }

    fn row(number: i64) -> Option<Row> {
        Some(Row { number, difference: None })
    }

    fn seen(records: &[(i32, Option<Row>)]) -> PublishedRows {
        let mut seen = PublishedRows::default();
        records.iter().for_each(|(partition, row)| seen.add(&record(*partition, 1), row.clone(), NOW));
        seen
    }

    #[test]
    fn rows_are_published_once_in_the_order_of_their_partition() {
        let rows = seen(&[(0, row(1)), (1, row(200)), (0, row(3)), (1, row(201))]);
        assert_eq!((rows.records, rows.cases.count), (4, 0));
        assert!(rows.has(200) && !rows.has(2) && !rows.has(100_000));
        assert_eq!(seen(&[(0, row(2)), (0, row(1))]).cases.count, 1, "order");
        assert_eq!(seen(&[(0, row(2)), (0, row(2))]).cases.count, 1, "twice");
        assert_eq!(seen(&[(0, row(2)), (1, row(2))]).cases.count, 1, "twice");
        assert_eq!(seen(&[(0, None)]).cases.count, 1, "foreign");
        let differs = Some(Row { number: 1, difference: Some("key".to_owned()) });
        assert_eq!(seen(&[(0, differs)]).cases.count, 1, "another key");
    }

    #[test]
    fn what_maintenance_may_have_dropped_is_no_foreign_record() {
        let mut seen = PublishedRows::default();
        seen.add(&record(0, 40), None, NOW);
        assert_eq!((seen.older, seen.cases.count), (1, 0));
        seen.add(&record(0, 40), row(8), NOW);
        seen.add(&record(0, 39), None, NOW);
        assert_eq!((seen.older, seen.cases.count), (1, 1), "among rows that are kept");
    }

    #[test]
    fn rows_are_complete_from_where_every_partition_has_its_records() {
        let rows = seen(&[(0, row(50)), (1, row(2))]);
        assert_eq!(rows.complete_from(&[]), 1);
        assert_eq!(rows.complete_from(&[0]), 50);
        assert_eq!(rows.complete_from(&[0, 1]), 50);
        assert_eq!(rows.complete_from(&[2]), i64::MAX, "nothing is left of it");
    }
}
