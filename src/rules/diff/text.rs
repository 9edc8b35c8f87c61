//! A report as text.

use super::report::{Accuracy, Counts, Example, Report, Said, amount};
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use streamflow_model::timestamp::Rfc3339;

/// For a terminal.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string never fails.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    let Report { subject, period, total, transactions, .. } = report;
    writeln!(out, "live:      {}\ncandidate: {}", subject.live, subject.candidate)?;
    let since = match period.since {
        i64::MIN => "of all times".to_owned(),
        since => format!("since {}", Rfc3339(since)),
    };
    writeln!(out, "{transactions} transactions {since}\n")?;
    writeln!(out, "{}", line("alerts", total))?;
    match (&report.on_activation, period.applies_from) {
        (Some(counts), Some(from)) => {
            writeln!(
                out,
                "activation would now raise {}, withdraw {} and revise {} alerts: those since {}; what is older is final",
                counts.gained,
                counts.lost,
                counts.moved,
                Rfc3339(from)
            )?;
        }
        _ => writeln!(
            out,
            "activation changes what lies within the correction horizon; what is older is final"
        )?,
    }
    for (currency, money) in &report.money {
        let [gained, lost, moved] = [money.gained, money.lost, money.moved].map(amount);
        writeln!(out, "{currency}: {gained} gained, {lost} lost, {moved} moved")?;
    }
    if let Some(labels) = &report.labels {
        writeln!(out, "\n{} transactions are known to be fraud", labels.fraud)?;
        writeln!(out, "live:      {}\ncandidate: {}", accuracy(&labels.live), accuracy(&labels.candidate))?;
    }
    for (title, groups) in [
        ("by rule", &report.by_rule),
        ("by day", &report.by_day),
        ("by category of the store", &report.by_category),
    ] {
        table(out, title, groups)?;
    }
    for (title, examples) in [
        ("gained", &report.examples.gained),
        ("lost", &report.examples.lost),
        ("moved", &report.examples.moved),
    ] {
        if !examples.is_empty() {
            writeln!(out, "\n{title}, for example")?;
        }
        examples.iter().try_for_each(|example| write_example(out, example))?;
    }
    Ok(())
}

fn line(of: &str, counts: &Counts) -> String {
    let Counts { live, candidate, gained, lost, moved } = counts;
    format!("{of}: {live} live, {candidate} of the candidate: {gained} gained, {lost} lost, {moved} moved")
}

/// For example `41 right, precision 0.9500, recall 0.8100`.
pub(super) fn accuracy(accuracy: &Accuracy) -> String {
    let share =
        |share: Option<f64>| share.map_or_else(|| "unknown".to_owned(), |share| format!("{share:.4}"));
    let (precision, recall) = (share(accuracy.precision), share(accuracy.recall));
    format!("{} right, precision {precision}, recall {recall}", accuracy.right)
}

fn table(out: &mut String, title: &str, groups: &BTreeMap<String, Counts>) -> fmt::Result {
    if groups.is_empty() {
        return Ok(());
    }
    let width = groups.keys().map(|name| name.chars().count()).max().unwrap_or(0).max(title.len());
    writeln!(
        out,
        "\n{title:<width$}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}",
        "live", "candidate", "gained", "lost", "moved"
    )?;
    for (name, Counts { live, candidate, gained, lost, moved }) in groups {
        writeln!(out, "{name:<width$}  {live:>9}  {candidate:>9}  {gained:>9}  {lost:>9}  {moved:>9}")?;
    }
    Ok(())
}

fn write_example(out: &mut String, example: &Example) -> fmt::Result {
    let Example { transaction_id, customer_id, store_id, amount, currency, timestamp, is_fraud, .. } =
        example;
    let known = if *is_fraud { ", known to be fraud" } else { "" };
    writeln!(
        out,
        "  {transaction_id}: {amount} {currency} by {customer_id} at {store_id}, {timestamp}{known}"
    )?;
    for (set, said) in [("live", &example.live), ("candidate", &example.candidate)] {
        if let Some(Said { fraud_score, rules, evidence }) = said {
            writeln!(out, "    {set:<9}  {fraud_score} by {}: {evidence}", rules.join(", "))?;
        }
    }
    Ok(())
}
