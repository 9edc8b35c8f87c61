//! Whether the results are right. A wrong one voids the figures: it is easy to be fast and wrong.

use super::deployment::Deployment;
use anyhow::Result;
use streamflow_verification::checks::{self, Depth, FreshnessLimits, Grade, Scope};

/// Events up to which everything is also recomputed from them: they are held in memory, two kilobytes each.
const RECOMPUTED: u64 = 400_000;

/// The pipeline has ended: its frontier stands still.
const NO_LIMIT: FreshnessLimits = FreshnessLimits { warn: f64::MAX, fail: f64::MAX };

/// The first thing that is wrong, if anything is. `events`: how many were committed.
///
/// # Errors
/// Those of the database, where the broker is a test double; else what cannot be checked is wrong.
pub fn wrong(deployment: &Deployment, events: u64, is_mock: bool) -> Result<Option<String>> {
    let config = &deployment.config;
    if is_mock {
        // It forgets records and has no times of its own: only the tables can be compared.
        let comparisons =
            streamflow_verification::all(&mut deployment.connect()?, &config.rules.clone().into())?;
        let differing = comparisons.into_iter().find(|comparison| comparison.differing > 0);
        return Ok(differing.map(|found| format!("{}: {} rows differ", found.table, found.differing)));
    }
    let scope = Scope { depth: Depth::Full, from_bronze: events <= RECOMPUTED, freshness: NO_LIMIT };
    let report = checks::run(&config.deployment(), scope);
    let failed =
        report.checks().iter().find(|check| matches!(check.outcome.grade, Grade::Fail | Grade::Error));
    Ok(failed.map(|check| format!("{}: {}", check.name, check.outcome.found)))
}
