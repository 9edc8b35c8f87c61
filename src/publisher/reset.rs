//! Where publishing stands, and setting it elsewhere: for a new name, and after the database was restored.

use super::batch::{Batch, Position};
use super::error::PublisherError;
use super::record;
use super::session::{PATIENCE, Session, TRANSACTION_TIMEOUT};
use crate::config::Config;
use postgres::Client;
use std::fmt;
use streamflow_medallion::outbox::{Committed, Outbox, ProgressRecord, WindowPosition};

/// What is in the database, and what is in Kafka of it.
pub struct Standing {
    pub committed: Committed,
    pub published: ProgressRecord,
}

/// Where publishing is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// After everything that is committed.
    Now,
    /// After these numbers; without one of dead letters where they stand.
    After { alert_number: i64, dead_letter_number: Option<i64> },
}

impl Standing {
    /// Asks the database and Kafka.
    ///
    /// # Errors
    /// Who cannot be reached, or refuses.
    pub fn look(config: &Config, client: &mut Client) -> Result<Self, PublisherError> {
        let committed = Outbox::open(client)?.committed().clone();
        Ok(Self { committed, published: record::published(config, PATIENCE)? })
    }

    /// The record of a target; `None` where the database does not have as much.
    pub fn record(&self, target: Target) -> Option<ProgressRecord> {
        let Self { committed, published } = self;
        let now = WindowPosition { frontier: committed.frontier, window: None };
        let (alert_number, dead_letter_number, metrics) = match target {
            Target::Now => (committed.alert_number, committed.dead_letter_number, now),
            Target::After { alert_number, dead_letter_number } => {
                let known = published.metrics.frontier <= committed.frontier;
                let letters = published.dead_letter_number.min(committed.dead_letter_number);
                let metrics = if known { published.metrics.clone() } else { now };
                (alert_number, dead_letter_number.unwrap_or(letters), metrics)
            }
        };
        let has = (0..=committed.alert_number).contains(&alert_number)
            && (0..=committed.dead_letter_number).contains(&dead_letter_number);
        has.then_some(ProgressRecord { alert_number, dead_letter_number, metrics })
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { committed, published } = self;
        writeln!(f, "{:<13}  {:>12}  {:>12}  {:>12}", "", "committed", "published", "waiting")?;
        for (what, committed, published) in [
            ("alert changes", committed.alert_number, published.alert_number),
            ("dead letters", committed.dead_letter_number, published.dead_letter_number),
        ] {
            writeln!(f, "{what:<13}  {committed:>12}  {published:>12}  {:>12}", committed - published)?;
        }
        Ok(())
    }
}

/// Makes `progress` the position of the configured publisher. One that runs under its name is fenced and ends.
///
/// # Errors
/// Errors of Kafka. Unless the error is final, it is unknown whether it took effect.
pub fn reset(config: &Config, progress: ProgressRecord) -> Result<(), PublisherError> {
    super::create_topics(config)?;
    let mut session = Session::open(config, TRANSACTION_TIMEOUT)?;
    let batch = Batch { after: Position { progress, oldest_open: None }, ..Batch::default() };
    session.prepare(&batch)?;
    session.commit(batch, PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Standing {
        let committed = Committed {
            generation: 1,
            frontier: 700,
            alert_number: 12,
            dead_letter_number: 3,
            watermark: None,
        };
        let metrics = WindowPosition { frontier: 600, window: None };
        Standing { committed, published: ProgressRecord { alert_number: 20, dead_letter_number: 2, metrics } }
    }

    #[test]
    fn now_is_after_everything_that_is_committed() {
        let metrics = WindowPosition { frontier: 700, window: None };
        let expected = ProgressRecord { alert_number: 12, dead_letter_number: 3, metrics };
        assert_eq!(standing().record(Target::Now), Some(expected));
    }

    #[test]
    fn a_number_leaves_the_rest_where_it_stands() {
        let target = Target::After { alert_number: 5, dead_letter_number: None };
        let metrics = WindowPosition { frontier: 600, window: None };
        let expected = ProgressRecord { alert_number: 5, dead_letter_number: 2, metrics };
        assert_eq!(standing().record(target), Some(expected));
    }

    #[test]
    fn what_the_database_does_not_have_is_refused() {
        for (alert_number, dead_letter_number) in [(13, None), (-1, None), (0, Some(4))] {
            assert_eq!(standing().record(Target::After { alert_number, dead_letter_number }), None);
        }
    }

    #[test]
    fn what_waits_is_shown() {
        let text = standing().to_string();
        assert!(text.contains("alert changes            12            20            -8"), "{text}");
    }
}
