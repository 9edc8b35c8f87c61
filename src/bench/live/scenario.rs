//! The scenarios: each answers one question.

use super::Options;
use super::plan::{Disturbance, Plan};
use anyhow::{Result, bail};
use clap::ValueEnum;
use std::time::Duration;
use streamflow_generator::GeneratorSettings;
use streamflow_harness::report::{Better, Figure, Run};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Ordinary traffic at a rate that any machine holds
    Medallion,
    /// A tenth of all events up to twenty seconds late
    Late,
    /// A tenth of all events of one customer
    HotKey,
    /// 10, 100 and 1,000 transactions a customer: what a longer history costs
    History,
    /// A load of reference records beside live traffic
    Burst,
    /// PostgreSQL away: how long it takes to catch up
    Outage,
    /// kill -9: how long until the first new commit
    Restart,
    /// No events: what the process takes
    Idle,
}

/// Customers for each transaction a second: so many that ordinary traffic is no burst within minutes.
const CUSTOMERS_PER_RATE: f64 = 100.0;

/// More would take longer to load than the measurement.
const MOST_CUSTOMERS: f64 = 200_000.0;

/// Late events must come while it is still measured.
const LATE_BY_AT_MOST: u32 = 20;

/// How long each rate of a sweep is measured.
const SWEEP_STEP: Duration = Duration::from_secs(20);

/// Episodes of fraud for each transaction: so many that there are alerts to be measured.
const EPISODES: f64 = 0.02;

const HISTORIES: [u32; 3] = [10, 100, 1_000];

impl Scenario {
    /// As on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Events a second.
    fn rate(self) -> f64 {
        match self {
            Self::Idle => 0.0,
            Self::Burst => 5_000.0,
            _ => 1_000.0,
        }
    }

    fn duration(self, away: Duration) -> Duration {
        match self {
            // A third before, and time to catch up.
            Self::Outage => 2 * away + Duration::from_secs(30),
            Self::Idle => Duration::from_secs(30),
            _ => Duration::from_secs(60),
        }
    }

    /// What is to be done, in this order.
    ///
    /// # Errors
    /// Options that do not fit together.
    pub fn plans(self, options: &Options) -> Result<Vec<Plan>> {
        if self == Self::Idle && (options.rate.is_some() || options.sweep) {
            bail!("idle has no rate");
        }
        if options.sweep && self != Self::Medallion {
            bail!("--sweep is for medallion: {} has one rate", self.name());
        }
        if self == Self::Outage && options.servers.postgres.is_some() {
            bail!("outage stops its own PostgreSQL: it cannot stop that of --postgres");
        }
        let plan = self.plan(options);
        if self != Self::History {
            return Ok(vec![plan]);
        }
        let events = plan.rate * (plan.warm_up + plan.duration).as_secs_f64();
        let with = |history: u32| {
            let customers = (events / f64::from(history)).max(1.0) as u32;
            let traffic = GeneratorSettings { customers, ..plan.traffic.clone() };
            Plan { name: format!("history-{history}"), traffic, ..plan.clone() }
        };
        Ok(HISTORIES.map(with).to_vec())
    }

    fn plan(self, options: &Options) -> Plan {
        let rate = options.rate.unwrap_or_else(|| self.rate());
        let disturbance = match self {
            Self::Burst => Some(Disturbance::Burst { records: options.records }),
            Self::Outage => Some(Disturbance::Outage { away: options.away }),
            Self::Restart => Some(Disturbance::Restart),
            _ => None,
        };
        Plan {
            name: self.name(),
            rate,
            warm_up: options.warm_up,
            duration: options.duration.unwrap_or_else(|| match options.sweep {
                true => SWEEP_STEP,
                false => self.duration(options.away),
            }),
            workers: options.workers,
            traffic: GeneratorSettings {
                seed: options.seed,
                customers: (rate * CUSTOMERS_PER_RATE).clamp(1_000.0, MOST_CUSTOMERS) as u32,
                transactions_per_second: rate.max(1.0),
                late_by_max: LATE_BY_AT_MOST,
                late_rate: if self == Self::Late { 0.1 } else { 0.01 },
                fraud_episode_rate: EPISODES,
                ..GeneratorSettings::default()
            },
            hot_key: self == Self::HotKey,
            disturbance,
        }
    }

    /// What the runs say together.
    pub fn summary(self, runs: &[Run]) -> Option<Run> {
        if self != Self::History {
            return None;
        }
        let cost = |run: &Run| Some(run.figures.get("processor_time")?.value);
        let (shortest, longest) = (cost(runs.first()?)?, cost(runs.last()?)?);
        let value = longest / shortest;
        let figure = Figure { value, unit: "times".to_owned(), better: Better::Lower };
        let void = runs.iter().find_map(|run| run.void.clone());
        let figures = [("processor_time_1000_to_10".to_owned(), figure)].into();
        Some(Run { scenario: self.name(), void, figures, ..Run::default() })
    }
}
