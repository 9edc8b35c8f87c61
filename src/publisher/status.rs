//! What can be seen of the publisher from outside.

use super::error::PublisherError;
use super::record::Progress;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared between the publisher and those who look at it.
#[derive(Default)]
pub struct Status(Mutex<Published>);

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

impl Status {
    /// A look at it.
    pub fn look(&self) -> Published {
        self.lock().clone()
    }

    pub(super) fn reached(&self, progress: &Progress) {
        let mut published = self.lock();
        published.alert_number = progress.alert_number;
        published.dead_letter_number = progress.dead_letter_number;
        published.metrics_frontier = progress.metrics.frontier;
        published.state = State::Running;
    }

    pub(super) fn retrying(&self, error: &PublisherError) {
        let mut published = self.lock();
        published.state = State::Retrying;
        published.last_error = Some(error.to_string());
    }

    /// What the mutex guards is whole after every statement, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Published> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
