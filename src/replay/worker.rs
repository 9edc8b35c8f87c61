//! One worker of a replay: feeds its files to the graph in step with the others, and hands on what comes out.

use super::feed::{InputFile, ROLES};
use super::output::Message;
use anyhow::{Context, Result};
use crossbeam_channel::{Sender, TryRecvError};
use std::sync::Arc;
use std::time::Duration;
use streamflow_connectors::file::{FileSettings, FileSource};
use streamflow_connectors::source::{SourceEvent, Wake};
use streamflow_dataflow::decode::Event;
use streamflow_dataflow::dimensions::Role;
use streamflow_dataflow::graph::{self, Wanted};
use streamflow_dataflow::inputs::{InputHandles, Inputs};
use streamflow_dataflow::operators::watermark::Clock;
use streamflow_dataflow::resume::Resume;
use streamflow_dataflow::settings::Settings;
use streamflow_model::{PartitionId, Record};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::{ProbeHandle, StreamVec};
use timely::worker::Worker;

/// What all workers know.
pub struct Plan {
    /// What the views depend on.
    pub settings: Settings,
    /// All files.
    pub files: Vec<InputFile>,
}

impl Plan {
    /// The path of each partition's file.
    pub fn names(&self) -> Vec<(PartitionId, String)> {
        self.files.iter().map(|file| (file.partition, file.path.display().to_string())).collect()
    }
}

/// Epochs that may be in the graph at once: enough to keep it busy, few enough to bound memory. Few large epochs
/// are faster than many small ones of as many lines, because more of an epoch's lines share their views' keys.
const EPOCHS_IN_FLIGHT: u64 = 2;

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
    /// The epoch of the batch that waits; `None` where the file is at its end.
    fn next_epoch(&self, batch_lines: u64) -> Option<u64> {
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

/// Runs one worker to the end of its files.
pub fn run(worker: &mut Worker, plan: &Plan, results: &Sender<Message>) -> Result<()> {
    let (mut inputs, probe) = build(worker, plan, results);
    let batch = FileSettings::default();
    if worker.index() == 0 {
        for file in plan.files.iter().filter(|file| file.role != Role::Transactions) {
            load_dimensions(worker, file, &mut inputs)?;
        }
    }
    let mut sources = open(worker, plan, &batch)?;
    for source in &sources {
        inputs.clocks.send(Clock { partition: source.partition, time: i64::MIN, end: None });
    }
    let mut epoch = 0;
    loop {
        let in_flight = probe.with_frontier(|frontier| {
            frontier.first().is_none_or(|oldest| oldest + EPOCHS_IN_FLIGHT <= epoch)
        });
        if in_flight {
            worker.step_or_park(Some(Duration::from_millis(10)));
            report_frontier(worker, &probe, results);
            continue;
        }
        if !fill(&mut sources)? {
            worker.step_or_park(Some(Duration::from_millis(10)));
            continue;
        }
        if sources.iter().all(Source::is_closed) {
            break;
        }
        feed(&mut sources, &mut inputs, epoch, batch.batch_lines, &plan.settings);
        epoch += 1;
        inputs.advance_to(epoch);
        worker.step();
        report_frontier(worker, &probe, results);
    }
    drop(inputs);
    while !probe.done() {
        worker.step_or_park(Some(Duration::from_millis(10)));
        report_frontier(worker, &probe, results);
    }
    Ok(())
}

fn build(worker: &mut Worker, plan: &Plan, results: &Sender<Message>) -> (InputHandles, ProbeHandle<u64>) {
    let (changes_out, settled_out) = (results.clone(), results.clone());
    worker.dataflow(|scope| {
        let (handles, _nothing_restored, inputs) = Inputs::new(scope);
        let wanted = Wanted { transactions: false, settled: true };
        let outputs = graph::build(&plan.settings, &ROLES, wanted, &Resume::default(), inputs);
        let probe = ProbeHandle::new();
        hand_on(outputs.changes, "write changes", changes_out, Message::Changes).probe_with(&probe);
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

/// Gives the batches of this epoch to the graph, and the news that a file has ended.
fn feed(
    sources: &mut [Source],
    inputs: &mut InputHandles,
    epoch: u64,
    batch_lines: u64,
    settings: &Settings,
) {
    for source in sources {
        let due = source.next_epoch(batch_lines).is_some_and(|next| next <= epoch);
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
