//! A report: what was measured, on what, and how far the figures can be trusted.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of this format.
pub const FORMAT: u32 = 1;

/// One call of the harness. Written as JSON, read by the comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// When it was made, RFC 3339.
    pub made_at: String,
    /// Where it ran.
    pub machine: Machine,
    /// Versions by name: `streamflow`, `kafka`, `postgresql`, `kernel`.
    pub versions: BTreeMap<String, String>,
    /// The settings that matter, by name: workers, rate, duration, the broker's kind.
    pub settings: BTreeMap<String, String>,
    /// What generated events are drawn from.
    pub seed: u64,
    /// What was measured, in the order of the runs.
    pub runs: Vec<Run>,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Processors that the operating system offers.
    pub processors: usize,
    /// Memory, bytes.
    pub memory: u64,
}

/// One run of a scenario. A repeated scenario has several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The scenario's name.
    pub scenario: String,
    /// Events offered a second; none where a scenario goes as fast as it can.
    pub offered: Option<f64>,
    /// Why the figures do not count: the generator fell behind, or a result was wrong.
    pub void: Option<String>,
    /// Figures by name.
    pub figures: BTreeMap<String, Figure>,
    /// Latencies by clock: `decision`, `commit`, `readable`.
    pub latencies: BTreeMap<String, Latency>,
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// In `unit`.
    pub value: f64,
    /// For example `events/s`, `ms`, `bytes`, `percent of a core`.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
}

/// Which way a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// The larger the better.
    Higher,
    /// The smaller the better.
    Lower,
}

/// How long something took, counted from when it was due. Microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Number of measurements.
    pub count: u64,
    /// Median.
    pub p50: u64,
    /// One of ten is longer.
    pub p90: u64,
    /// One of a hundred is longer.
    pub p99: u64,
    /// One of a thousand is longer.
    pub p99_9: u64,
    /// The longest.
    pub max: u64,
    /// The whole histogram: HdrHistogram's V2 encoding with deflate, in base64.
    pub histogram: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let figure = Figure { value: 0.5, unit: "events/s".to_owned(), better: Better::Higher };
        let run = Run {
            scenario: "medallion".to_owned(),
            offered: Some(2000.0),
            figures: [("throughput".to_owned(), figure)].into(),
            latencies: [("commit".to_owned(), Latency { count: 1, ..Latency::default() })].into(),
            ..Run::default()
        };
        let report = Report {
            format: FORMAT,
            made_at: "2026-01-31T23:59:59Z".to_owned(),
            machine: Machine { processor: "any".to_owned(), processors: 2, memory: 1 << 34 },
            versions: BTreeMap::new(),
            settings: BTreeMap::new(),
            seed: 7,
            runs: vec![run],
        };
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
