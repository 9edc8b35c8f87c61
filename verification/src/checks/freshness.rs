//! Checks how far the committed frontier is behind the clock.

use super::report::{Check, Outcome};
use crate::error::VerificationError;
use crate::snapshot::Snapshot;

/// How far behind the committed frontier may be, seconds.
#[derive(Clone, Copy, Debug)]
pub struct FreshnessLimits {
    /// From here on it is a warning.
    pub warn: f64,
    /// A failure from this many seconds on.
    pub fail: f64,
}

/// Now, by the clock of the database, less the committed frontier.
///
/// # Errors
/// What the server or the connection says.
pub fn check(snapshot: &mut Snapshot<'_>, limits: FreshnessLimits) -> Result<Vec<Check>, VerificationError> {
    // The snapshot's own time: the checks before this one may have taken long.
    let sql = "SELECT frontier, (extract(epoch FROM transaction_timestamp()) - frontier / 1000.0)::float8 \
               FROM streamflow.progress";
    let row = snapshot.row(sql, &[])?;
    let frontier: i64 = row.try_get(0)?;
    if frontier == 0 {
        let advice = "streamflow run; where it runs, see its log";
        return Ok(vec![Outcome::warn("nothing has been committed yet", advice).of("freshness")]);
    }
    Ok(vec![outcome(row.try_get(1)?, limits).of("freshness")])
}

fn outcome(seconds: f64, limits: FreshnessLimits) -> Outcome {
    let found = format!("the committed frontier is {:.1} s behind", seconds.max(0.0));
    let advice = "runbook, \"First look\": is it running, is it catching up?";
    if seconds < limits.warn {
        Outcome::pass(found)
    } else if seconds < limits.fail {
        Outcome::warn(found, advice)
    } else {
        Outcome::fail(found, advice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::report::Grade;

    #[test]
    fn limits_belong_to_the_worse_side() {
        let limits = FreshnessLimits { warn: 10.0, fail: 60.0 };
        for (seconds, grade) in [
            (-1.0, Grade::Pass),
            (9.9, Grade::Pass),
            (10.0, Grade::Warn),
            (59.9, Grade::Warn),
            (60.0, Grade::Fail),
        ] {
            assert_eq!(outcome(seconds, limits).grade, grade, "{seconds}");
        }
    }
}
