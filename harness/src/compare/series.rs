//! What a report's runs say, figure by figure.

use crate::report::{Better, Latency, Report, Run};

/// What a series is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The scenario's name.
    pub scenario: String,
    /// Events offered a second; none where a scenario goes as fast as it can.
    pub offered: Option<f64>,
    /// What was measured.
    pub measure: Measure,
    /// The unit of its values.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// A figure, by name.
    Figure(String),
    /// A latency.
    Latency {
        /// Its clock.
        clock: String,
        /// Its percentile, for example `p99`.
        percentile: &'static str,
    },
}

/// The values of the runs that count.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What they are about.
    pub subject: Subject,
    /// One of each run, in their order.
    pub values: Vec<f64>,
}

/// The percentiles of a latency, milliseconds.
fn percentiles(latency: &Latency) -> [(&'static str, f64); 5] {
    let Latency { p50, p90, p99, p99_9, max, .. } = *latency;
    [("p50", p50), ("p90", p90), ("p99", p99), ("p99.9", p99_9), ("max", max)]
        .map(|(name, micros)| (name, micros as f64 / 1000.0))
}

/// All series of a report, in the order of its runs. Void runs are left out.
#[must_use]
pub fn series(report: &Report) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for (subject, value) in report.runs.iter().filter(|run| run.void.is_none()).flat_map(values) {
        match all.iter_mut().find(|series| series.subject == subject) {
            Some(series) => series.values.push(value),
            None => all.push(Series { subject, values: vec![value] }),
        }
    }
    all
}

fn values(run: &Run) -> Vec<(Subject, f64)> {
    let subject = |measure, unit: &str, better| Subject {
        scenario: run.scenario.clone(),
        offered: run.offered,
        measure,
        unit: unit.to_owned(),
        better,
    };
    let figures = run.figures.iter().map(|(name, figure)| {
        (subject(Measure::Figure(name.clone()), &figure.unit, figure.better), figure.value)
    });
    let latencies = run.latencies.iter().filter(|(_, latency)| latency.count > 0);
    let latencies = latencies.flat_map(|(clock, latency)| {
        percentiles(latency).map(|(percentile, value)| {
            (subject(Measure::Latency { clock: clock.clone(), percentile }, "ms", Better::Lower), value)
        })
    });
    figures.chain(latencies).filter(|(_, value)| value.is_finite()).collect()
}

/// Each void run of a report, and why it does not count.
#[must_use]
pub fn void_runs(report: &Report) -> Vec<String> {
    let void = report.runs.iter().filter_map(|run| {
        Some(format!("{}: {}", scenario_at(&run.scenario, run.offered), run.void.as_ref()?))
    });
    void.collect()
}

impl Subject {
    /// The scenario, with the rate where there is one.
    #[must_use]
    pub fn scenario(&self) -> String {
        scenario_at(&self.scenario, self.offered)
    }

    /// The measure with its unit.
    #[must_use]
    pub fn measure(&self) -> String {
        format!("{} ({})", self.measure.name(), self.unit)
    }
}

impl Measure {
    /// What people call it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Figure(name) => name.clone(),
            Self::Latency { clock, percentile } => format!("{clock} {percentile}"),
        }
    }
}

fn scenario_at(scenario: &str, offered: Option<f64>) -> String {
    match offered {
        Some(rate) => format!("{scenario} at {rate:.0}/s"),
        None => scenario.to_owned(),
    }
}
