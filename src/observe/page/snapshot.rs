//! `/status.json`: what the page shows. Documented in docs/METRICS.md; fields may be added, none changes its
//! meaning.
//!
//! Times are in ms since 1970, durations in seconds. Counts are since the start of the process, except the
//! books. Fields of parts of the pipeline that run in another process are null or empty.

use crate::memory::{self, Memory};
use crate::observe::books::{self, Book};
use crate::observe::partitions::{self, Partition};
use crate::observe::stages::StageState;
use crate::observe::{Observed, health, stages};
use crate::pipeline::{LatencySummary, LatestAlert, Totals, WorkerReport};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use streamflow_connectors::source::now_ms;
use streamflow_dataflow::detectors::Hit;
use streamflow_model::Cents;

/// The number of alert changes that are shown.
const ALERTS: usize = 20;

/// The status at one moment.
#[derive(Debug, Serialize)]
pub struct Snapshot {
    time: u64,
    process: Process,
    verdict: Health,
    stages: Vec<Stage>,
    partitions: Vec<Partition>,
    books: Vec<Book>,
    latency: Latency,
    flow: Flow,
    memory: MemoryUse,
    commits: Commits,
    /// `None` in processes that do not publish.
    publisher: Option<Publisher>,
    start: Start,
    /// The latest change is the first.
    alerts: Vec<Alert>,
}

#[derive(Debug, Serialize)]
struct Process {
    version: &'static str,
    started: u64,
    /// The number of this process, from 0, and the number of processes.
    process: Option<usize>,
    processes: Option<usize>,
    workers: usize,
    cpu_seconds: Option<f64>,
}

/// The answers of `/healthz` and `/readyz`.
#[derive(Debug, Serialize)]
struct Health {
    healthy: bool,
    ready: bool,
    /// Why it is not healthy or not ready.
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct Stage {
    stage: &'static str,
    state: StageState,
    frontier: Option<u64>,
    lag_seconds: Option<f64>,
    /// The number of items that have passed; the page computes the rate from it.
    done: u64,
    unit: &'static str,
}

#[derive(Debug, Serialize)]
struct Latency {
    /// From a record's timestamp to its commit, over the last one to two minutes.
    commit: Option<Quantiles>,
}

/// Durations are in seconds.
#[derive(Debug, Serialize)]
struct Quantiles {
    count: u64,
    p50: f64,
    p99: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
struct Flow {
    /// Limits of each worker.
    limit_records: u64,
    limit_bytes: u64,
    workers: Vec<Worker>,
}

#[derive(Debug, Serialize)]
struct Worker {
    worker: usize,
    in_flight_records: u64,
    in_flight_bytes: u64,
    /// Records that may be in flight at the rate just seen.
    window_records: u64,
    paused_seconds: f64,
    /// Time that its operators ran.
    busy_seconds: f64,
    /// Entries that its operators hold.
    held_records: u64,
    held_bytes: u64,
    /// Seconds since its last report.
    silent_seconds: f64,
}

#[derive(Debug, Serialize)]
struct MemoryUse {
    allocated_bytes: Option<u64>,
    resident_bytes: Option<u64>,
    peak_resident_bytes: Option<u64>,
    limit_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Commits {
    commits: u64,
    epochs: u64,
    rows: u64,
    seconds: f64,
    queued_rows: Option<u64>,
    retries: Option<u64>,
    /// The time of the last commit.
    last: Option<u64>,
    postgres_up: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Publisher {
    up: bool,
    alerts: u64,
    dead_letters: u64,
    windows: u64,
    transactions: u64,
    retries: u64,
    last_error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Start {
    hydrated: bool,
    rows: u64,
    seconds: Option<f64>,
    first_commit_seconds: Option<f64>,
}

/// A committed change of an alert. It has ids and numbers only: no names, and no free text. Where ids are not shown,
/// what has them is `None`.
#[derive(Debug, Serialize)]
struct Alert {
    alert_id: Option<String>,
    sequence: u32,
    change: &'static str,
    cause: &'static str,
    changed_at: u64,
    transaction_id: Option<String>,
    customer_id: Option<String>,
    store_id: String,
    amount: String,
    currency: String,
    /// The event time of the transaction.
    transaction_at: i64,
    score: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
struct Rule {
    rule: String,
    explanation: Option<String>,
    evidence: Option<Value>,
}

impl Snapshot {
    /// Takes a snapshot.
    pub fn of(observed: &Observed) -> Self {
        let (status, limits) = (&observed.status, &observed.limits);
        let (totals, workers) = (status.totals(), status.workers());
        let process = Process {
            version: env!("CARGO_PKG_VERSION"),
            started: limits.started,
            process: status.process().map(|process| process.number),
            processes: status.process().map(|process| process.count),
            workers: limits.workers,
            cpu_seconds: memory::processor_time().map(|used| used.as_secs_f64()),
        };
        let flow = Flow {
            limit_records: limits.uncommitted_records,
            limit_bytes: limits.uncommitted_bytes,
            workers: workers.iter().map(|(worker, report)| Worker::of(*worker, report)).collect(),
        };
        Self {
            time: now_ms(),
            process,
            verdict: Health::of(observed),
            stages: stages_of(observed, &totals, &workers),
            partitions: partitions::look(observed),
            books: if status.commits() { books::look(observed, &totals) } else { Vec::new() },
            latency: Latency { commit: status.latencies().recent().map(Quantiles::of) },
            flow,
            memory: MemoryUse::look(limits.memory),
            commits: Commits::of(observed, &totals),
            publisher: status.commits().then(|| Publisher::of(observed)),
            start: Start::of(observed),
            alerts: alerts_of(status.latest_alerts(), limits.show_ids),
        }
    }
}

/// The latest alert changes, the last one first.
fn alerts_of(latest: Vec<LatestAlert>, show_ids: bool) -> Vec<Alert> {
    let alerts = latest.into_iter().rev().take(ALERTS).map(Alert::of);
    alerts.map(|alert| if show_ids { alert } else { alert.without_ids() }).collect()
}

/// The stages with their frontiers and counts.
fn stages_of(observed: &Observed, totals: &Totals, workers: &BTreeMap<usize, WorkerReport>) -> Vec<Stage> {
    let received = |name: &str| -> u64 {
        let operators = workers.values().flat_map(|report| &report.operators);
        operators.filter(|operator| operator.name == name).map(|operator| operator.received).sum()
    };
    let published = observed.status.publisher.activity().sent;
    let done = |stage: &str| match stage {
        "source" => (observed.status.records_read.load(Ordering::Relaxed), "records"),
        "admitted" => (received("identity"), "events"),
        "history" => (received("history"), "transactions"),
        "aggregates" => (received("commit"), "changes"),
        "committed" => (totals.rows.values().sum(), "rows"),
        _ => (published.alerts + published.dead_letters + published.windows, "messages"),
    };
    let stage = |stages::Stage { name, frontier, lag, state }: stages::Stage| {
        let (done, unit) = done(name);
        Stage { stage: name, state, frontier, lag_seconds: lag.map(|lag| lag.as_secs_f64()), done, unit }
    };
    stages::look(observed).map(stage).into()
}

impl Health {
    fn of(observed: &Observed) -> Self {
        let (alive, ready) = (health::alive(observed), health::ready(observed));
        Self { healthy: alive.is_ok(), ready: ready.is_ok(), reason: alive.and(ready).err() }
    }
}

impl Quantiles {
    fn of(LatencySummary { count, p50, p99, max }: LatencySummary) -> Self {
        let seconds = |ms: u64| ms as f64 / 1000.0;
        Self { count, p50: seconds(p50), p99: seconds(p99), max: seconds(max) }
    }
}

impl Worker {
    fn of(worker: usize, report: &WorkerReport) -> Self {
        let held = || report.operators.iter().filter_map(|operator| operator.held);
        Self {
            worker,
            in_flight_records: report.in_flight,
            in_flight_bytes: report.in_flight_bytes,
            window_records: report.window,
            paused_seconds: report.paused.as_secs_f64(),
            busy_seconds: report.operators.iter().map(|operator| operator.busy.as_secs_f64()).sum(),
            held_records: held().map(|held| held.records).sum(),
            held_bytes: held().map(|held| held.bytes).sum(),
            silent_seconds: report.made.elapsed().as_secs_f64(),
        }
    }
}

impl MemoryUse {
    fn look(limit_bytes: u64) -> Self {
        let Memory { allocated, resident, peak_resident, .. } = Memory::look();
        Self {
            allocated_bytes: allocated,
            resident_bytes: resident,
            peak_resident_bytes: peak_resident,
            limit_bytes,
        }
    }
}

impl Commits {
    fn of(observed: &Observed, totals: &Totals) -> Self {
        let statistics = observed.status.committer().map(|monitor| monitor.statistics());
        let last = observed.status.committed_at.load(Ordering::Relaxed);
        Self {
            commits: totals.commits.count(),
            epochs: totals.epochs,
            rows: totals.rows.values().sum(),
            seconds: totals.commits.sum(),
            queued_rows: statistics.as_ref().map(|statistics| statistics.queued_weight as u64),
            retries: statistics.as_ref().map(|statistics| statistics.retries),
            last: Some(last).filter(|last| *last > 0),
            postgres_up: statistics.as_ref().map(|statistics| statistics.connected),
        }
    }
}

impl Publisher {
    fn of(observed: &Observed) -> Self {
        let activity = observed.status.publisher.activity();
        let up = activity.retrying_since.is_none();
        Self {
            up,
            alerts: activity.sent.alerts,
            dead_letters: activity.sent.dead_letters,
            windows: activity.sent.windows,
            transactions: activity.transactions,
            retries: activity.retries,
            last_error: observed.status.publisher.look().last_error.filter(|_| !up),
        }
    }
}

impl Start {
    fn of(observed: &Observed) -> Self {
        let start = observed.status.start();
        let taken = start.hydration.or(start.begun().map(|begun| begun.elapsed()));
        Self {
            hydrated: start.hydration.is_some(),
            rows: start.rows.values().sum(),
            seconds: taken.map(|taken| taken.as_secs_f64()),
            first_commit_seconds: start.first_commit.map(|taken| taken.as_secs_f64()),
        }
    }
}

impl Alert {
    fn of(LatestAlert { changed_at, change }: LatestAlert) -> Self {
        let alert = change.alert;
        Self {
            alert_id: Some(alert.id()),
            sequence: change.sequence,
            change: change.kind.as_str(),
            cause: change.cause.as_str(),
            changed_at,
            amount: Cents(alert.amount).to_string(),
            currency: alert.currency.as_str().to_owned(),
            transaction_at: alert.event_time.div_euclid(1000),
            score: alert.score.to_string(),
            rules: alert.hits.iter().map(Rule::of).collect(),
            transaction_id: Some(alert.transaction.to_string()),
            customer_id: Some(alert.customer.to_string()),
            store_id: alert.store.to_string(),
        }
    }

    /// Evidence and its sentence name other transactions and list entries.
    fn without_ids(self) -> Self {
        let rule = |Rule { rule, .. }| Rule { rule, explanation: None, evidence: None };
        let rules = self.rules.into_iter().map(rule).collect();
        Self { alert_id: None, transaction_id: None, customer_id: None, rules, ..self }
    }
}

impl Rule {
    fn of(hit: &Hit) -> Self {
        let mut evidence = hit.details();
        if let Some(fields) = evidence.as_object_mut() {
            // Why somebody is on a list is what a person wrote, perhaps with names.
            fields.remove("reason");
        }
        Self { rule: hit.rule.to_string(), explanation: Some(hit.explanation()), evidence: Some(evidence) }
    }
}
