//! The report as text and as JSON.

use anyhow::Result;
use clap::ValueEnum;
use std::fmt::Write;
use streamflow_verification::checks::{Grade, Report};

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For machines: one JSON array.
    Json,
}

/// Formats the report; `colours` has no effect on JSON.
pub fn format(report: &Report, format: Format, colours: bool) -> Result<String> {
    match format {
        Format::Json => Ok(serde_json::to_string_pretty(report.checks())? + "\n"),
        Format::Table => Ok(table(report, colours)?),
    }
}

/// A line a check: grade, name, what was found; below it what to do, and cases.
fn table(report: &Report, colours: bool) -> Result<String, std::fmt::Error> {
    let width = report.checks().iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for check in report.checks() {
        let grade = coloured(check.outcome.grade, colours);
        writeln!(text, "{grade}  {:<width$}  {}", check.name, check.outcome.found)?;
        for case in &check.outcome.details {
            writeln!(text, "{:7}{:width$}    {case}", "", "")?;
        }
        if let Some(advice) = &check.outcome.advice {
            writeln!(text, "{:7}{:width$}  -> {advice}", "", "")?;
        }
    }
    let count = |grade| report.count(grade);
    writeln!(
        text,
        "\n{} checks: {} passed, {} warned, {} failed, {} could not be made",
        report.checks().len(),
        count(Grade::Pass),
        count(Grade::Warn),
        count(Grade::Fail),
        count(Grade::Error)
    )?;
    Ok(text)
}

/// Five characters wide.
fn coloured(grade: Grade, colours: bool) -> String {
    let (word, colour) = match grade {
        Grade::Pass => ("pass ", 32),
        Grade::Warn => ("warn ", 33),
        Grade::Fail => ("FAIL ", 31),
        Grade::Error => ("error", 31),
    };
    if colours { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamflow_verification::checks::Outcome;

    fn report() -> Report {
        let mut report = Report::default();
        report.add(Outcome::pass("15.4").of("postgresql"));
        let cases = vec!["stored (1)".to_owned()];
        report.add(Outcome::fail("1 row differs", "rebuild").with_details(cases).of("gold.x"));
        report
    }

    #[test]
    fn a_line_a_check_and_below_it_what_to_do() {
        let text = format(&report(), Format::Table, false).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "pass   postgresql  15.4");
        assert_eq!(lines[1], "FAIL   gold.x      1 row differs");
        assert_eq!(lines[2].trim(), "stored (1)");
        assert_eq!(lines[3].trim(), "-> rebuild");
        assert_eq!(lines[5], "2 checks: 1 passed, 0 warned, 1 failed, 0 could not be made");
    }

    #[test]
    fn colours_are_for_terminals() {
        assert!(!format(&report(), Format::Table, false).unwrap().contains('\x1b'));
        assert!(format(&report(), Format::Table, true).unwrap().starts_with("\x1b[32mpass \x1b[0m"));
        let json: serde_json::Value =
            serde_json::from_str(&format(&report(), Format::Json, true).unwrap()).unwrap();
        assert_eq!((&json[1]["check"], &json[1]["verdict"]), (&"gold.x".into(), &"fail".into()));
    }
}
