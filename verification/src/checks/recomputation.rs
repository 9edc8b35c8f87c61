//! Comparisons with a recomputation as checks.

use super::report::{Check, Outcome};
use crate::comparison::Comparison;
use crate::error::VerificationError;

const REBUILD: &str = "keep the database and report it; to mend it: runbook, \"Rebuild\"";

/// One check for each table.
pub(super) fn checks(comparisons: Vec<Comparison>) -> Vec<Check> {
    comparisons.into_iter().map(check).collect()
}

/// One check for each table; a warning where maintenance has dropped events or transactions.
pub(super) fn checks_if_complete(
    comparisons: Result<Vec<Comparison>, VerificationError>,
) -> Result<Vec<Check>, VerificationError> {
    match comparisons {
        Err(error @ (VerificationError::Incomplete { .. } | VerificationError::Removed)) => {
            let advice = "nothing to do: what is from silver is checked without --from-bronze";
            Ok(vec![Outcome::warn(error.to_string(), advice).of("recomputation from bronze")])
        }
        comparisons => comparisons.map(checks),
    }
}

fn check(comparison: Comparison) -> Check {
    let Comparison { table, rows, differing, sample } = comparison;
    let outcome = match differing {
        0 => Outcome::pass(format!("{rows} rows, as recomputed")),
        _ => Outcome::fail(format!("{differing} rows differ, of {rows}"), REBUILD).with_details(sample),
    };
    outcome.of(table)
}
