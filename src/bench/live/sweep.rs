//! The largest rate that is sustained: where the backlog does not grow.

use super::plan::Plan;
use super::servers::Servers;
use super::signals::Signals;
use super::trial;
use anyhow::Result;
use streamflow_harness::report::{Better, Figure, Run};
use streamflow_harness::trend;

/// Halvings of the distance between the largest rate that was sustained and the smallest that was not.
const HALVINGS: u32 = 2;

/// Beyond it one generator is at its end.
const HIGHEST: f64 = 1_000_000.0;

/// Doubles the rate until the backlog grows, and then comes closer. The last run has the largest sustained rate.
pub fn run(plan: &Plan, servers: &Servers, signals: &Signals) -> Result<Vec<Run>> {
    let mut search = Search { plan, servers, signals, runs: Vec::new() };
    let (mut sustained, mut rate) = (0.0, plan.rate);
    while rate <= HIGHEST && search.is_sustained(rate)? {
        (sustained, rate) = (rate, rate * 2.0);
    }
    if sustained > 0.0 {
        for _ in 0..HALVINGS {
            let middle = (sustained + rate) / 2.0;
            if search.is_sustained(middle)? { sustained = middle } else { rate = middle }
        }
    }
    let mut runs = search.runs;
    let figure = Figure { value: sustained, unit: "events/s".to_owned(), better: Better::Higher };
    let void = (sustained == 0.0).then(|| "no rate was sustained: begin with a smaller --rate".to_owned());
    let figures = [("sustained".to_owned(), figure)].into();
    runs.push(Run { scenario: "sweep".to_owned(), void, figures, ..Run::default() });
    Ok(runs)
}

struct Search<'a> {
    plan: &'a Plan,
    servers: &'a Servers,
    signals: &'a Signals,
    runs: Vec<Run>,
}

impl Search<'_> {
    /// A void run has shown nothing, so its rate does not count as sustained.
    fn is_sustained(&mut self, rate: f64) -> Result<bool> {
        let run = trial::run(&self.plan.at(rate), self.servers, self.signals)?;
        let growth = run.figures.get("backlog_growth").map(|figure| figure.value);
        let sustained = run.void.is_none() && growth.is_some_and(|growth| trend::is_sustained(growth, rate));
        self.runs.push(run);
        Ok(sustained)
    }
}
