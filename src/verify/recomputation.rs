//! Compares the tables with their recomputation.

use super::check::{Check, Outcome};
use super::snapshot::Snapshot;
use crate::config::Config;
use anyhow::Result;
use streamflow_medallion::recompute::{self, Comparison};
use streamflow_verification::VerificationError;

const REBUILD: &str = "keep the database and report it; to mend it: runbook, \"Rebuild\"";

/// Recomputes gold from silver, with one check for each table.
pub fn from_silver(snapshot: &Snapshot<'_>, config: &Config) -> Result<Vec<Check>> {
    let comparisons = recompute::compare(&mut snapshot.connection(&config.postgres)?)?;
    Ok(comparisons.into_iter().map(check_of).collect())
}

/// Recomputes silver, alerts and gold from bronze, with one check for each table.
pub fn from_bronze(snapshot: &Snapshot<'_>, config: &Config) -> Result<Vec<Check>> {
    let mut client = snapshot.connection(&config.postgres)?;
    match streamflow_verification::against_bronze(&mut client, &config.rules) {
        Ok(comparisons) => Ok(comparisons.into_iter().map(check_of).collect()),
        Err(error @ VerificationError::Incomplete { .. }) => {
            let advice = "nothing to do: what is from silver is checked without --from-bronze";
            Ok(vec![Outcome::warn(error.to_string(), advice).of("recomputation from bronze")])
        }
        Err(error) => Err(error.into()),
    }
}

/// The check of one table.
pub fn check_of(comparison: Comparison) -> Check {
    let Comparison { table, rows, differing, sample } = comparison;
    let outcome = match differing {
        0 => Outcome::pass(format!("{rows} rows, as recomputed")),
        _ => Outcome::fail(format!("{differing} rows differ, of {rows}"), REBUILD).with_details(sample),
    };
    outcome.of(table)
}
