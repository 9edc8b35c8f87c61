//! One worker: polls its partitions and feeds the graph within the limits.

use super::activity::Activity;
use super::answering::Answering;
use super::feed::{Alignment, Idle, Inbound};
use super::flow::Flow;
use super::hydrate::hydrate;
use super::plan::Plan;
use super::reporter::Reporter;
use super::sink::{Committing, sink};
use super::status::Status;
use crate::cluster::Farewell;
use crate::lock::lock;
use crate::stop::Stop;
use anyhow::{Result, bail};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::KafkaSource;
use streamflow_connectors::source::{ReadClock, SourceEvent, Wake, now_ms};
use streamflow_dataflow::decode::Event;
use streamflow_dataflow::dimensions::Role;
use streamflow_dataflow::graph::{self, Stages, Wanted};
use streamflow_dataflow::inputs::{Inputs, RestoredHandles};
use streamflow_dataflow::operators::watermark::{Clock, CurrentWatermark};
use streamflow_dataflow::rules::RulesChange;
use streamflow_model::{PartitionId, Record};
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::Probe;
use timely::worker::Worker;

/// The most batches of one epoch, so that epochs stay short under load.
const BATCHES_AN_EPOCH: usize = 4;

/// The least heartbeat where there is one process.
const ALONE_HEARTBEAT: Duration = Duration::from_secs(1);

/// How often the clocks of idle partitions are sent to the graph.
const IDLE_NEWS: Duration = Duration::from_secs(1);

/// How long a worker sleeps at most: nothing wakes it where memory has become free or a stop is asked for.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// Runs one worker until a stop is requested and everything is committed.
pub fn run(
    worker: &mut Worker,
    plan: &Plan,
    clock: &ReadClock,
    committing: &Mutex<Option<Committing>>,
    stop: &Arc<Stop>,
    status: &Arc<Status>,
) -> Result<()> {
    let committing = if worker.index() == 0 { lock(committing).take() } else { None };
    let farewell = (plan.process.count > 1).then(|| Farewell::listen(worker, stop));
    let activity = plan.observed.then(|| Activity::listen(worker));
    let Built { inbound, restored, watermark, stages, durable } =
        build(worker, plan, committing, stop, status);
    hydrate(worker, plan, restored, status)?;
    status.wake_worker(std::thread::current());
    let assignments = plan.assignments(worker.index(), worker.peers());
    let thread = std::thread::current();
    let wake: Wake = Arc::new(move || thread.unpark());
    let answers = plan.process.commits() && worker.index() == 0;
    let answering = answers.then(|| Answering::start(plan, stop, Arc::clone(&wake))).transpose()?;
    let source = KafkaSource::start(&plan.kafka, &assignments, clock, &wake)?;
    status.watch_source(worker.index(), source.progress());
    let mut reporter = Reporter::new(worker.index(), status, stages, activity);
    let mut feeder = Feeder {
        plan,
        inbound,
        durable,
        source,
        answering,
        workers: worker.peers(),
        flow: Flow::new(&plan.pipeline),
        idle: Idle::default(),
        idle_sent: Instant::now(),
        heartbeat: heartbeat(plan),
        alignment: Alignment::new(watermark, plan.pipeline.alignment_seconds),
        rules_change: plan.rules_change.clone().filter(|_| worker.index() == 0),
        status,
    };
    let partitions: Vec<PartitionId> = assignments.iter().map(|assignment| assignment.partition).collect();
    feeder.announce(&partitions);
    let sleep = LONGEST_SLEEP.min(feeder.heartbeat);
    while !stop.is_asked() {
        match feeder.feed()? {
            Feed::Records => worker.step(),
            Feed::Nothing => worker.step_or_park(Some(sleep)),
            Feed::TooEarly(wait) => worker.step_or_park(Some(wait)),
        };
        feeder.settle();
        reporter.report(Some(feeder.inbound.frontier()), &feeder.flow);
    }
    if let Some(farewell) = farewell.filter(|_| !stop.is_broken()) {
        let asked = format!("process {} was asked to stop: the others form anew", plan.process.number);
        farewell.announce(stop.reason().unwrap_or(asked));
    }
    let Feeder { inbound, source, answering, durable, flow, .. } = feeder;
    drop((inbound, source, answering));
    while !durable.done() && !stop.is_broken() {
        worker.step_or_park(Some(sleep));
        reporter.report(None, &flow);
    }
    Ok(())
}

/// How often a worker that reads nothing opens an epoch. Within one process it is told when another has opened one
/// with records; other processes are not told, and their epochs are complete only when this one's follow.
fn heartbeat(plan: &Plan) -> Duration {
    let set = Duration::from_millis(plan.pipeline.heartbeat_ms);
    if plan.process.count == 1 { set.max(ALONE_HEARTBEAT) } else { set }
}

/// The inputs and outputs of the graph on one worker.
struct Built {
    inbound: Inbound,
    restored: RestoredHandles,
    watermark: CurrentWatermark,
    stages: Stages,
    durable: ProbeHandle<u64>,
}

fn build(
    worker: &mut Worker,
    plan: &Plan,
    committing: Option<Committing>,
    stop: &Arc<Stop>,
    status: &Arc<Status>,
) -> Built {
    let roles: Vec<Role> = plan.topics.iter().map(|(_, role)| *role).collect();
    worker.dataflow(|scope| {
        let (handles, restored, inputs) = Inputs::new(scope);
        let wanted = Wanted { transactions: true, settled: false };
        let outputs = graph::build(&plan.settings, &roles, wanted, &plan.resume, inputs);
        let durable = ProbeHandle::new();
        sink(outputs.changes, committing, Arc::clone(stop), Arc::clone(status)).probe_with(&durable);
        let inbound = Inbound::new(plan.progress.frontier, handles);
        Built { inbound, restored, watermark: outputs.watermark, stages: outputs.stages, durable }
    })
}

/// What one attempt gave to the graph.
enum Feed {
    /// An epoch with records.
    Records,
    /// No records: there were none, or no room.
    Nothing,
    /// Nothing; how long until the next epoch may open.
    TooEarly(Duration),
}

/// What the source has for the graph.
enum Input {
    /// Records of one topic.
    Batch(Vec<Record>),
    Clock(Clock),
}

/// Moves records from the source to the graph.
struct Feeder<'a> {
    plan: &'a Plan,
    inbound: Inbound,
    durable: ProbeHandle<u64>,
    source: KafkaSource,
    /// On the first worker.
    answering: Option<Answering>,
    /// Of all processes.
    workers: usize,
    flow: Flow,
    idle: Idle,
    idle_sent: Instant,
    /// The longest time between two epochs.
    heartbeat: Duration,
    alignment: Alignment,
    /// Still to be sent, by the first worker.
    rules_change: Option<RulesChange>,
    status: &'a Status,
}

impl Feeder<'_> {
    /// Announces the partitions on which the watermark depends: it waits for each of them. All workers do so
    /// in one epoch, the first, in which nothing else is sent: else records of one worker would be decided
    /// upon before the partitions of another are known.
    fn announce(&mut self, partitions: &[PartitionId]) {
        self.inbound.open_first_epoch();
        for partition in partitions {
            self.inbound.handles.clocks.send(self.plan.resume.announcement(*partition));
        }
        self.inbound.complete_epoch();
    }

    /// Gives what has been read to the graph as one epoch. Each epoch costs a pass over all operators, so none is
    /// opened for nothing.
    fn feed(&mut self) -> Result<Feed> {
        if let Some(wait) = self.inbound.too_early() {
            return Ok(Feed::TooEarly(wait));
        }
        let share = self.flow.share(&self.source)?;
        let mut next = self.next_input(share)?;
        let answers = self.answering.as_ref().map(Answering::take).unwrap_or_default();
        if next.is_none() && answers.is_empty() && !self.is_epoch_due() {
            return Ok(Feed::Nothing);
        }
        let epoch = self.inbound.open_epoch();
        self.rules_change.take().into_iter().for_each(|change| self.inbound.handles.rules.send(change));
        let mut batches = 0;
        while let Some(input) = next {
            match input {
                Input::Batch(records) => {
                    self.idle.busy(&records);
                    self.give(epoch, records);
                    batches += 1;
                }
                Input::Clock(clock) => self.inbound.handles.clocks.send(clock),
            }
            next = if batches < BATCHES_AN_EPOCH { self.next_input(share)? } else { None };
        }
        answers.into_iter().for_each(|answer| self.inbound.handles.answers.send(answer));
        self.send_idle();
        self.inbound.complete_epoch();
        if batches > 0 && self.workers > 1 {
            // Their epochs must follow before this one is complete.
            self.status.ask_to_follow(epoch);
        }
        Ok(if batches > 0 { Feed::Records } else { Feed::Nothing })
    }

    /// Whether an epoch is to be opened although nothing was read.
    fn is_epoch_due(&self) -> bool {
        self.rules_change.is_some()
            || self.inbound.since_opened() >= self.heartbeat
            || self.status.asked_to_follow() >= self.inbound.frontier()
            || (self.is_idle_news_due() && !self.idle.is_empty())
    }

    /// What is next for the graph. It is told only from time to time where partitions end.
    fn next_input(&mut self, share: u64) -> Result<Option<Input>> {
        while let Some(event) = self.flow.next(&self.source, share) {
            match event {
                SourceEvent::Batch(records) => return Ok(Some(Input::Batch(records))),
                SourceEvent::NextRecord { partition, time } => {
                    let time = time.saturating_mul(1000);
                    return Ok(Some(Input::Clock(Clock { partition, time, end: None })));
                }
                SourceEvent::EndOfPartition { partition, offset, as_of } => {
                    self.idle.ended(partition, offset, as_of);
                }
                SourceEvent::Failed(error) => bail!(error),
            }
        }
        Ok(None)
    }

    /// All records of a batch are of one topic.
    fn give(&mut self, epoch: u64, mut records: Vec<Record>) {
        self.status.read(records.len(), records.iter().map(|record| record.full_length).sum());
        self.flow.in_flight.give(epoch, &records, &self.status.appended);
        let role = records.first().map(|record| self.plan.role(record.source.partition()));
        match role {
            Some(Role::Transactions) => {
                records
                    .into_iter()
                    .for_each(|record| self.inbound.handles.transactions.send(Event::from(record)));
            }
            _ => self.inbound.handles.dimensions.send_batch(&mut records),
        }
    }

    fn is_idle_news_due(&self) -> bool {
        self.idle_sent.elapsed() >= IDLE_NEWS
    }

    fn send_idle(&mut self) {
        if !self.is_idle_news_due() {
            return;
        }
        self.idle_sent = Instant::now();
        let allowance = i64::from(self.plan.pipeline.idle_allowance_seconds) * 1_000_000;
        self.idle.clocks(allowance).for_each(|clock| self.inbound.handles.clocks.send(clock));
    }

    /// Removes durable records from those in flight, and lets reading go on as the watermark does.
    fn settle(&mut self) {
        self.alignment.latest().into_iter().for_each(|time| self.source.read_up_to(time));
        let now = now_ms() as i64;
        let mut latencies = self.status.latencies();
        let durable = &self.durable;
        let settled = self.flow.in_flight.settle(
            |epoch| !durable.less_equal(&epoch),
            &self.status.appended,
            |appended_at| latencies.add(now - appended_at / 1000),
        );
        drop(latencies);
        settled.iter().for_each(|settled| self.flow.follow(settled));
        if !self.plan.process.commits() {
            // This process has no committer to report it.
            let frontier = self.durable.with_frontier(|frontier| frontier.first().copied());
            let positions = settled.map(|settled| settled.positions).unwrap_or_default();
            self.status.committed_elsewhere(frontier, positions);
        }
    }
}
