//! Runs as they are reported.

use crate::output;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use streamflow_harness::compare::summary;
use streamflow_harness::machine;
use streamflow_harness::report::{Better, FORMAT, Figure, Machine, Report, Run};

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

/// A run of waits, of which there is at least one: their median and their 99th percentile, ms.
pub fn waits<const N: usize>(scenario: &str, mut times: [Duration; N]) -> Run {
    times.sort_unstable();
    let mut run = Run { scenario: scenario.to_owned(), ..Run::default() };
    for (name, place) in [("median", N / 2), ("p99", N * 99 / 100)] {
        less(&mut run, name, times[place].as_secs_f64() * 1000.0, "ms");
    }
    run
}

/// A report of this machine. `settings` are those that matter.
pub fn report<const N: usize>(settings: [(&str, String); N], seed: u64, runs: Vec<Run>) -> Report {
    Report {
        format: FORMAT,
        made_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        machine: Machine::this(),
        versions: versions(),
        settings: settings.map(|(name, value)| (name.to_owned(), value)).into(),
        seed,
        runs,
    }
}

/// Versions of what every measurement depends on.
pub fn versions() -> BTreeMap<String, String> {
    let kernel = ("kernel".to_owned(), machine::kernel());
    [("streamflow".to_owned(), env!("CARGO_PKG_VERSION").to_owned()), kernel].into()
}

/// Prints the report, and writes it to a directory.
pub fn publish(report: &Report, out: Option<&Path>) -> Result<()> {
    output::write(summary::table(report))?;
    if let Some(out) = out {
        output::line(format_args!("\nreport in {}", write(report, out)?.display()))?;
    }
    Ok(())
}

/// Writes the report to [`REPORT`] in a directory, which is made where it is not there, and returns its path.
pub fn write(report: &Report, directory: &Path) -> Result<PathBuf> {
    let path = directory.join(REPORT);
    let text = serde_json::to_string_pretty(report)? + "\n";
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(&path, text))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
