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
use streamflow_dataflow::detectors::RulesChange;
use streamflow_dataflow::dimensions::Role;
use streamflow_dataflow::graph::{self, Stages, Wanted};
use streamflow_dataflow::inputs::{Inputs, RestoredHandles};
use streamflow_dataflow::operators::watermark::{Clock, CurrentWatermark};
use streamflow_model::{PartitionId, Record};
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::Probe;
use timely::worker::Worker;

/// The most batches of one epoch, so that epochs stay short under load.
const BATCHES_AN_EPOCH: usize = 4;

/// The least heartbeat where there is one process.
const ALONE_HEARTBEAT: Duration = Duration::from_millis(100);

/// How often the clocks of idle partitions are sent to the graph.
const IDLE_NEWS: Duration = Duration::from_secs(1);

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
        alignment: Alignment::new(watermark, plan.pipeline.alignment_seconds),
        rules_change: plan.rules_change.clone().filter(|_| worker.index() == 0),
        status,
    };
    let partitions: Vec<PartitionId> = assignments.iter().map(|assignment| assignment.partition).collect();
    feeder.announce(&partitions);
    let heartbeat = heartbeat(plan);
    while !stop.is_asked() {
        match feeder.feed()? {
            Feed::Records => worker.step(),
            Feed::Empty => worker.step_or_park(Some(heartbeat)),
            Feed::TooEarly(wait) => worker.step_or_park(Some(wait)),
        };
        feeder.settle();
        reporter.report(Some(feeder.inbound.frontier()), &feeder.flow);
    }
    if let Some(farewell) = farewell.filter(|_| stop.failure().is_none()) {
        farewell.announce(format!("process {} was asked to stop: all end", plan.process.index));
    }
    let Feeder { inbound, source, answering, durable, flow, .. } = feeder;
    drop((inbound, source, answering));
    while !durable.done() && stop.failure().is_none() {
        worker.step_or_park(Some(heartbeat));
        reporter.report(None, &flow);
    }
    Ok(())
}

/// How often an idle worker advances its epoch. Within one process a worker that reads wakes the others, and commits
/// wake all: then only what nobody is woken for has to be looked at.
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
    /// An epoch without: there was nothing to read, or no room.
    Empty,
    /// Nothing; how long until the next epoch may open.
    TooEarly(Duration),
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

    /// Gives what has been read to the graph as one epoch.
    fn feed(&mut self) -> Result<Feed> {
        let epoch = match self.inbound.open_epoch() {
            Ok(epoch) => epoch,
            Err(wait) => return Ok(Feed::TooEarly(wait)),
        };
        self.rules_change.take().into_iter().for_each(|change| self.inbound.handles.rules.send(change));
        let mut batches = 0;
        let share = self.flow.share(&self.source)?;
        while batches < BATCHES_AN_EPOCH
            && let Some(event) = self.flow.next(&self.source, share)
        {
            match event {
                SourceEvent::Batch(records) => {
                    self.idle.busy(&records);
                    self.give(epoch, records);
                    batches += 1;
                }
                SourceEvent::NextRecord { partition, time } => {
                    let clock = Clock { partition, time: time.saturating_mul(1000), end: None };
                    self.inbound.handles.clocks.send(clock);
                }
                SourceEvent::EndOfPartition { partition, offset, as_of } => {
                    self.idle.ended(partition, offset, as_of);
                }
                SourceEvent::Failed(error) => bail!(error),
            }
        }
        let answers = self.answering.as_ref().map(Answering::take).unwrap_or_default();
        answers.into_iter().for_each(|answer| self.inbound.handles.answers.send(answer));
        self.send_idle();
        self.inbound.complete_epoch();
        if batches > 0 && self.workers > 1 {
            // Their epochs must follow before this one is complete.
            self.status.wake_workers();
        }
        Ok(if batches > 0 { Feed::Records } else { Feed::Empty })
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

    fn send_idle(&mut self) {
        if self.idle_sent.elapsed() < IDLE_NEWS {
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
