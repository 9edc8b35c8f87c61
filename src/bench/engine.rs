//! `bench engine`: the graph alone against the one-thread loop.

use super::events::{Events, Shape};
use super::{in_memory, one_thread, processor_time, results};
use anyhow::{Result, bail};
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use streamflow_harness::report::Run;

/// Measure the graph from bytes in memory to verdicts and all views, without Kafka and PostgreSQL, against a
/// loop on one thread that applies the same rules to the same bytes and keeps nothing.
///
/// Rounds of both alternate. Both must find the same alerts. `of the loop` is the graph's speed divided by the
/// loop's; `per core` counts processor time instead of the clock, so that other processes matter less.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Events of each round
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Customers
    #[arg(long, default_value_t = 100_000)]
    customers: u32,
    /// Worker threads of the graph
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,
    /// Rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Instead: how speed depends on the transactions of a customer, 10 to 10,000, in thirty days
    #[arg(long, conflicts_with_all = ["customers", "input"])]
    history: bool,
    /// Events of this file instead of generated ones, one JSON object a line; in order, each once, none corrected
    #[arg(long, conflicts_with_all = ["events", "customers", "seed"])]
    input: Option<PathBuf>,
    /// List entries for --input, one JSON object a line
    #[arg(long, requires = "input")]
    blacklist: Option<PathBuf>,
    /// Also how long an event is in each operator, which slows the graph down a little
    #[arg(long)]
    operators: bool,
    /// Also with so many shadow sets, of the live set's rules with other parameters: what each costs
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=16), conflicts_with = "history")]
    shadow_sets: u8,
    /// Directory for report.json
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Transactions a customer of `--history`.
const HISTORIES: [u64; 4] = [10, 100, 1000, 10_000];
/// Event time of `--history`: long enough that ten thousand transactions are no burst.
const HISTORY_DAYS: f64 = 30.0;

/// What is measured under a name.
struct Case {
    name: String,
    events: Arc<Events>,
    /// Sets beside the live one.
    shadows: u8,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let cases = cases(arguments)?;
    let mut rounds = Vec::new();
    for _ in 0..arguments.repeat {
        for case in &cases {
            rounds.push(round(case, arguments.operators)?);
        }
    }
    let alerts = rounds.iter().take(cases.len()).map(|round| round.alerts.to_string());
    let settings = [
        ("events", cases[0].events.count().to_string()),
        ("customers", customers(arguments)),
        ("workers", arguments.workers.to_string()),
        ("alerts", alerts.collect::<Vec<_>>().join(", ")),
    ];
    let runs = rounds.into_iter().map(|round| round.run).collect();
    let report = results::report(settings, arguments.seed, runs);
    results::publish(&report, arguments.out.as_deref())?;
    if let Some(problem) = report.runs.iter().find_map(|run| run.void.as_ref()) {
        bail!("{problem}");
    }
    Ok(ExitCode::SUCCESS)
}

/// How many there are, as a setting.
fn customers(arguments: &Arguments) -> String {
    match (&arguments.input, arguments.history) {
        (Some(_), _) => "those of the input".to_owned(),
        (None, true) => "by history".to_owned(),
        (None, false) => arguments.customers.to_string(),
    }
}

fn cases(arguments: &Arguments) -> Result<Vec<Case>> {
    let partitions = usize::from(arguments.workers);
    let case = |name: String, events: Events| Case { name, events: Arc::new(events), shadows: 0 };
    if let Some(input) = &arguments.input {
        let events = Events::read(input, arguments.blacklist.as_deref(), partitions)?;
        return Ok(vec![case("engine".to_owned(), events)]);
    }
    let Arguments { events, customers, seed, .. } = *arguments;
    if !arguments.history {
        let shape = Shape { events, customers, days: None, seed };
        let engine = case("engine".to_owned(), Events::generate(shape, partitions)?);
        let with = |shadows| Case {
            name: format!("engine and shadow sets: {shadows}"),
            events: Arc::clone(&engine.events),
            shadows,
        };
        let beside: Vec<Case> = (1..=arguments.shadow_sets).map(with).collect();
        return Ok([engine].into_iter().chain(beside).collect());
    }
    let of_length = |each: &u64| {
        let customers = u32::try_from((events / each).max(1)).unwrap_or(u32::MAX);
        let shape = Shape { events, customers, days: Some(HISTORY_DAYS), seed };
        Ok(case(format!("history of {each}"), Events::generate(shape, partitions)?))
    };
    HISTORIES.iter().map(of_length).collect()
}

/// One measurement of both, one after the other.
struct Round {
    run: Run,
    /// Those that the loop has found.
    alerts: u64,
}

fn round(case: &Case, operators: bool) -> Result<Round> {
    let started = Instant::now();
    let outcome = in_memory::run(&case.events, operators, case.shadows)?;
    let graph = Speed::new(&case.events, started.elapsed(), outcome.processor_time);
    let before = processor_time::of_this_thread();
    let started = Instant::now();
    let alerts = one_thread::count_alerts(&case.events)?;
    let elapsed = started.elapsed();
    let needed = before.zip(processor_time::of_this_thread()).map(|(before, after)| after - before);
    let line = Speed::new(&case.events, elapsed, needed);

    let mut run = Run { scenario: case.name.clone(), ..Run::default() };
    if i64::try_from(alerts) != Ok(outcome.alerts) {
        run.void = Some(format!("{} alerts of the graph, {alerts} of the loop", outcome.alerts));
    }
    graph.report(&mut run, "graph");
    line.report(&mut run, "loop");
    results::more(&mut run, "of the loop", graph.clock / line.clock, "x");
    if let (Some(graph), Some(line)) = (graph.per_core, line.per_core) {
        results::more(&mut run, "of the loop, per core", graph / line, "x");
    }
    results::more(&mut run, "changes of rows", outcome.changes as f64 / graph.seconds, "rows/s");
    report_operators(&mut run, &outcome.operators, case.events.count());
    Ok(Round { run, alerts })
}

/// Reports operators that take a hundredth of the time at least, and the others together.
fn report_operators(run: &mut Run, operators: &BTreeMap<String, Duration>, events: u64) {
    if operators.is_empty() {
        return;
    }
    let total: Duration = operators.values().sum();
    let (long, short): (Vec<_>, Vec<_>) = operators.iter().partition(|(_, time)| **time * 100 >= total);
    let short = short.into_iter().map(|(_, time)| *time).sum();
    let mut report = |name: &str, time: Duration| {
        let each = time.as_secs_f64() * 1e6 / events as f64;
        results::less(run, &format!("time in {name}"), each, "us an event");
    };
    long.into_iter().for_each(|(name, time)| report(name, *time));
    report("the others", short);
}

/// How fast events went, events a second.
struct Speed {
    seconds: f64,
    clock: f64,
    /// By processor time.
    per_core: Option<f64>,
}

impl Speed {
    fn new(events: &Events, elapsed: Duration, processor_time: Option<Duration>) -> Self {
        let events = events.count() as f64;
        let per_core = processor_time.filter(|time| !time.is_zero()).map(|time| events / time.as_secs_f64());
        Self { seconds: elapsed.as_secs_f64(), clock: events / elapsed.as_secs_f64(), per_core }
    }

    fn report(&self, run: &mut Run, name: &str) {
        results::more(run, name, self.clock, "events/s");
        if let Some(per_core) = self.per_core {
            results::more(run, &format!("{name}, per core"), per_core, "events/s");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::events::Line;

    fn case(shape: Shape, partitions: usize) -> Case {
        let events = Events::generate(shape, partitions).unwrap();
        Case { name: "engine".to_owned(), events: Arc::new(events), shadows: 1 }
    }

    #[test]
    fn the_graph_and_the_loop_find_the_same_alerts() {
        for (seed, workers) in [(1, 1), (2, 2), (3, 3)] {
            let shape = Shape { events: 30_000, customers: 3000, days: None, seed };
            let case = case(shape, workers);
            let alerts = one_thread::count_alerts(&case.events).unwrap();
            assert!(alerts > 10, "{alerts}");
            assert_eq!(in_memory::run(&case.events, false, case.shadows).unwrap().alerts, alerts as i64);
        }
    }

    #[test]
    fn they_do_so_with_long_histories() {
        let shape = Shape { events: 30_000, customers: 10, days: Some(30.0), seed: 4 };
        assert_eq!(round(&case(shape, 1), false).unwrap().run.void, None);
    }

    #[test]
    fn a_round_says_where_they_do_not() {
        let mut events =
            Events::generate(Shape { events: 100, customers: 10, days: None, seed: 1 }, 1).unwrap();
        // The same again: copies for the graph, a burst for the loop.
        let lines = &mut events.partitions[0];
        let again = lines.iter().map(|line| Line { place: line.place.clone(), ..*line });
        let again: Vec<_> = again.collect();
        lines.extend(again);
        let round =
            round(&Case { name: String::new(), events: Arc::new(events), shadows: 0 }, false).unwrap();
        assert!(round.run.void.unwrap().contains("alerts of the graph"));
    }
}
