//! A report as a table.

use super::series::{series, void_runs};
use super::spread::Spread;
use crate::report::Report;
use crate::table;
use std::fmt::Write;

/// Every figure and latency with its spread over the runs; void runs below.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut rows = Vec::new();
    for series in series(report) {
        if let Some(spread) = Spread::of(&series.values) {
            let subject = &series.subject;
            rows.push([subject.scenario(), subject.measure(), spread.to_string(), spread.runs.to_string()]);
        }
    }
    let mut text = table::format(2, &["scenario", "", "min - median - max", "runs"], &rows);
    for void in void_runs(report) {
        // Writing to memory cannot fail.
        let _ = writeln!(text, "void: {void}");
    }
    text
}
