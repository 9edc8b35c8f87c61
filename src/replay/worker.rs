//! One worker of a replay: feeds its files to the graph in step with the others, and hands on what comes out.

use super::answers::Round;
use super::feed::{InputFile, ROLES};
use super::output::Message;
use super::waiting::Waiting;
use anyhow::{Context, Result};
use crossbeam_channel::{Receiver, Sender, TryRecvError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use streamflow_connectors::file::{FileSettings, FileSource};
use streamflow_connectors::source::{SourceEvent, Wake};
use streamflow_dataflow::decode::Event;
use streamflow_dataflow::dimensions::Role;
use streamflow_dataflow::graph::{self, Wanted};
use streamflow_dataflow::inputs::{InputHandles, Inputs};
use streamflow_dataflow::operators::watermark::Clock;
use streamflow_dataflow::resume::Resume;
use streamflow_dataflow::rules::{RuleSet, RulesChange, SetName, Version};
use streamflow_dataflow::settings::Settings;
use streamflow_model::{PartitionId, Record, RuleId};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::{ProbeHandle, StreamVec};
use timely::worker::Worker;

/// What all workers know.
pub struct Plan {
    /// What the views depend on.
    pub settings: Settings,
    /// All files.
    pub files: Vec<InputFile>,
    /// A shadow set to evaluate from the first event on.
    candidate: Option<RuleSet>,
    /// Events that wait for an answer.
    waiting: Arc<Waiting>,
    /// Workers that still have input.
    reading: AtomicUsize,
}

/// The name of the shadow set.
const CANDIDATE: RuleId = RuleId::padded("candidate");

/// The ways to the writer and back.
pub struct Channels {
    /// What comes out of the graph.
    pub results: Sender<Message>,
    /// What the writer answers to [`Message::Round`].
    pub rounds: Receiver<Round>,
}

/// The first epoch of a step. The others are for its rounds.
fn first_epoch(step: u64) -> u64 {
    step << 32
}

fn step_of(epoch: u64) -> u64 {
    epoch >> 32
}

impl Plan {
    /// Of a replay that has not begun.
    pub fn new(
        settings: Settings,
        files: Vec<InputFile>,
        candidate: Option<RuleSet>,
        workers: usize,
    ) -> Self {
        let (waiting, reading) = (Arc::default(), AtomicUsize::new(workers));
        Self { settings, files, candidate, waiting, reading }
    }

    /// The path of each partition's file.
    pub fn names(&self) -> Vec<(PartitionId, String)> {
        self.files.iter().map(|file| (file.partition, file.path.display().to_string())).collect()
    }
}

/// Steps that may be in the graph at once: enough to keep it busy, few enough to bound memory. Few large ones
/// are faster than many small ones of as many lines, because more of a step's lines share their views' keys.
const STEPS_IN_FLIGHT: u64 = 2;

/// A file of this worker, with the batch that waits for its epoch.
struct Source {
    partition: PartitionId,
    source: FileSource<Event>,
    waiting: Option<Vec<Event>>,
    ended: bool,
    /// The latest event time sent to the graph.
    newest: Option<i64>,
    /// The last partition time sent since the end of the file.
    sent: Option<i64>,
}

impl Source {
    /// The step of the batch that waits; `None` where the file is at its end.
    fn next_step(&self, batch_lines: u64) -> Option<u64> {
        Some(self.waiting.as_ref()?.first()?.record.source.offset() / batch_lines + 1)
    }

    /// Takes note of the event times that the graph accepts.
    fn see(&mut self, events: &[Event], settings: &Settings) {
        let limit = settings.file_now.saturating_add(settings.future_allowance);
        let times =
            events.iter().filter_map(|event| Some(event.decoded.as_ref().ok()?.transaction.event_time));
        self.newest = self.newest.max(times.filter(|time| *time <= limit).max());
    }

    /// The partition time behind the file's end: time goes on until everything is final, one step an epoch,
    /// so that never more than a step's transactions become final at once.
    fn time_behind_end(&self, horizon: i64) -> i64 {
        let (Some(newest), step) = (self.newest, horizon / CLOSING_STEPS) else { return i64::MAX };
        let next = self.sent.unwrap_or(newest).saturating_add(step.max(1));
        if step == 0 || next > newest.saturating_add(horizon + step) { i64::MAX } else { next }
    }

    /// Whether the graph knows that no more input comes.
    fn is_closed(&self) -> bool {
        self.sent == Some(i64::MAX)
    }
}

/// Steps of a horizon in which a file's last transactions become final.
const CLOSING_STEPS: i64 = 64;

/// Runs one worker to the end of its files, the first worker to the end of all.
pub fn run(worker: &mut Worker, plan: &Plan, channels: &Channels) -> Result<()> {
    let reading = Reading(&plan.reading);
    let mut driver = Driver::new(worker, plan, channels);
    let batch = FileSettings::default();
    if driver.is_first() {
        if let Some(candidate) = plan.candidate.clone() {
            let (set, version) = (SetName::Shadow(CANDIDATE), Version::configured(candidate));
            driver.inputs.rules.send(RulesChange { set, applies_from: i64::MIN, version });
        }
        for file in plan.files.iter().filter(|file| file.role != Role::Transactions) {
            load_dimensions(driver.worker, file, &mut driver.inputs)?;
        }
    }
    let mut sources = open(driver.worker, plan, &batch)?;
    for source in &sources {
        driver.inputs.clocks.send(Clock { partition: source.partition, time: i64::MIN, end: None });
    }
    let mut step = 0;
    loop {
        if driver.is_ahead_at(step) {
            driver.pause();
            continue;
        }
        if !fill(&mut sources)? {
            driver.worker.step_or_park(Some(Duration::from_millis(10)));
            continue;
        }
        driver.answer();
        if sources.iter().all(Source::is_closed) && (!driver.is_first() || reading.is_last()) {
            break;
        }
        driver.begin(step);
        feed(&mut sources, &mut driver.inputs, step, batch.batch_lines, &plan.settings);
        driver.end(step);
        step += 1;
    }
    drop(reading);
    driver.finish();
    Ok(())
}

/// This worker still has input, until it is dropped.
struct Reading<'a>(&'a AtomicUsize);

impl Reading<'_> {
    fn is_last(&self) -> bool {
        self.0.load(Ordering::Acquire) == 1
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The graph on this worker.
struct Driver<'a> {
    worker: &'a mut Worker,
    inputs: InputHandles,
    probe: ProbeHandle<u64>,
    waiting: &'a Waiting,
    channels: &'a Channels,
    /// The epoch that is open.
    epoch: u64,
}

impl<'a> Driver<'a> {
    fn new(worker: &'a mut Worker, plan: &'a Plan, channels: &'a Channels) -> Self {
        let (inputs, probe) = build(worker, plan, &channels.results);
        Self { worker, inputs, probe, waiting: &plan.waiting, channels, epoch: 0 }
    }

    /// The first worker gives answers; only it has epochs between steps.
    fn is_first(&self) -> bool {
        self.worker.index() == 0
    }

    /// Whether the graph is to complete earlier steps before it gets this one.
    fn is_ahead_at(&self, step: u64) -> bool {
        let oldest = self.probe.with_frontier(|frontier| frontier.first().copied().map(step_of));
        oldest.is_none_or(|oldest| oldest + STEPS_IN_FLIGHT <= step)
    }

    fn begin(&mut self, step: u64) {
        self.advance_to(first_epoch(step));
    }

    fn end(&mut self, step: u64) {
        self.advance_to(if self.is_first() { first_epoch(step) + 1 } else { first_epoch(step + 1) });
        self.worker.step();
        self.report_frontier();
    }

    fn advance_to(&mut self, epoch: u64) {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.inputs.advance_to(epoch);
        }
    }

    /// Lets the graph work, or waits for it.
    fn pause(&mut self) {
        self.worker.step_or_park(Some(Duration::from_millis(10)));
        self.report_frontier();
    }

    /// On the first worker: gives rounds of answers while an event can be answered, if any waited in a complete
    /// step.
    fn answer(&mut self) {
        if !self.is_first() || !self.waiting.any_before(first_epoch(step_of(self.epoch))) {
            return;
        }
        loop {
            while self.probe.less_than(&self.epoch) {
                self.pause();
            }
            self.report_frontier();
            let _ = self.channels.results.send(Message::Round);
            // A writer that has failed gives none.
            let Round { mut settle, mut answers } = self.channels.rounds.recv().unwrap_or_default();
            if settle.is_empty() && answers.is_empty() {
                return;
            }
            self.inputs.settle.send_batch(&mut settle);
            self.inputs.answers.send_batch(&mut answers);
            self.advance_to(self.epoch + 1);
        }
    }

    /// Completes everything.
    fn finish(mut self) {
        if self.is_first() {
            while self.probe.less_than(&self.epoch) {
                self.pause();
            }
            self.advance_to(first_epoch(step_of(self.epoch) + 1));
            self.answer();
        }
        let Self { worker, inputs, probe, channels, .. } = self;
        drop(inputs);
        while !probe.done() {
            worker.step_or_park(Some(Duration::from_millis(10)));
            report_frontier(worker, &probe, &channels.results);
        }
    }

    fn report_frontier(&self) {
        report_frontier(self.worker, &self.probe, &self.channels.results);
    }
}

fn build(worker: &mut Worker, plan: &Plan, results: &Sender<Message>) -> (InputHandles, ProbeHandle<u64>) {
    let (changes_out, settled_out, amended_out) = (results.clone(), results.clone(), results.clone());
    let waiting = Arc::clone(&plan.waiting);
    worker.dataflow(|scope| {
        let (handles, _nothing_restored, inputs) = Inputs::new(scope);
        let wanted = Wanted { transactions: false, settled: true };
        let outputs = graph::build(&plan.settings, &ROLES, wanted, &Resume::default(), inputs);
        let probe = ProbeHandle::new();
        let changes = move |epoch, changes: Vec<_>| {
            waiting.see(epoch, &changes);
            Message::Changes(epoch, changes)
        };
        hand_on(outputs.changes, "write changes", changes_out, changes).probe_with(&probe);
        let amended = outputs.amended.inner.map(|(amended, _, diff)| (amended.value, diff));
        hand_on(amended, "write amended", amended_out, Message::Amended).probe_with(&probe);
        hand_on(outputs.settled, "write settled", settled_out, Message::Settled).probe_with(&probe);
        (handles, probe)
    })
}

/// Sends output to the writer. A writer that has failed takes no more; its error is reported when it is
/// joined.
fn hand_on<'s, D: Clone + 'static>(
    stream: StreamVec<'s, u64, D>,
    name: &str,
    results: Sender<Message>,
    message: impl Fn(u64, Vec<D>) -> Message + 'static,
) -> StreamVec<'s, u64, ()> {
    stream.unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(Pipeline, name, move |_, _| {
        move |input, _output| {
            input.for_each(|capability, data| {
                let time = capability.least().copied().unwrap_or_default();
                let _ = results.send(message(time, std::mem::take(data)));
            });
        }
    })
}

/// Gives a whole file of a dimension or the blacklist to the graph, as part of the first epoch.
fn load_dimensions(worker: &mut Worker, file: &InputFile, inputs: &mut InputHandles) -> Result<()> {
    let nobody_waits: Wake = Arc::new(|| {});
    let source =
        FileSource::<Record>::start(&file.path, file.partition, &FileSettings::default(), &nobody_waits)?;
    for event in source.events() {
        match event {
            SourceEvent::Batch(mut records) => inputs.dimensions.send_batch(&mut records),
            SourceEvent::NextRecord { .. } => {}
            SourceEvent::EndOfPartition { .. } => break,
            SourceEvent::Failed(error) => return Err(error.into()),
        }
        worker.step();
    }
    Ok(())
}

/// Opens the transaction files of this worker: they are dealt out.
fn open(worker: &Worker, plan: &Plan, batch: &FileSettings) -> Result<Vec<Source>> {
    let thread = std::thread::current();
    let wake: Wake = Arc::new(move || thread.unpark());
    let (index, peers) = (worker.index(), worker.peers());
    let mine = plan.files.iter().filter(|file| {
        file.role == Role::Transactions && usize::from(file.partition.partition()) % peers == index
    });
    let open = |file: &InputFile| {
        let source = FileSource::start(&file.path, file.partition, batch, &wake)?;
        Ok(Source {
            partition: file.partition,
            source,
            waiting: None,
            ended: false,
            newest: None,
            sent: None,
        })
    };
    mine.map(open).collect()
}

/// Gets the next batch of each file; false while one is still being read.
fn fill(sources: &mut [Source]) -> Result<bool> {
    for source in sources {
        while source.waiting.is_none() && !source.ended {
            match source.source.events().try_recv() {
                Ok(SourceEvent::Batch(records)) => source.waiting = Some(records),
                Ok(SourceEvent::NextRecord { .. }) => {}
                Ok(SourceEvent::EndOfPartition { .. }) | Err(TryRecvError::Disconnected) => {
                    source.ended = true;
                }
                Ok(SourceEvent::Failed(error)) => return Err(error).context("reading stopped"),
                Err(TryRecvError::Empty) => return Ok(false),
            }
        }
    }
    Ok(true)
}

/// Gives the batches of this step to the graph, and the news that a file has ended.
fn feed(sources: &mut [Source], inputs: &mut InputHandles, step: u64, batch_lines: u64, settings: &Settings) {
    for source in sources {
        let due = source.next_step(batch_lines).is_some_and(|next| next <= step);
        if due && let Some(mut events) = source.waiting.take() {
            source.see(&events, settings);
            inputs.transactions.send_batch(&mut events);
        } else if source.ended && source.waiting.is_none() && !source.is_closed() {
            let time = source.time_behind_end(settings.correction_horizon);
            source.sent = Some(time);
            inputs.clocks.send(Clock { partition: source.partition, time, end: None });
        }
    }
}

/// Reports complete epochs to the writer. They are complete on every worker, so only the first worker
/// reports.
fn report_frontier(worker: &Worker, probe: &ProbeHandle<u64>, results: &Sender<Message>) {
    if worker.index() == 0 {
        let frontier = probe.with_frontier(|frontier| frontier.first().copied()).unwrap_or(u64::MAX);
        let _ = results.send(Message::Frontier(frontier));
    }
}
