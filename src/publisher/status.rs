//! The publisher's status, for metrics and the status page.

use super::batch::Batch;
use super::error::PublisherError;
use crate::histogram::{Histogram, LATENCY_BOUNDS};
use crate::lock::lock;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use streamflow_connectors::source::now_ms;
use streamflow_medallion::outbox::ProgressRecord;
use timely::scheduling::SyncActivator;

/// Shared between the publisher and its observers.
#[derive(Default)]
pub struct PublisherStatus {
    published: Mutex<Published>,
    activity: Mutex<PublisherActivity>,
    /// When the events of alerts that Kafka has not acknowledged were appended, microseconds since 1970, by
    /// transaction.
    pending_alerts: Mutex<HashMap<String, i64>>,
    news: News,
    /// Kafka has nothing that was not committed when the lease was taken.
    confirmed: AtomicBool,
    /// The operator that waits for that.
    waits: Mutex<Option<SyncActivator>>,
}

/// Whether rows have been committed that the publisher has not looked for yet.
struct News {
    told: Sender<()>,
    heard: Receiver<()>,
}

impl Default for News {
    fn default() -> Self {
        let (told, heard) = bounded(1);
        Self { told, heard }
    }
}

/// How far publishing is, and whether it is working.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// The number of the last alert change in Kafka.
    pub alert_number: i64,
    /// The number of the last dead letter in Kafka.
    pub dead_letter_number: i64,
    /// Windows that last changed before this frontier are in Kafka, ms since 1970.
    pub metrics_frontier: i64,
    /// Whether batches are being sent.
    pub state: PublisherState,
    /// The last error, also where it has been overcome.
    pub last_error: Option<String>,
}

/// Whether batches are being sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublisherState {
    /// Each batch is sent.
    #[default]
    Running,
    /// Kafka or PostgreSQL is unavailable.
    Retrying,
}

/// Totals since the start.
#[derive(Clone, Debug)]
pub struct PublisherActivity {
    /// Every alert change and dead letter committed before this frontier is in Kafka, ms since 1970; 0 before
    /// the first query.
    pub frontier: u64,
    /// Kafka transactions.
    pub transactions: u64,
    /// Alert changes, dead letters and windows in them.
    pub sent: Sent,
    /// Attempts that failed and were retried.
    pub retries: u64,
    /// Since when attempts have been retried, ms since 1970.
    pub retrying_since: Option<u64>,
    /// Seconds from an event's record time to the acknowledgement of the alert that it raised.
    pub latencies: Histogram,
}

impl Default for PublisherActivity {
    fn default() -> Self {
        Self {
            frontier: 0,
            transactions: 0,
            sent: Sent::default(),
            retries: 0,
            retrying_since: None,
            latencies: Histogram::new(&LATENCY_BOUNDS),
        }
    }
}

/// Numbers of messages, and their transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    pub alerts: u64,
    pub dead_letters: u64,
    pub windows: u64,
    /// Transactions whose alerts were raised by their own event.
    raised: Vec<String>,
}

impl Sent {
    /// Counts a batch.
    pub(super) fn of(batch: &Batch) -> Self {
        Self {
            alerts: batch.alerts.len() as u64,
            dead_letters: batch.dead_letters.len() as u64,
            windows: batch.windows.len() as u64,
            raised: batch.raised.clone(),
        }
    }
}

/// How many of them at most; in a long outage later alerts are not measured.
const PENDING_ALERTS: usize = 100_000;

impl PublisherStatus {
    /// Takes note that Kafka has nothing that was not committed when the lease was taken.
    pub fn confirm(&self) {
        self.confirmed.store(true, Ordering::Release);
        if let Some(operator) = lock(&self.waits).take() {
            // Where its worker has gone there is nobody left to tell.
            let _ = operator.activate();
        }
    }

    /// There will be another publisher, here or in another process, which goes on from what is committed then.
    pub fn begin_anew(&self) {
        self.confirmed.store(false, Ordering::Release);
        lock(&self.waits).take();
        lock(&self.pending_alerts).clear();
        lock(&self.activity).retrying_since = None;
    }

    /// Has an operator scheduled when it is known.
    pub fn activate_when_confirmed(&self, operator: SyncActivator) {
        *lock(&self.waits) = Some(operator);
    }

    /// Whether that is known: before, nothing is committed.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed.load(Ordering::Acquire)
    }

    /// A look at it.
    pub fn look(&self) -> Published {
        lock(&self.published).clone()
    }

    /// Rows to be published have been committed: the publisher looks at once rather than at its next poll.
    pub fn tell_of_rows(&self) {
        // One that is told already looks once for both.
        let _ = self.news.told.try_send(());
    }

    /// Receives something after rows have been committed.
    pub(super) fn news(&self) -> Receiver<()> {
        self.news.heard.clone()
    }

    /// The current totals.
    pub fn activity(&self) -> PublisherActivity {
        lock(&self.activity).clone()
    }

    /// Remembers when the record of a transaction that has an alert was appended, microseconds since 1970, to
    /// measure the latency when Kafka acknowledges the alert.
    pub fn track_pending_alert(&self, transaction: &str, appended_at: i64) {
        let mut pending = lock(&self.pending_alerts);
        if pending.len() < PENDING_ALERTS {
            pending.insert(transaction.to_owned(), appended_at);
        }
    }

    /// `complete` is the frontier before which everything is published, where that is so.
    pub(super) fn reached(&self, progress: &ProgressRecord, complete: Option<i64>) {
        let mut published = lock(&self.published);
        published.alert_number = progress.alert_number;
        published.dead_letter_number = progress.dead_letter_number;
        published.metrics_frontier = progress.metrics.frontier;
        published.state = PublisherState::Running;
        let mut activity = lock(&self.activity);
        activity.retrying_since = None;
        if let Some(frontier) = complete {
            activity.frontier = u64::try_from(frontier).unwrap_or(0);
        }
    }

    /// Counts an acknowledged transaction.
    pub(super) fn sent(&self, sent: &Sent) {
        let now = i64::try_from(now_ms()).unwrap_or(i64::MAX);
        let mut activity = lock(&self.activity);
        activity.transactions += 1;
        activity.sent.alerts += sent.alerts;
        activity.sent.dead_letters += sent.dead_letters;
        activity.sent.windows += sent.windows;
        let mut pending = lock(&self.pending_alerts);
        for appended_at in sent.raised.iter().filter_map(|transaction| pending.remove(transaction)) {
            activity.latencies.add((now - appended_at / 1000).max(0) as f64 / 1000.0);
        }
    }

    pub(super) fn retrying(&self, error: &PublisherError) {
        let mut published = lock(&self.published);
        published.state = PublisherState::Retrying;
        published.last_error = Some(error.to_string());
        let mut activity = lock(&self.activity);
        activity.retries += 1;
        activity.retrying_since.get_or_insert_with(now_ms);
    }
}
