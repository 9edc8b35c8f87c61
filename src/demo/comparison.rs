//! The comparison of every table with its recomputation.

use crate::config::Config;
use crate::output;
use anyhow::Result;
use streamflow_connectors::postgres::connect;

/// Recomputes every table, prints a line for each, and returns whether all are equal.
///
/// Silver, alerts and profiles are recomputed from bronze by the oracle, gold from silver in SQL.
pub fn compare(config: &Config) -> Result<bool> {
    let mut client = connect(&config.postgres)?;
    let comparisons = streamflow_verification::all(&mut client, &config.rules.clone().into())?;
    for comparison in &comparisons {
        let verdict = if comparison.differing == 0 { "equal" } else { "DIFFERS" };
        output::line(format_args!("  {:<34} {:>9} rows  {verdict}", comparison.table, comparison.rows))?;
        for row in &comparison.sample {
            output::line(format_args!("      {row}"))?;
        }
    }
    let equal = comparisons.iter().all(|comparison| comparison.differing == 0);
    output::line(format_args!(
        "\n{}",
        if equal { "All tables are equal to their recomputation." } else { "Some tables DIFFER." }
    ))?;
    Ok(equal)
}
