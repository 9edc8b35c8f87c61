//! What one transaction sends: the next rows of one snapshot of the tables, and the position after them.

use super::error::PublisherError;
use super::{alerts, dead_letters, metrics, record};
use postgres::Client;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::Message;
use streamflow_medallion::outbox::{Committed, Limits, Outbox, Page, ProgressRecord, WindowPosition};
use streamflow_model::timestamp::MINUTE;

/// A position in what is to be published; the default is the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// What is in Kafka.
    pub progress: ProgressRecord,
    /// Windows that begin before it, microseconds since 1970, have not changed since; `None` where that is
    /// unknown.
    pub oldest_open: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub alerts: Vec<Message>,
    pub dead_letters: Vec<Message>,
    pub windows: Vec<Message>,
    /// Transactions whose alerts are raised by their own event.
    pub raised: Vec<String>,
    /// The position after them.
    pub after: Position,
    /// The committed frontier of the snapshot, ms since 1970.
    pub frontier: i64,
    /// Whether more can be sent now.
    pub has_more: bool,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty() && self.dead_letters.is_empty() && self.windows.is_empty()
    }
}

pub struct Reader {
    /// The most messages of each kind.
    limits: Limits,
    /// How far behind the watermark windows can still change, in microseconds.
    horizon: i64,
    /// The shortest time between two queries for windows.
    interval: Duration,
    looked_at: Option<Instant>,
}

impl Reader {
    /// A reader that queries windows every `interval`. Windows that end a `horizon` (microseconds) or more
    /// behind the watermark are final.
    pub fn new(limits: Limits, horizon: i64, interval: Duration) -> Self {
        Self { limits, horizon, interval, looked_at: None }
    }

    /// The batch after `from`, for the holder of the lease `generation`.
    ///
    /// # Errors
    /// [`PublisherError::LeaseTaken`], [`PublisherError::Ahead`], and errors of PostgreSQL.
    pub fn next(
        &mut self,
        client: &mut Client,
        generation: i64,
        from: &Position,
    ) -> Result<Batch, PublisherError> {
        let mut outbox = Outbox::open(client)?;
        check_lease(outbox.committed(), generation)?;
        record::check(&from.progress, outbox.committed())?;
        let frontier = outbox.committed().frontier;
        let mut batch = Batch { after: from.clone(), frontier, ..Batch::default() };
        self.add_alerts(&mut outbox, &mut batch)?;
        self.add_dead_letters(&mut outbox, &mut batch)?;
        if self.looked_at.is_none_or(|at| at.elapsed() >= self.interval) {
            self.add_windows(&mut outbox, &mut batch)?;
        }
        Ok(batch)
    }

    fn add_alerts(&self, outbox: &mut Outbox<'_>, batch: &mut Batch) -> Result<(), PublisherError> {
        let last = &mut batch.after.progress.alert_number;
        let Page { rows, has_more } = outbox.alert_changes(*last, self.limits)?;
        for change in rows {
            expect("alert changes", *last, change.number);
            *last = change.number;
            batch.raised.extend(alerts::raised(&change));
            batch.alerts.push(alerts::message(change));
        }
        batch.has_more |= has_more;
        Ok(())
    }

    fn add_dead_letters(&self, outbox: &mut Outbox<'_>, batch: &mut Batch) -> Result<(), PublisherError> {
        let last = &mut batch.after.progress.dead_letter_number;
        let Page { rows, has_more } = outbox.dead_letters(*last, self.limits)?;
        for letter in rows {
            expect("dead letters", *last, letter.number);
            *last = letter.number;
            batch.dead_letters.push(dead_letters::message(letter));
        }
        batch.has_more |= has_more;
        Ok(())
    }

    fn add_windows(&mut self, outbox: &mut Outbox<'_>, batch: &mut Batch) -> Result<(), PublisherError> {
        let Position { progress, oldest_open } = &mut batch.after;
        let Page { rows, has_more } = outbox.windows(&progress.metrics, *oldest_open, self.limits.rows)?;
        batch.windows = rows.iter().map(metrics::message).collect::<Result<_, _>>()?;
        match rows.last().filter(|_| has_more) {
            // The next look goes on from here, at once.
            Some(window) => progress.metrics = window.position(),
            None => {
                let committed = outbox.committed();
                progress.metrics = WindowPosition { frontier: committed.frontier, window: None };
                *oldest_open = committed.watermark.map(|watermark| watermark - self.horizon - MINUTE);
                self.looked_at = Some(Instant::now());
            }
        }
        batch.has_more |= has_more;
        Ok(())
    }
}

/// Makes sure that no newer process publishes.
///
/// # Errors
/// [`PublisherError::LeaseTaken`].
pub fn check_lease(committed: &Committed, generation: i64) -> Result<(), PublisherError> {
    if committed.generation == generation {
        return Ok(());
    }
    Err(PublisherError::LeaseTaken { held: generation, current: committed.generation })
}

/// Logs an error if numbers are missing, because maintenance removed rows that were not published.
fn expect(what: &str, last: i64, next: i64) {
    if next != last + 1 {
        tracing::error!(after = last, before = next, "{what} were removed before they could be published");
    }
}
