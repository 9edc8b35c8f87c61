//! The report, and the table of it.

use super::Options;
use super::servers::Servers;
use anyhow::Result;
use chrono::{SecondsFormat, Utc};
use std::collections::BTreeMap;
use std::fmt::Write;
use streamflow_harness::report::{FORMAT, Latency, Machine, Report, Run};
use streamflow_harness::table;

/// The report of these runs.
///
/// # Errors
/// PostgreSQL does not answer.
pub fn report(options: &Options, servers: &Servers, runs: Vec<Run>) -> Result<Report> {
    let mut versions = servers.versions()?;
    versions.extend(crate::bench::results::versions());
    let seconds = |duration: std::time::Duration| format!("{} s", duration.as_secs_f64());
    let mut settings = BTreeMap::from([
        ("scenario".to_owned(), options.scenario.name()),
        ("broker".to_owned(), servers.broker()),
        ("postgresql".to_owned(), servers.database()),
        ("workers".to_owned(), options.workers.to_string()),
        ("warm_up".to_owned(), seconds(options.warm_up)),
        ("repeat".to_owned(), options.repeat.to_string()),
        ("build".to_owned(), if cfg!(debug_assertions) { "with assertions" } else { "release" }.to_owned()),
    ]);
    for name in ["fsync", "synchronous_commit"] {
        settings.insert(name.to_owned(), servers.setting(name)?);
    }
    if let Some(duration) = options.duration {
        settings.insert("duration".to_owned(), seconds(duration));
    }
    if !options.servers.overrides.is_empty() {
        settings.insert("set".to_owned(), options.servers.overrides.join(" "));
    }
    Ok(Report {
        format: FORMAT,
        made_at: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        machine: Machine::this(),
        versions,
        settings,
        seed: options.seed,
        runs,
    })
}

/// What was measured on what: a line for each clock, then the other figures.
pub fn table(report: &Report) -> String {
    let Machine { processor, processors, memory } = &report.machine;
    let setting = |name: &str| report.settings.get(name).map_or("", String::as_str);
    let mut text = format!(
        "\n{processors} x {processor}, {} GiB; broker: {}; PostgreSQL: {}, fsync {}; workers: {}; build: {}\n\n",
        memory >> 30,
        setting("broker"),
        setting("postgresql"),
        setting("fsync"),
        setting("workers"),
        setting("build")
    );
    let rows: Vec<Vec<String>> = report.runs.iter().flat_map(rows).collect();
    if !rows.is_empty() {
        text += &table::format(
            1,
            &["scenario", "events/s", "ms to", "count", "p50", "p90", "p99", "p99.9", "max"],
            &rows,
        );
        text.push('\n');
    }
    for run in &report.runs {
        // Writing to memory cannot fail.
        let _ = writeln!(text, "{}", figures(run));
    }
    text
}

fn rows(run: &Run) -> impl Iterator<Item = Vec<String>> + '_ {
    run.latencies.iter().map(|(clock, latency)| {
        let Latency { count, p50, p90, p99, p99_9, max, .. } = latency;
        let offered = run.offered.map_or_else(String::new, |rate| format!("{rate:.0}"));
        let scenario =
            if run.void.is_some() { format!("{} (VOID)", run.scenario) } else { run.scenario.clone() };
        let milliseconds = [p50, p90, p99, p99_9, max].map(|micros| format!("{:.1}", *micros as f64 / 1e3));
        [scenario, offered, clock.clone(), count.to_string()].into_iter().chain(milliseconds).collect()
    })
}

fn figures(run: &Run) -> String {
    let figures = run.figures.iter().map(|(name, figure)| {
        let (value, unit) = match figure.unit.as_str() {
            "bytes" => (figure.value / f64::from(1 << 20), "MiB"),
            unit => (figure.value, unit),
        };
        format!("{} {value:.1} {unit}", name.replace('_', " "))
    });
    let figures = figures.collect::<Vec<_>>().join(", ");
    match &run.void {
        Some(void) => format!("{}: VOID, {void}; {figures}", run.scenario),
        None => format!("{}: {figures}", run.scenario),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamflow_harness::report::{Better, Figure};

    #[test]
    fn the_table_has_a_line_for_each_clock_and_says_what_is_void() {
        let latency = Latency { count: 3, p50: 1_260, max: 20_000, ..Latency::default() };
        let figure = Figure { value: f64::from(3 << 20), unit: "bytes".to_owned(), better: Better::Lower };
        let run = Run {
            scenario: "medallion".to_owned(),
            offered: Some(1000.0),
            void: Some("wrong result".to_owned()),
            figures: [("peak_memory".to_owned(), figure)].into(),
            latencies: [("commit".to_owned(), latency)].into(),
        };
        let cells: Vec<String> = rows(&run).next().unwrap();
        assert_eq!(cells, ["medallion (VOID)", "1000", "commit", "3", "1.3", "0.0", "0.0", "0.0", "20.0"]);
        assert_eq!(figures(&run), "medallion: VOID, wrong result; peak memory 3.0 MiB");
    }
}
