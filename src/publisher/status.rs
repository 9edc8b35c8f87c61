//! What can be seen of the publisher from outside.

use super::batch::Batch;
use super::error::PublisherError;
use super::record::Progress;
use crate::histogram::Histogram;
use crate::pipeline::LATENCY_BOUNDS;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use streamflow_connectors::source::now_ms;

/// Shared between the publisher and those who look at it.
#[derive(Default)]
pub struct Status {
    published: Mutex<Published>,
    activity: Mutex<Activity>,
    /// When the events of alerts on their way were appended to Kafka, microseconds since 1970, by transaction.
    expected: Mutex<HashMap<String, i64>>,
}

/// How far publishing is, and how it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Number of the last alert change in Kafka.
    pub alert_number: i64,
    /// Number of the last dead letter in Kafka.
    pub dead_letter_number: i64,
    /// Windows that last changed before this frontier are in Kafka, ms since 1970.
    pub metrics_frontier: i64,
    /// How it goes.
    pub state: State,
    /// The last error, also where it has been overcome.
    pub last_error: Option<String>,
}

/// How publishing goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It goes on.
    #[default]
    Running,
    /// Kafka or PostgreSQL is away.
    Retrying,
}

/// What publishing has done since the start.
#[derive(Clone, Debug)]
pub struct Activity {
    /// Every alert change and dead letter committed before this frontier is in Kafka, ms since 1970; 0 before the first look.
    pub frontier: u64,
    /// Transactions of Kafka.
    pub transactions: u64,
    /// Alert changes, dead letters and windows in them.
    pub sent: Sent,
    /// Attempts that failed and were repeated.
    pub retries: u64,
    /// Since when it has been repeating them, ms since 1970.
    pub retrying_since: Option<u64>,
    /// Seconds from the time of an event's record to the acknowledgement of the alert that it raised.
    pub latencies: Histogram,
}

impl Default for Activity {
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

/// Numbers of messages, and whom they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Alert changes.
    pub alerts: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// One-minute windows.
    pub windows: u64,
    /// Transactions whose alerts are raised.
    raised: Vec<String>,
}

impl Sent {
    /// What a batch sends.
    pub(super) fn of(batch: &Batch) -> Self {
        Self {
            alerts: batch.alerts.len() as u64,
            dead_letters: batch.dead_letters.len() as u64,
            windows: batch.windows.len() as u64,
            raised: batch.raised.clone(),
        }
    }
}

/// Alerts on their way whose events' times are remembered; in a long outage those of later ones are not.
const EXPECTED: usize = 100_000;

impl Status {
    /// A look at it.
    pub fn look(&self) -> Published {
        lock(&self.published).clone()
    }

    /// A look at what it has done.
    pub fn activity(&self) -> Activity {
        lock(&self.activity).clone()
    }

    /// The alert of a transaction whose record was appended at this time, microseconds since 1970, will come to be published.
    pub fn expect(&self, transaction: &str, appended_at: i64) {
        let mut expected = lock(&self.expected);
        if expected.len() < EXPECTED {
            expected.insert(transaction.to_owned(), appended_at);
        }
    }

    /// `complete` is the frontier before which everything is published, where that is so.
    pub(super) fn reached(&self, progress: &Progress, complete: Option<i64>) {
        let mut published = lock(&self.published);
        published.alert_number = progress.alert_number;
        published.dead_letter_number = progress.dead_letter_number;
        published.metrics_frontier = progress.metrics.frontier;
        published.state = State::Running;
        let mut activity = lock(&self.activity);
        activity.retrying_since = None;
        if let Some(frontier) = complete {
            activity.frontier = u64::try_from(frontier).unwrap_or(0);
        }
    }

    /// A transaction is acknowledged.
    pub(super) fn sent(&self, sent: &Sent) {
        let now = i64::try_from(now_ms()).unwrap_or(i64::MAX);
        let mut activity = lock(&self.activity);
        activity.transactions += 1;
        activity.sent.alerts += sent.alerts;
        activity.sent.dead_letters += sent.dead_letters;
        activity.sent.windows += sent.windows;
        let mut expected = lock(&self.expected);
        for appended_at in sent.raised.iter().filter_map(|transaction| expected.remove(transaction)) {
            activity.latencies.add((now - appended_at / 1000).max(0) as f64 / 1000.0);
        }
    }

    pub(super) fn retrying(&self, error: &PublisherError) {
        let mut published = lock(&self.published);
        published.state = State::Retrying;
        published.last_error = Some(error.to_string());
        let mut activity = lock(&self.activity);
        activity.retries += 1;
        activity.retrying_since.get_or_insert_with(now_ms);
    }
}

/// What the mutexes guard is whole after every statement, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
