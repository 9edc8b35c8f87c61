//! Totals of what is committed: everything submitted before the durable frontier.

use crate::histogram::Histogram;
use std::collections::{BTreeMap, VecDeque};
use streamflow_connectors::postgres::committer::Commit;
use streamflow_dataflow::alerts::{AlertChange, Cause, ChangeKind};
use streamflow_dataflow::changes::{PartitionPosition, ViewChange};
use streamflow_medallion::{Progress, Topics};
use streamflow_model::{BooksEntry, PartitionId, RuleId};

/// Alert changes that are kept to be shown.
const LATEST_ALERTS: usize = 64;

/// Upper bounds of the time that a commit takes, seconds.
const COMMIT_BOUNDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// Totals of what is committed.
#[derive(Clone, Debug)]
pub struct Totals {
    /// Events by topic and account, since the database was begun.
    pub books: BTreeMap<BooksEntry, i64>,
    /// The committed offset of each partition.
    pub partitions: BTreeMap<PartitionId, PartitionPosition>,
    /// Changes of alerts.
    pub alerts: BTreeMap<(ChangeKind, Cause), u64>,
    /// Changes of alerts by each of the rules that the alert has.
    pub rules: BTreeMap<(RuleId, ChangeKind), u64>,
    /// Epochs with changes.
    pub epochs: u64,
    /// Seconds that commits took.
    pub commits: Histogram,
    /// Rows written, by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// Bytes of rows that were only added.
    pub copied_bytes: u64,
}

/// A committed change of an alert.
#[derive(Clone, Debug)]
pub struct LatestAlert {
    /// The epoch in which it changed, ms since 1970.
    pub changed_at: u64,
    /// What changed.
    pub change: AlertChange,
}

/// Counts of the changes in one submission to the committer.
#[derive(Debug, Default)]
pub struct Submission {
    books: BTreeMap<BooksEntry, Option<i64>>,
    partitions: BTreeMap<PartitionId, PartitionPosition>,
    alerts: BTreeMap<(ChangeKind, Cause), u64>,
    rules: BTreeMap<(RuleId, ChangeKind), u64>,
    latest_alerts: VecDeque<LatestAlert>,
    epochs: u64,
}

impl Submission {
    /// One more epoch.
    pub fn epoch(&mut self) {
        self.epochs += 1;
    }

    /// Counts a change of the epoch `time`, ms since 1970.
    pub fn observe(&mut self, time: u64, change: &ViewChange) {
        match change {
            ViewChange::AlertChange(change) => self.alert_change(time, change),
            ViewChange::Books((entry, events)) => {
                self.books.insert(*entry, *events);
            }
            ViewChange::Progress(progress) => {
                self.partitions.insert(progress.partition, *progress);
            }
            _ => {}
        }
    }

    fn alert_change(&mut self, time: u64, change: &AlertChange) {
        self.latest_alerts.push_back(LatestAlert { changed_at: time, change: change.clone() });
        // Now and then: sorting has its price.
        if self.latest_alerts.len() > 8 * LATEST_ALERTS {
            keep_latest(&mut self.latest_alerts);
        }
        *self.alerts.entry((change.kind, change.cause)).or_default() += 1;
        for rule in change.alert.rules() {
            *self.rules.entry((rule, change.kind)).or_default() += 1;
        }
    }
}

/// Totals, and what is on its way to them.
#[derive(Debug)]
pub struct Ledger {
    totals: Totals,
    /// By frontier, ms since 1970.
    submitted: VecDeque<(u64, Submission)>,
    latest_alerts: VecDeque<LatestAlert>,
}

impl Default for Ledger {
    fn default() -> Self {
        let totals = Totals {
            books: BTreeMap::new(),
            partitions: BTreeMap::new(),
            alerts: BTreeMap::new(),
            rules: BTreeMap::new(),
            epochs: 0,
            commits: Histogram::new(&COMMIT_BOUNDS),
            rows: BTreeMap::new(),
            copied_bytes: 0,
        };
        Self { totals, submitted: VecDeque::new(), latest_alerts: VecDeque::new() }
    }
}

impl Ledger {
    /// Goes on from what the database holds. The books are kept by the process that commits.
    pub fn restore(&mut self, progress: &Progress, topics: &Topics, with_books: bool) {
        self.totals.partitions = restored_partitions(progress, topics);
        self.totals.books.clear();
        if !with_books {
            return;
        }
        for (name, accounts) in &progress.books {
            let Some(topic) = topics.number(name) else { continue };
            let entries = accounts
                .iter()
                .filter_map(|(account, events)| Some((BooksEntry::named(topic, account)?, *events)));
            self.totals.books.extend(entries);
        }
    }

    /// Forgets what is on its way: it will not be committed.
    pub fn forget_submitted(&mut self) {
        self.submitted.clear();
    }

    /// Takes note of how far partitions are durable, where somebody else commits.
    pub fn settle(&mut self, partitions: Vec<PartitionPosition>) {
        self.totals.partitions.extend(partitions.into_iter().map(|progress| (progress.partition, progress)));
    }

    /// Takes note of what is on its way to being committed with `frontier`.
    pub fn submit(&mut self, frontier: u64, submission: Submission) {
        self.submitted.push_back((frontier, submission));
    }

    /// Takes note of a commit.
    pub fn commit(&mut self, commit: &Commit) {
        while self.submitted.front().is_some_and(|(frontier, _)| *frontier <= commit.frontier) {
            if let Some((_, mut submission)) = self.submitted.pop_front() {
                self.latest_alerts.append(&mut submission.latest_alerts);
                keep_latest(&mut self.latest_alerts);
                self.totals.take_in(submission);
            }
        }
        self.totals.commits.add(commit.took.as_secs_f64());
        self.totals.copied_bytes += commit.written.copied_bytes;
        for (table, rows) in &commit.written.rows {
            *self.totals.rows.entry(table).or_default() += rows;
        }
    }

    /// The latest changes of alerts that are committed, the last one at the end.
    pub fn latest_alerts(&self) -> &VecDeque<LatestAlert> {
        &self.latest_alerts
    }

    /// What is committed.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }
}

impl Totals {
    fn take_in(&mut self, submission: Submission) {
        let Submission { books, partitions, alerts, rules, epochs, .. } = submission;
        for (entry, events) in books {
            match events {
                Some(events) => self.books.insert(entry, events),
                None => self.books.remove(&entry),
            };
        }
        self.partitions.extend(partitions);
        alerts.into_iter().for_each(|(key, count)| *self.alerts.entry(key).or_default() += count);
        rules.into_iter().for_each(|(key, count)| *self.rules.entry(key).or_default() += count);
        self.epochs += epochs;
    }
}

/// Drops all but the latest, in the order in which the outbox numbers them.
fn keep_latest(latest: &mut VecDeque<LatestAlert>) {
    latest.make_contiguous().sort_by_key(|alert| (alert.changed_at, alert.change.sequence));
    latest.drain(..latest.len().saturating_sub(LATEST_ALERTS));
}

fn restored_partitions(progress: &Progress, topics: &Topics) -> BTreeMap<PartitionId, PartitionPosition> {
    let mut partitions = BTreeMap::new();
    for (name, offsets) in &progress.offsets {
        let times = progress.reference_times.get(name);
        for (number, next_offset) in offsets {
            let partition = topics.number(name).and_then(|topic| PartitionId::new(topic, *number));
            let Some(partition) = partition else { continue };
            let partition_time = times.and_then(|times| times.get(number)).copied();
            let progress = PartitionPosition { partition, next_offset: *next_offset, partition_time };
            partitions.insert(partition, progress);
        }
    }
    partitions
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use streamflow_connectors::postgres::Written;
    use streamflow_dataflow::alerts::Alert;
    use streamflow_model::{Currency, Score, Source};

    fn books(events: i64) -> Submission {
        let mut submission = Submission::default();
        submission.epoch();
        submission.observe(0, &ViewChange::Books((BooksEntry::Read { topic: 4 }, Some(events))));
        submission
    }

    fn commit(frontier: u64) -> Commit {
        let mut written = Written::default();
        written.add("bronze.raw_transactions", 3);
        Commit { frontier, batches: 1, took: Duration::from_millis(7), written }
    }

    #[test]
    fn only_what_lies_before_the_durable_frontier_counts() {
        let mut ledger = Ledger::default();
        ledger.submit(10, books(1));
        ledger.submit(20, books(2));
        ledger.submit(30, books(3));
        assert_eq!(ledger.totals().books.get(&BooksEntry::Read { topic: 4 }), None);
        ledger.commit(&commit(20));
        let totals = ledger.totals();
        assert_eq!(totals.books[&BooksEntry::Read { topic: 4 }], 2);
        assert_eq!((totals.epochs, totals.commits.count()), (2, 1));
        ledger.commit(&commit(30));
        assert_eq!(ledger.totals().books[&BooksEntry::Read { topic: 4 }], 3);
        assert_eq!(ledger.totals().rows["bronze.raw_transactions"], 6);
    }

    #[test]
    fn what_is_given_up_counts_once_it_is_committed_after_all() {
        let mut ledger = Ledger::default();
        ledger.submit(10, books(1));
        ledger.submit(20, books(2));
        ledger.commit(&commit(10));
        ledger.forget_submitted();
        ledger.restore(&Progress::default(), &Topics::new(["transactions"]), true);
        assert!(ledger.totals().books.is_empty());
        ledger.submit(25, books(2));
        ledger.commit(&commit(25));
        let totals = ledger.totals();
        assert_eq!((totals.epochs, totals.books[&BooksEntry::Read { topic: 4 }]), (2, 2));
    }

    fn alert(number: u64) -> ViewChange {
        let alert = Alert {
            transaction: format!("t{number}").as_str().into(),
            customer: "c".into(),
            store: "s".into(),
            amount: 100,
            currency: Currency::BRL,
            event_time: 0,
            score: Score::ONE,
            hits: Vec::new(),
            source: Source::new(PartitionId::new(4, 0).unwrap(), number),
        };
        let (kind, cause) = (ChangeKind::Raised, Cause::Transaction);
        ViewChange::AlertChange(AlertChange { sequence: 1, kind, cause, alert })
    }

    #[test]
    fn only_the_latest_committed_alerts_are_kept() {
        let mut ledger = Ledger::default();
        let mut next = 0;
        for (frontier, alerts) in [(10, 3), (20, 100), (30, 2)] {
            let mut submission = Submission::default();
            for number in next..next + alerts {
                submission.observe(frontier - 1, &alert(number));
            }
            next += alerts;
            ledger.submit(frontier, submission);
        }
        let latest = |ledger: &Ledger| -> Vec<(u64, String)> {
            let told = |alert: &LatestAlert| (alert.changed_at, alert.change.alert.transaction.to_string());
            ledger.latest_alerts().iter().map(told).collect()
        };
        assert_eq!(latest(&ledger), []);
        ledger.commit(&commit(10));
        assert_eq!(latest(&ledger), [0, 1, 2].map(|number| (9, format!("t{number}"))));
        ledger.commit(&commit(30));
        let expected = (41..103).map(|number| (19, format!("t{number}")));
        let expected: Vec<_> = expected.chain([103, 104].map(|number| (29, format!("t{number}")))).collect();
        assert_eq!(latest(&ledger), expected);
        assert_eq!(ledger.totals().alerts.values().sum::<u64>(), 105);
    }

    #[test]
    fn the_latest_alerts_are_in_the_order_of_the_outbox() {
        let mut submission = Submission::default();
        for (number, sequence) in [(0, 2), (1, 1), (2, 3), (3, 1)] {
            let ViewChange::AlertChange(change) = alert(number) else { panic!("no alert") };
            submission.observe(9, &ViewChange::AlertChange(AlertChange { sequence, ..change }));
        }
        let mut ledger = Ledger::default();
        ledger.submit(10, submission);
        ledger.commit(&commit(10));
        let told = ledger.latest_alerts().iter().map(|alert| alert.change.alert.transaction.to_string());
        assert_eq!(told.collect::<Vec<_>>(), ["t1", "t3", "t0", "t2"]);
    }

    #[test]
    fn it_goes_on_from_the_database() {
        let topics = Topics::new(["customers", "transactions"]);
        let mut progress = Progress::default();
        let accounts = [("read", 5), ("new", 4), ("too_late", 1)];
        let accounts = accounts.map(|(account, events)| (account.to_owned(), events));
        progress.books.insert("transactions".to_owned(), accounts.into());
        progress.books.insert("removed".to_owned(), [("read".to_owned(), 1)].into());
        progress.offsets.insert("transactions".to_owned(), [(2, 5)].into());
        progress.reference_times.insert("transactions".to_owned(), [(2, 77)].into());
        let mut ledger = Ledger::default();
        ledger.restore(&progress, &topics, true);
        let totals = ledger.totals();
        assert_eq!(totals.books.len(), 3);
        assert_eq!(totals.books[&BooksEntry::Ended { topic: 1, account: streamflow_model::Account::New }], 4);
        let partition = PartitionId::new(1, 2).unwrap();
        let expected = PartitionPosition { partition, next_offset: 5, partition_time: Some(77) };
        assert_eq!(totals.partitions[&partition], expected);
    }
}
