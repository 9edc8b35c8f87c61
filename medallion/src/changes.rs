//! The changes of views in one or more epochs, merged by key.

use crate::encoding::{Fields, micros};
use crate::topics::Topics;
use crate::versions::Versions;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::convert::Infallible;
use std::hash::Hash;
use std::sync::Arc;
use streamflow_connectors::postgres::{Batch, CopyRows};
use streamflow_dataflow::alerts::{AlertChange, AlertEvidence};
use streamflow_dataflow::amendments::Pending;
use streamflow_dataflow::changes::{PartitionPosition, Upsert, ViewChange};
use streamflow_dataflow::operators::sums::{self, Key, Sum};
use streamflow_dataflow::rules::RulesChange;
use streamflow_dataflow::views::customer_profile::{Profile, ProfileKey};
use streamflow_dataflow::views::quality::QualityKey;
use streamflow_dataflow::views::{PerView, RowOf, Take, Update, View, Views, Visit};
use streamflow_model::{
    BooksEntry, Customer, DeadLetter, Id, ListChange, PartitionId, Product, Received, Source, Store,
};

/// Columns of `bronze.raw_transactions`, in the order of [`Changes::receive`].
const RECEIVED_COLUMNS: i16 = 9;

/// A value with its ingest time.
#[derive(Debug)]
pub(crate) struct At<T> {
    /// Ingest time, ms since 1970.
    pub(crate) time: u64,
    pub(crate) value: T,
}

/// The last evidence of alerts, by transaction.
pub(crate) type Evidence = HashMap<Id, At<AlertEvidence>, RandomState>;

/// The last row of each key; `None` deletes it.
pub(crate) type Latest<K, V> = HashMap<K, At<Option<V>>, RandomState>;

/// What stored rows change by; none is zero.
pub(crate) type Differences<K, V> = HashMap<K, At<V>, RandomState>;

/// What a view's rows become, and what closed ones change by. No key is in both: a difference that follows a
/// row is added to it, and no row follows a difference.
pub(crate) struct ViewRows<K, V> {
    pub(crate) latest: Latest<K, V>,
    pub(crate) differences: Differences<K, V>,
}

impl<K, V> Default for ViewRows<K, V> {
    fn default() -> Self {
        Self { latest: Latest::default(), differences: Differences::default() }
    }
}

impl<K: Key, V: Sum> ViewRows<K, V> {
    fn add(&mut self, key: K, At { time, value: difference }: At<V>) {
        if let Some(row) = self.latest.get_mut(&key) {
            sums::add(&mut row.value, &difference);
            row.time = time;
            return;
        }
        let mut sum = self.differences.remove(&key).map(|before| before.value);
        sums::add(&mut sum, &difference);
        if let Some(value) = sum {
            self.differences.insert(key, At { time, value });
        }
    }

    fn merge(&mut self, later: Self) {
        later.differences.into_iter().for_each(|(key, difference)| self.add(key, difference));
        merge(&mut self.latest, later.latest);
    }
}

/// The changes of each view.
pub(crate) struct Rows;

impl PerView for Rows {
    type Of<V: View> = ViewRows<V::Key, V::Sum>;
}

/// Puts rows of an ingest time, ms since 1970.
struct PutAt(u64);

impl Take<Rows> for PutAt {
    fn take<V: View>(&mut self, into: &mut ViewRows<V::Key, V::Sum>, row: RowOf<V>) {
        put(&mut into.latest, self.0, row);
    }
}

/// Adds differences of an ingest time, ms since 1970.
struct AddAt(u64);

impl Take<Rows> for AddAt {
    fn take<V: View>(&mut self, into: &mut ViewRows<V::Key, V::Sum>, (key, difference): RowOf<V>) {
        if let Some(value) = difference {
            into.add(key, At { time: self.0, value });
        }
    }
}

struct MergeRows;

impl Update<Rows, Rows> for MergeRows {
    fn update<V: View>(&mut self, rows: &mut ViewRows<V::Key, V::Sum>, later: &mut ViewRows<V::Key, V::Sum>) {
        rows.merge(std::mem::take(later));
    }
}

struct CountRows(usize);

impl Visit<Rows> for CountRows {
    type Error = Infallible;

    fn visit<V: View>(&mut self, rows: &ViewRows<V::Key, V::Sum>) -> Result<(), Infallible> {
        self.0 += rows.latest.len() + rows.differences.len();
        Ok(())
    }
}

/// The changes of all views up to a frontier. A worker fills it, the committer merges and writes it.
pub struct Changes {
    topics: Arc<Topics>,
    /// Ingest time of the last change, ms since 1970.
    pub(crate) last_time: u64,
    pub(crate) received: CopyRows,
    pub(crate) dead_letters: Vec<At<DeadLetter>>,
    pub(crate) alerts: Vec<At<AlertChange>>,
    pub(crate) evidence: Evidence,
    pub(crate) scored: Versions,
    pub(crate) pending: Latest<Source, Pending>,
    pub(crate) profiles: Latest<ProfileKey, Profile>,
    pub(crate) views: Views<Rows>,
    pub(crate) quality: Latest<QualityKey, i64>,
    pub(crate) books: Latest<BooksEntry, i64>,
    pub(crate) customers: Latest<Id, Customer>,
    pub(crate) stores: Latest<Id, Store>,
    pub(crate) products: Latest<Id, Product>,
    pub(crate) list: Vec<At<ListChange>>,
    pub(crate) rules: Vec<At<RulesChange>>,
    pub(crate) partitions: HashMap<PartitionId, PartitionPosition, RandomState>,
    pub(crate) watermark: Option<i64>,
}

impl Changes {
    /// Creates an empty set of changes. `topics` names the topics that the changes refer to by number.
    #[must_use]
    pub fn new(topics: Arc<Topics>) -> Self {
        Self {
            topics,
            last_time: 0,
            received: CopyRows::new(RECEIVED_COLUMNS),
            dead_letters: Vec::new(),
            alerts: Vec::new(),
            evidence: HashMap::default(),
            scored: Versions::default(),
            pending: Latest::default(),
            profiles: Latest::default(),
            views: Views::default(),
            quality: Latest::default(),
            books: Latest::default(),
            customers: Latest::default(),
            stores: Latest::default(),
            products: Latest::default(),
            list: Vec::new(),
            rules: Vec::new(),
            partitions: HashMap::default(),
            watermark: None,
        }
    }

    /// Adds a change of ingest time `time`, ms since 1970. The changes of one key come in the order of their
    /// times; of one time the last wins.
    pub fn push(&mut self, time: u64, change: ViewChange) {
        self.last_time = self.last_time.max(time);
        match change {
            ViewChange::Received(received) => self.receive(time, &received),
            ViewChange::DeadLetter(value) => self.dead_letters.push(At { time, value }),
            ViewChange::AlertChange(value) => self.alerts.push(At { time, value }),
            ViewChange::AlertEvidence(value) => {
                self.evidence.insert(value.transaction.clone(), At { time, value });
            }
            ViewChange::Scored(scored, change) => self.scored.push(time, scored, change),
            ViewChange::Pending(upsert) => put(&mut self.pending, time, upsert),
            ViewChange::Profile(upsert) => put(&mut self.profiles, time, upsert),
            ViewChange::Row(row) => row.take_into(&mut self.views, &mut PutAt(time)),
            ViewChange::RowDifference(difference) => {
                difference.take_into(&mut self.views, &mut AddAt(time));
            }
            ViewChange::Quality(upsert) => put(&mut self.quality, time, upsert),
            ViewChange::Books(upsert) => put(&mut self.books, time, upsert),
            ViewChange::Customer(upsert) => put(&mut self.customers, time, upsert),
            ViewChange::Store(upsert) => put(&mut self.stores, time, upsert),
            ViewChange::Product(upsert) => put(&mut self.products, time, upsert),
            ViewChange::ListChange(value) => self.list.push(At { time, value }),
            ViewChange::RulesChange(value) => self.rules.push(At { time, value }),
            ViewChange::Progress(progress) => {
                self.partitions.insert(progress.partition, progress);
            }
            ViewChange::Watermark(time) => self.watermark = self.watermark.max(Some(time)),
        }
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.weight() == 0 && self.partitions.is_empty() && self.watermark.is_none()
    }

    fn rows_of_views(&self) -> usize {
        let mut count = CountRows(0);
        let Ok(()) = self.views.visit(&mut count);
        count.0
    }

    /// Encodes the row at once: it needs no keys, and the committer's thread has less to do.
    fn receive(&mut self, time: u64, received: &Received) {
        let partition = received.source.partition();
        let rows = &mut self.received;
        rows.begin();
        rows.instant(micros(time));
        rows.instant(received.event_time);
        rows.count(received.source.offset());
        rows.int8(i64::from(received.schema_version));
        rows.int4(i32::from(partition.partition()));
        rows.text(self.topics.name(partition.topic()));
        rows.text(&String::from_utf8_lossy(&received.payload));
        rows.nullable(received.record_time, |rows, time| rows.instant(time));
        rows.nullable(received.final_before, |rows, time| rows.instant(time));
    }
}

impl Batch for Changes {
    fn merge(&mut self, mut later: Self) {
        self.last_time = self.last_time.max(later.last_time);
        // Rows of different columns cannot be appended to each other; these have the same.
        let appended = self.received.append(&later.received);
        debug_assert!(appended.is_ok());
        self.dead_letters.extend(later.dead_letters);
        self.alerts.extend(later.alerts);
        self.evidence.extend(later.evidence);
        self.scored.merge(later.scored);
        merge(&mut self.pending, later.pending);
        merge(&mut self.profiles, later.profiles);
        self.views.update(&mut later.views, &mut MergeRows);
        merge(&mut self.quality, later.quality);
        merge(&mut self.books, later.books);
        merge(&mut self.customers, later.customers);
        merge(&mut self.stores, later.stores);
        merge(&mut self.products, later.products);
        self.list.extend(later.list);
        self.rules.extend(later.rules);
        self.partitions.extend(later.partitions);
        self.watermark = self.watermark.max(later.watermark);
    }

    fn weight(&self) -> usize {
        self.received.rows() as usize
            + self.dead_letters.len()
            + self.alerts.len()
            + self.evidence.len()
            + self.scored.len()
            + self.pending.len()
            + self.profiles.len()
            + self.rows_of_views()
            + self.quality.len()
            + self.books.len()
            + self.customers.len()
            + self.stores.len()
            + self.products.len()
            + self.list.len()
            + self.rules.len()
    }
}

fn put<K: Hash + Eq, V>(latest: &mut Latest<K, V>, time: u64, (key, value): Upsert<K, V>) {
    latest.insert(key, At { time, value });
}

fn merge<K: Hash + Eq, V>(latest: &mut Latest<K, V>, later: Latest<K, V>) {
    if latest.is_empty() {
        *latest = later;
    } else {
        latest.extend(later);
    }
}
