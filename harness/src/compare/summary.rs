//! A report as a table.

use super::columns::aligned;
use super::series::{series, void_runs};
use super::spread::Spread;
use crate::report::Report;
use std::fmt::Write;

/// Every figure and latency with its spread over the runs; void runs below.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut rows = vec![["scenario", "", "min - median - max", "runs"].map(str::to_owned)];
    for series in series(report) {
        if let Some(spread) = Spread::of(&series.values) {
            let subject = &series.subject;
            rows.push([subject.scenario(), subject.measure(), spread.to_string(), spread.runs.to_string()]);
        }
    }
    let mut text = aligned(&rows);
    for void in void_runs(report) {
        // Writing to memory cannot fail.
        let _ = writeln!(text, "void: {void}");
    }
    text
}
