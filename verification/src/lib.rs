//! Everything that verifies: the tables against two recomputations, and the database against Kafka.
//!
//! ```text
//! bronze.raw_transactions ─┐
//! silver.blacklist ────────┼─ oracle ──> expected rows ─┐
//! gold.rule_versions ──────┘                            ├─ compared by key: `bronze`
//! silver, gold, books, progress ───────> stored rows ───┘
//! bronze.raw_fraud_alerts ── folded ───> expected alerts ── compared with the current ones
//!
//! silver.transactions ── SQL ──────────> expected rows ──── compared by `silver`
//!
//! Kafka's topics, offsets and records ── compared with progress, books, bronze and outbox by `checks`, which include all of these
//! ```
//!
//! Every view of the dataflow's list is compared from silver and from bronze. The oracle shares no code with
//! the dataflow. Every accepted event is accepted again, whatever its age: lateness was decided when it was
//! read. Only an id that was used again after it had been forgotten differs: the recomputation takes it for a
//! duplicate.

mod bronze;
pub mod checks;
pub mod comparison;
mod error;
pub mod evidence;
mod refused;
mod silver;
mod snapshot;
mod views;

pub use comparison::Comparison;
pub use error::VerificationError;

use postgres::Client;
use snapshot::Snapshot;
use streamflow_dataflow::rules::RuleSet;

/// Compares gold with its recomputation from silver in SQL. Reads every transaction several times: some
/// fifteen seconds for a million.
///
/// # Errors
/// Those of the server and the connection; the user grants the right to read all schemas.
pub fn against_silver(client: &mut Client) -> Result<Vec<Comparison>, VerificationError> {
    silver::compare(&mut Snapshot::take(client)?)
}

/// Compares all tables in one snapshot: silver, gold, the books and the progress with a recomputation from
/// bronze by the oracle, and gold with its recomputation from silver. `rules` are those in force before the
/// first version in `gold.rule_versions`.
///
/// Holds all events in memory, about 2 kB each; half a million take some twenty seconds.
///
/// # Errors
/// As for [`against_silver`]; [`VerificationError::Incomplete`] where maintenance has dropped events, and
/// [`VerificationError::Removed`] where it has removed transactions.
pub fn all(client: &mut Client, rules: &RuleSet) -> Result<Vec<Comparison>, VerificationError> {
    let mut snapshot = Snapshot::take(client)?;
    let mut comparisons = bronze::compare(&mut snapshot, rules)?;
    comparisons.extend(silver::compare(&mut snapshot)?);
    Ok(comparisons)
}
