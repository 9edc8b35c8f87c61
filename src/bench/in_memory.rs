//! The graph in this process, as a live pipeline builds it, between events in memory and a sink that counts.

use super::events::{Events, Line};
use super::processor_time;
use crate::pipeline::Activity;
use anyhow::{Result, anyhow};
use bytes::Bytes;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::decode::Event;
use streamflow_dataflow::dimensions::Role;
use streamflow_dataflow::graph::{self, Wanted};
use streamflow_dataflow::inputs::{InputHandles, Inputs};
use streamflow_dataflow::operators::watermark::Clock;
use streamflow_dataflow::resume::Resume;
use streamflow_dataflow::rules::{Rules, RulesChange, SetName, Version};
use streamflow_dataflow::settings::Settings;
use streamflow_model::{PartitionId, Record, RuleId, Source};
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::{Inspect, Probe};
use timely::worker::Worker;

/// Events of each partition in an epoch, as a replay has them.
const EPOCH_EVENTS: usize = 4096;
/// Epochs that may be in the graph at once, as a replay has them.
const EPOCHS_IN_FLIGHT: u64 = 2;
/// How long a worker without work waits for the others at most.
const PAUSE: Duration = Duration::from_millis(10);

/// What is done with events before they are given to the graph.
pub const DECODE: &str = "decode";

const ROLES: [Role; 2] = [Role::Transactions, Role::Blacklist];

/// What came out of the graph.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Current alerts at the end.
    pub alerts: i64,
    /// Changes of tables.
    pub changes: u64,
    /// What all workers needed of processors, if the system tells.
    pub processor_time: Option<Duration>,
    /// How long all workers were in each operator, and in [`DECODE`] before them, by name; empty unless wanted.
    pub operators: BTreeMap<String, Duration>,
}

impl Outcome {
    fn add(mut self, other: Self) -> Self {
        for (name, time) in other.operators {
            *self.operators.entry(name).or_default() += time;
        }
        Self {
            alerts: self.alerts + other.alerts,
            changes: self.changes + other.changes,
            processor_time: self.processor_time.zip(other.processor_time).map(|(one, two)| one + two),
            ..self
        }
    }
}

/// What is counted while events run.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    alerts: i64,
    changes: u64,
}

impl Counts {
    fn with(self, change: &ViewChange) -> Self {
        let alerts = match change {
            ViewChange::Scored(scored, diff) if scored.verdict.alert => i64::from(*diff),
            _ => 0,
        };
        Self { alerts: self.alerts + alerts, changes: self.changes + 1 }
    }
}

/// Runs the events through the graph, on a worker for each partition. Whether it is wanted how long operators take:
/// to log that takes time too. So many shadow sets are evaluated beside.
pub fn run(events: &Arc<Events>, operators: bool, shadows: u8) -> Result<Outcome> {
    let events = Arc::clone(events);
    let workers = timely::Config::process(events.partitions.len());
    let workers = timely::execute(workers, move |worker| run_worker(worker, &events, operators, shadows))
        .map_err(|error| anyhow!("cannot start the workers: {error}"))?;
    let mut total = Outcome { processor_time: Some(Duration::ZERO), ..Outcome::default() };
    for outcome in workers.join() {
        let outcome = outcome.map_err(|message| anyhow!("a worker stopped: {message}"))?;
        total = total.add(outcome?);
    }
    Ok(total)
}

fn run_worker(worker: &mut Worker, events: &Events, operators: bool, shadows: u8) -> Result<Outcome> {
    let before = processor_time::of_this_thread();
    let activity = operators.then(|| Activity::listen(worker));
    let mut decoding = Duration::ZERO;
    let (mut inputs, probe, counts) = build(worker);
    let partition = partition(0, worker.index())?;
    if worker.index() == 0 {
        let entries = (0..).zip(events.blacklist.iter().cloned());
        let list = self::partition(1, 0)?;
        entries.for_each(|(offset, entry)| {
            inputs.dimensions.send(record(Source::new(list, offset), None, entry));
        });
        (0..shadows).for_each(|number| inputs.rules.send(shadow(number)));
    }
    inputs.clocks.send(Clock { partition, time: i64::MIN, end: None });
    inputs.advance_to(1);
    let lines = &events.partitions[worker.index()];
    for (epoch, lines) in (1..).zip(lines.chunks(EPOCH_EVENTS)) {
        while oldest(&probe).is_some_and(|oldest| oldest + EPOCHS_IN_FLIGHT <= epoch) {
            worker.step_or_park(Some(PAUSE));
        }
        let started = Instant::now();
        let first = (epoch - 1) * EPOCH_EVENTS as u64;
        for (offset, Line { place, appended_at }) in (first..).zip(lines) {
            let payload = events.bytes.slice(place.clone());
            let record = record(Source::new(partition, offset), Some(*appended_at), payload);
            inputs.transactions.send(Event::from(record));
        }
        decoding += started.elapsed();
        inputs.advance_to(epoch + 1);
        worker.step();
    }
    drop(inputs);
    while !probe.done() {
        worker.step_or_park(Some(PAUSE));
    }
    let needed = before.zip(processor_time::of_this_thread()).map(|(before, after)| after - before);
    let Counts { alerts, changes } = counts.get();
    let operators = activity.map(|activity| times(&activity, decoding)).unwrap_or_default();
    Ok(Outcome { alerts, changes, processor_time: needed, operators })
}

/// A set like the live one, with other parameters.
fn shadow(number: u8) -> RulesChange {
    let mut rules = Rules::default();
    rules.velocity.limit += 1 + u32::from(number);
    rules.high_value.multiple.0 -= 100 * u32::from(number);
    RulesChange {
        set: SetName::Shadow(RuleId::padded(&format!("shadow-{number}"))),
        applies_from: i64::MIN,
        version: Version::configured(rules.into()),
    }
}

fn times(activity: &Activity, decoding: Duration) -> BTreeMap<String, Duration> {
    let operators = activity.look().into_iter().map(|operator| (operator.name, operator.busy));
    operators.chain([(DECODE.to_owned(), decoding)]).collect()
}

fn partition(topic: u16, number: usize) -> Result<PartitionId> {
    let id = u16::try_from(number).ok().and_then(|number| PartitionId::new(topic, number));
    id.ok_or_else(|| anyhow!("{number} workers: at most {}", PartitionId::PARTITIONS))
}

fn record(source: Source, appended_at: Option<i64>, payload: Bytes) -> Record {
    Record { source, appended_at, key: None, full_length: payload.len() as u64, payload: Some(payload) }
}

fn oldest(probe: &ProbeHandle<u64>) -> Option<u64> {
    probe.with_frontier(|frontier| frontier.first().copied())
}

fn build(worker: &mut Worker) -> (InputHandles, ProbeHandle<u64>, Rc<Cell<Counts>>) {
    worker.dataflow(|scope| {
        let (handles, _nothing_restored, inputs) = Inputs::new(scope);
        let wanted = Wanted { transactions: true, settled: false };
        let outputs = graph::build(&Settings::default(), &ROLES, wanted, &Resume::default(), inputs);
        let counts = Rc::new(Cell::new(Counts::default()));
        let counted = Rc::clone(&counts);
        let count = move |change: &ViewChange| counted.set(counted.get().with(change));
        let (probe, _) = outputs.changes.inspect(count).probe();
        (handles, probe, counts)
    })
}
