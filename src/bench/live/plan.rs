//! What a trial does.

use std::time::Duration;
use streamflow_generator::GeneratorSettings;

/// One run of a scenario.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario's name, in the report.
    pub name: String,
    /// Events a second; 0 where none are sent.
    pub rate: f64,
    pub warm_up: Duration,
    /// How long is measured, after the warm-up.
    pub duration: Duration,
    pub workers: usize,
    pub traffic: GeneratorSettings,
    /// Whether one customer makes a tenth of all transactions.
    pub hot_key: bool,
    /// What happens in the midst of it.
    pub disturbance: Option<Disturbance>,
}

impl Plan {
    /// The same at another rate.
    pub fn at(&self, rate: f64) -> Self {
        let traffic = GeneratorSettings { transactions_per_second: rate, ..self.traffic.clone() };
        Self { rate, traffic, ..self.clone() }
    }
}

/// What happens in the midst of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// A load of reference records.
    Burst { records: u32 },
    /// PostgreSQL is away.
    Outage { away: Duration },
    /// kill -9 of the pipeline, which is started again at once.
    Restart,
}
