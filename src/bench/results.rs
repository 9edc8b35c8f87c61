//! Runs as they are reported.

use super::machine;
use anyhow::{Context, Result};
use std::path::Path;
use streamflow_harness::compare::summary;
use streamflow_harness::report::{Better, FORMAT, Figure, Report, Run};

/// The file's name in its directory.
pub const REPORT: &str = "report.json";

/// Adds a figure of which more is better.
pub fn more(run: &mut Run, name: &str, value: f64, unit: &str) {
    run.figures.insert(name.to_owned(), Figure { value, unit: unit.to_owned(), better: Better::Higher });
}

/// Adds a figure of which less is better.
pub fn less(run: &mut Run, name: &str, value: f64, unit: &str) {
    run.figures.insert(name.to_owned(), Figure { value, unit: unit.to_owned(), better: Better::Lower });
}

/// A report of this machine. `settings` are those that matter.
pub fn report<const N: usize>(settings: [(&str, String); N], seed: u64, runs: Vec<Run>) -> Report {
    Report {
        format: FORMAT,
        made_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        machine: machine::this(),
        versions: machine::versions(),
        settings: settings.map(|(name, value)| (name.to_owned(), value)).into(),
        seed,
        runs,
    }
}

/// Prints the report, and writes it to a directory.
pub fn publish(report: &Report, out: Option<&Path>) -> Result<()> {
    print!("{}", summary::table(report));
    let Some(out) = out else { return Ok(()) };
    let path = out.join(REPORT);
    let text = serde_json::to_string_pretty(report)?;
    std::fs::create_dir_all(out)
        .and_then(|()| std::fs::write(&path, text))
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("\nreport in {}", path.display());
    Ok(())
}
