//! `bench compare`: two reports against each other.

use super::results::REPORT;
use crate::output;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use streamflow_harness::compare::Comparison;
use streamflow_harness::plot;
use streamflow_harness::report::{FORMAT, Report};

/// Compare two reports: for each scenario, figure and latency the ratio, the spread over repeated runs, and
/// which is better.
///
/// One is better where not even its worst run is as bad as the other's best. Void runs are named and left out.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A report, or the directory with its report.json
    before: PathBuf,
    /// The report to compare with it
    after: PathBuf,
    /// Where to draw latencies over rates, or ratios where no rate was swept
    #[arg(long, default_value = "compare.svg")]
    svg: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (before, after) = (read(&arguments.before)?, read(&arguments.after)?);
    let comparison = Comparison::new(&before, &after);
    output::write(&comparison)?;
    if comparison.rows.is_empty() {
        bail!("the reports have nothing in common");
    }
    let picture = plot::draw(&comparison).context("cannot draw")?;
    std::fs::write(&arguments.svg, picture)
        .with_context(|| format!("cannot write {}", arguments.svg.display()))?;
    output::line(format_args!("\npicture in {}", arguments.svg.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Report> {
    let path = if path.is_dir() { path.join(REPORT) } else { path.to_owned() };
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let report: Report =
        serde_json::from_str(&text).with_context(|| format!("{} is no report", path.display()))?;
    if report.format != FORMAT {
        bail!("{} has format {}: must be {FORMAT}", path.display(), report.format);
    }
    Ok(report)
}
