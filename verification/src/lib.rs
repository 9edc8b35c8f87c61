//! Checks the tables against a recomputation from the events in bronze.
//!
//! ```text
//! bronze.raw_transactions ─┐
//! silver.blacklist ────────┼─ oracle ──> expected rows ─┐
//! streamflow.rules ────────┘                            ├─ compared by key
//! silver, gold, books, progress ───────> stored rows ───┘
//! bronze.raw_fraud_alerts ── folded ───> expected alerts ── compared with the current ones
//! ```
//!
//! The oracle shares no code with the dataflow. Every accepted event is accepted again, whatever its age: lateness was decided when
//! it was read. Only an id that was used again after it had been forgotten differs: the recomputation takes it for a duplicate.

mod bronze;
pub mod comparison;
mod error;
pub mod evidence;
mod outbox;
mod progress;
mod recomputation;
mod rules;
mod snapshot;
mod tables;
mod topics;

pub use error::VerificationError;
pub use streamflow_medallion::recompute::Comparison;

use postgres::Client;
use snapshot::Snapshot;
use streamflow_dataflow::detectors::Rules;
use streamflow_medallion::recompute;

/// Compares silver, gold, the books and the progress with a recomputation from bronze, all in one snapshot. `rules` are those in
/// force before the first version in `streamflow.rules`.
///
/// Holds all events in memory, about 2 kB each; half a million take some twenty seconds.
///
/// # Errors
/// An error of the server or the connection; [`VerificationError::Incomplete`] where maintenance has dropped events.
pub fn against_bronze(client: &mut Client, rules: &Rules) -> Result<Vec<Comparison>, VerificationError> {
    let mut snapshot = Snapshot::take(client)?;
    let topics = topics::Topics::read(&mut snapshot)?;
    let received = bronze::read(&mut snapshot, &topics)?;
    let state = progress::State::read(&mut snapshot)?;
    let expected = recomputation::recompute(&mut snapshot, &topics, &received, &state, rules)?;
    let mut comparisons = vec![
        bronze::compare_received(received, &expected),
        bronze::compare_dead_letters(&mut snapshot, &topics)?,
        progress::compare_books(&mut snapshot, &topics, &state, &expected)?,
        progress::compare_progress(&mut snapshot, &state)?,
    ];
    comparisons.extend(outbox::compare(&mut snapshot)?);
    comparisons.extend(tables::compare(&mut snapshot, &topics, &state, expected)?);
    Ok(comparisons)
}

/// [`against_bronze`], and [`recompute::compare`]: gold from silver, in SQL, in a snapshot of its own.
///
/// # Errors
/// As for [`against_bronze`].
pub fn all(client: &mut Client, rules: &Rules) -> Result<Vec<Comparison>, VerificationError> {
    let mut comparisons = against_bronze(client, rules)?;
    comparisons.extend(recompute::compare(client)?);
    Ok(comparisons)
}
