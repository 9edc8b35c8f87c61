//! The comparison of every table with its recomputation.

use crate::config::Config;
use anyhow::Result;
use streamflow_connectors::postgres::connect;

/// Recomputes every table, prints a line for each, and returns whether all are equal.
///
/// Silver, alerts and profiles are recomputed from bronze by the oracle, gold from silver in SQL.
pub fn compare(config: &Config) -> Result<bool> {
    let mut client = connect(&config.postgres)?;
    let comparisons = streamflow_verification::all(&mut client, &config.rules)?;
    for comparison in &comparisons {
        let verdict = if comparison.differing == 0 { "equal" } else { "DIFFERS" };
        println!("  {:<34} {:>9} rows  {verdict}", comparison.table, comparison.rows);
        for row in &comparison.sample {
            println!("      {row}");
        }
    }
    let equal = comparisons.iter().all(|comparison| comparison.differing == 0);
    println!(
        "\n{}",
        if equal { "All tables are equal to their recomputation." } else { "Some tables DIFFER." }
    );
    Ok(equal)
}
