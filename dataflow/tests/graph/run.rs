//! Runs the graph on a case and collects its output with the epochs.

use crate::case::{Case, SentTime, partition_id};
use crate::compare::rules_change;
use crate::dice::Dice;
use crate::resumed::Past;
use crate::silver::Silver;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use streamflow_dataflow::amendments::SettleCustomer;
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::decode::Event;
use streamflow_dataflow::graph::{Wanted, build};
use streamflow_dataflow::inputs::{InputHandles, Inputs, RestoredHandles};
use streamflow_dataflow::operators::watermark::Clock;
use streamflow_dataflow::score::{Alerted, Scored, Settled};
use streamflow_dataflow::settings::Settings;
use streamflow_model::{Record, Source};
use streamflow_oracle::RawEvent;
use timely::CommunicationConfig;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::{ProbeHandle, StreamVec};
use timely::worker::Worker;

/// The output of the graph in the order of epochs; within an epoch in the order of each worker.
#[derive(Default)]
pub(crate) struct Observed {
    pub changes: Vec<(u64, ViewChange)>,
    pub settled: Vec<(u64, Settled)>,
    /// It resumed in between.
    pub resumed: bool,
    /// Versions of final transactions, gained (1) or lost (-1).
    pub amended: Vec<(u64, (Scored, isize))>,
    /// The differences of the collection of current alerts.
    pub alerts: Vec<(u64, (Alerted, u64, isize))>,
}

/// What one worker emits.
#[derive(Clone, Default)]
struct Emitted {
    changes: Collected<ViewChange>,
    settled: Collected<Settled>,
    alerts: Collected<(Alerted, u64, isize)>,
    amended: Collected<(Scored, isize)>,
    /// The changes of all workers that are not in silver yet.
    unread: Arc<Mutex<BTreeMap<u64, Vec<ViewChange>>>>,
    /// Nothing is pending any more.
    drained: Arc<AtomicBool>,
}

/// A worker with nothing to do leaves its core to the others.
const PAUSE: Duration = Duration::from_micros(200);

type Collected<D> = Arc<Mutex<Vec<(u64, D)>>>;

/// Runs the case to its end on `workers` workers; an error where a worker panics.
pub(crate) fn run(case: &Case, workers: usize) -> Result<Observed, String> {
    run_between(case, Past::default(), case.last_epoch() + 1, workers)
}

/// Runs the case up to epoch `cut` on some workers and resumes on others. `None` where the tables do not determine
/// the state.
pub(crate) fn run_resumed(case: &Case, cut: u64, workers: [usize; 2]) -> Result<Option<Observed>, String> {
    let mut all = run_between(case, Past::default(), cut, workers[0])?;
    let Some(past) = Past::of(case, cut, &all.changes) else { return Ok(None) };
    let rest = run_between(case, past, case.last_epoch() + 1, workers[1])?;
    all.changes.extend(rest.changes);
    all.settled.extend(rest.settled);
    all.amended.extend(rest.amended);
    all.alerts.extend(rest.alerts);
    all.resumed = true;
    Ok(Some(all))
}

/// Runs the case from where `past` ends to before epoch `end`.
fn run_between(case: &Case, past: Past, end: u64, workers: usize) -> Result<Observed, String> {
    let past = Arc::new(past);
    let first = Emitted::default();
    let emitted = (0..workers).map(|_| Emitted {
        unread: Arc::clone(&first.unread),
        drained: Arc::clone(&first.drained),
        ..Emitted::default()
    });
    let emitted: Arc<Vec<Emitted>> = Arc::new(emitted.collect());
    let (shared, collected) = (Arc::new(case.clone()), emitted.clone());
    let timely = timely::Config { communication: communication(workers), ..timely::Config::thread() };
    let guards = timely::execute(timely, move |worker| {
        let emitted = collected[worker.index()].clone();
        drive(worker, &shared, &past, end, emitted);
    })?;
    for outcome in guards.join() {
        outcome.map_err(|panic| format!("a worker panicked: {panic}"))?;
    }
    let mut all = Observed::default();
    for emitted in emitted.iter() {
        all.changes.append(&mut *emitted.changes.lock().map_err(|error| error.to_string())?);
        all.settled.append(&mut *emitted.settled.lock().map_err(|error| error.to_string())?);
        all.amended.append(&mut *emitted.amended.lock().map_err(|error| error.to_string())?);
        all.alerts.append(&mut *emitted.alerts.lock().map_err(|error| error.to_string())?);
    }
    all.changes.sort_by_key(|(time, _)| *time);
    all.settled.sort_by_key(|(time, _)| *time);
    Ok(all)
}

/// Two workers exchange data by reference; three serialize it, as processes do.
fn communication(workers: usize) -> CommunicationConfig {
    if workers < 3 {
        CommunicationConfig::Process(workers)
    } else {
        CommunicationConfig::ProcessBinary(workers)
    }
}

/// Restores this worker's share of `past`, in steps; then announces the partitions in an epoch of their own.
fn restore(
    worker: &mut Worker,
    case: &Case,
    past: &Past,
    mut restored: RestoredHandles,
    handles: &mut InputHandles,
) {
    let (index, peers) = (worker.index(), worker.peers());
    for row in past.transactions.iter().rev().skip(index).step_by(peers) {
        restored.transactions.send(row.clone());
    }
    worker.step();
    past.customers.iter().skip(index).step_by(peers).for_each(|row| restored.customers.send(row.clone()));
    past.views.iter().skip(index).step_by(peers).for_each(|row| restored.views.send(row.clone()));
    past.pending.iter().skip(index).step_by(peers).for_each(|row| restored.pending.send(row.clone()));
    if past.cut > 0 {
        handles.advance_to(past.cut - 1);
        let own = past.announcements.iter().filter(|announced| {
            let partition = announced.partition;
            case.reader(partition.topic(), partition.partition(), peers) == index
        });
        own.for_each(|time| handles.clocks.send(*time));
    }
}

fn drive(worker: &mut Worker, case: &Case, past: &Past, end: u64, emitted: Emitted) {
    let mut probe = ProbeHandle::new();
    let (mut handles, restored) = dataflow(worker, case, past, emitted.clone(), &mut probe);
    let mut answering = Answering::new(case, past, emitted);
    restore(worker, case, past, restored, &mut handles);
    let (index, peers) = (worker.index(), worker.peers());
    let own = |event: &RawEvent| case.reader(event.topic, event.partition, peers) == index;
    let mut by_epoch: BTreeMap<u64, Vec<&RawEvent>> = BTreeMap::new();
    for event in case.events.iter().filter(|event| own(event)) {
        by_epoch.entry(event.epoch).or_default().push(event);
    }
    for epoch in past.cut.max(1)..end {
        handles.advance_to(epoch);
        for event in by_epoch.remove(&epoch).unwrap_or_default() {
            let transactions = matches!(event.topic, 0 | 5);
            match transactions {
                true => handles.transactions.send(Event::from(record(event))),
                false => handles.dimensions.send(record(event)),
            }
        }
        send_controls(case, epoch, index, peers, &mut handles);
        if index == 0 {
            answering.answer(&probe, 60, &mut handles);
        }
        if (epoch + case.seed).is_multiple_of(3) {
            worker.step();
        }
        while epoch >= case.in_flight && probe.less_than(&(epoch - case.in_flight)) {
            worker.step_or_park(Some(PAUSE));
        }
    }
    let mut epoch = end;
    handles.advance_to(epoch);
    while end > case.last_epoch() && !answering.emitted.drained.load(Ordering::Acquire) {
        while probe.less_than(&epoch) {
            worker.step_or_park(Some(PAUSE));
        }
        if index == 0 && answering.answer(&probe, 90, &mut handles) {
            answering.emitted.drained.store(true, Ordering::Release);
        }
        assert!(epoch < end + 10_000, "an event is never answered");
        epoch += 1;
        handles.advance_to(epoch);
    }
    drop(handles);
    while !probe.done() {
        worker.step_or_park(Some(PAUSE));
    }
}

/// Answers pending events from what is in silver.
struct Answering<'a> {
    case: &'a Case,
    settings: Settings,
    silver: Silver,
    emitted: Emitted,
    dice: Dice,
    /// Events whose answers have been sent and not been taken yet.
    waiting: Vec<Source>,
}

impl<'a> Answering<'a> {
    fn new(case: &'a Case, past: &Past, emitted: Emitted) -> Self {
        let settings = if past.cut > 0 { case.later_settings() } else { case.settings() };
        let epoch = |event: &RawEvent| (record(event).source, event.epoch);
        let mut silver = Silver::new(case.events.iter().map(epoch).collect());
        past.changes.iter().for_each(|(_, change)| silver.apply(change.clone()));
        Self { case, settings, silver, emitted, dice: Dice::new(case.seed), waiting: Vec::new() }
    }

    /// Sends answers, once those sent before have been taken, in so many percent of the calls. Whether nothing is
    /// pending.
    fn answer(&mut self, probe: &ProbeHandle<u64>, percent: i64, handles: &mut InputHandles) -> bool {
        let mut unread = self.emitted.unread.lock().expect("no worker has panicked");
        let complete = |epoch: &u64| !probe.less_equal(epoch);
        while let Some(first) = unread.first_entry().filter(|first| complete(first.key())) {
            first.remove().into_iter().for_each(|change| self.silver.apply(change));
        }
        let pending = &self.silver.pending;
        self.waiting.retain(|source| pending.contains_key(source));
        if self.waiting.is_empty() && self.dice.chance(percent) {
            for answer in self.silver.answers(&self.case.settings(), &self.settings) {
                let transaction = &answer.pending.event.transaction;
                self.waiting.push(transaction.source);
                if self.dice.chance(50) {
                    let (customer, before) = (transaction.customer.clone(), answer.pending.final_before);
                    handles.settle.send(SettleCustomer { customer, before });
                }
                handles.answers.send(answer);
            }
        }
        self.silver.pending.is_empty()
    }
}

/// Sends the announcements and clocks of the worker's partitions and, on the first worker, the rules.
fn send_controls(case: &Case, epoch: u64, index: usize, peers: usize, handles: &mut InputHandles) {
    for version in case.rules_versions.iter().filter(|version| version.epoch == epoch && index == 0) {
        handles.rules.send(rules_change(version));
    }
    let own = |sent: &&SentTime| case.reader(sent.topic, sent.partition, peers) == index;
    for sent in case.partition_times.iter().filter(|sent| sent.epoch == epoch).filter(own) {
        let partition = partition_id(sent.topic, sent.partition);
        handles.clocks.send(Clock { partition, time: sent.time, end: sent.end });
    }
}

fn record(event: &RawEvent) -> Record {
    Record {
        source: Source::new(partition_id(event.topic, event.partition), event.offset),
        appended_at: event.appended_at,
        key: event.key.clone().map(Into::into),
        full_length: event.payload.as_ref().map_or(0, Vec::len) as u64,
        payload: event.payload.clone().map(Into::into),
    }
}

fn dataflow(
    worker: &mut Worker,
    case: &Case,
    past: &Past,
    emitted: Emitted,
    probe: &mut ProbeHandle<u64>,
) -> (InputHandles, RestoredHandles) {
    worker.dataflow(|scope| {
        let (handles, restored, inputs) = Inputs::new(scope);
        let wanted = Wanted { transactions: true, settled: true };
        let settings = if past.cut > 0 { case.later_settings() } else { case.settings() };
        let outputs = build(&settings, &Case::roles(), wanted, &past.resume, inputs);
        collect(outputs.alerts().inner, emitted.alerts, probe);
        let amended = outputs.amended.inner.map(|(amended, _, diff)| (amended.value.scored, diff));
        collect(amended, emitted.amended, probe);
        let (changes, unread) = (emitted.changes, emitted.unread);
        each(outputs.changes, probe, move |epoch, change| {
            unread.lock().expect("no worker has panicked").entry(epoch).or_default().push(change.clone());
            changes.lock().expect("no worker has panicked").push((epoch, change));
        });
        collect(outputs.settled, emitted.settled, probe);
        (handles, restored)
    })
}

fn collect<D: 'static>(stream: StreamVec<'_, u64, D>, collected: Collected<D>, probe: &mut ProbeHandle<u64>) {
    each(stream, probe, move |time, datum| {
        collected.lock().expect("no worker has panicked").push((time, datum));
    });
}

/// Calls `act` with each datum and its epoch.
fn each<D: 'static>(
    stream: StreamVec<'_, u64, D>,
    probe: &mut ProbeHandle<u64>,
    mut act: impl FnMut(u64, D) + 'static,
) {
    let seen = stream.unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(Pipeline, "collect", |_, _| {
        move |input, _| {
            input.for_each(|capability, data| {
                let time = capability.least().copied().expect("data has a time");
                data.drain(..).for_each(|datum| act(time, datum));
            });
        }
    });
    seen.probe_with(probe);
}
