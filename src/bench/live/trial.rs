//! One run: a new deployment, a warm-up, what is measured, and the check of the results.

use super::check;
use super::deployment::Deployment;
use super::disturbance::{self, Disturbed};
use super::measurement::{self, Recording, Window};
use super::offer::{Offered, Samples, offer};
use super::plan::{Disturbance, Plan};
use super::readers::alerts::AlertReader;
use super::readers::{Seen, commits, rows};
use super::reference;
use super::servers::{PATIENCE, Servers};
use super::signals::Signals;
use super::spent::Spent;
use anyhow::{Result, anyhow};
use std::sync::atomic::Ordering;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};
use streamflow_harness::report::Run;
use streamflow_harness::schedule::{Clock, Schedule};
use streamflow_medallion::Progress;

/// From the start of the readers to the first event.
const READY: i64 = 200_000;

/// How long a million reference records may take, and all events after the last one was sent.
const DRAINED_WITHIN: Duration = Duration::from_secs(600);

/// Runs a plan.
///
/// # Errors
/// Whatever keeps it from being measured; what makes its figures worthless is in the run.
pub fn run(plan: &Plan, servers: &Servers, signals: &Signals) -> Result<Run> {
    eprintln!("{}: {} events/s for {} s", plan.name, plan.rate, plan.duration.as_secs());
    let mut deployment = servers.deploy(plan)?;
    let started = Instant::now();
    let records = reference::load(&deployment.config, &plan.traffic, servers.is_mock())?;
    deployment.start()?;
    deployment.wait_for_reference(records, DRAINED_WITHIN, signals)?;
    let start_up = started.elapsed();
    let recording = Trial { plan, servers, signals, start_up }.record(&mut deployment)?;
    let events = recording.events();
    eprintln!("{}: {events} events committed; checking the results", plan.name);
    deployment.stop()?;
    let wrong = check::wrong(&deployment, events, servers.is_mock())?;
    measurement::run(plan, &recording, wrong)
}

struct Trial<'a> {
    plan: &'a Plan,
    servers: &'a Servers,
    signals: &'a Signals,
    start_up: Duration,
}

/// What happens beside the readers.
struct Midst {
    offered: Offered,
    disturbed: Option<Disturbed>,
    peak_memory: u64,
    spent: Option<Spent>,
    unread_alerts: u64,
}

impl Trial<'_> {
    /// Offers the events, and has readers note what can be seen.
    fn record(&self, deployment: &mut Deployment) -> Result<Recording> {
        let (clock, samples, seen) = (Clock::start(), Samples::default(), Seen::default());
        let from = READY + micros(self.plan.warm_up);
        let window = Window { from, to: from + micros(self.plan.duration) };
        let alerts = AlertReader::open(&deployment.config)?;
        let config = deployment.config.clone();
        thread::scope(|scope| {
            let advances = scope.spawn(|| commits::follow(&config, clock, &seen));
            let readable = scope.spawn(|| rows::follow(&config, clock, &samples, &seen));
            let raised = scope.spawn(|| alerts.follow(clock, &seen));
            let offered = scope.spawn(|| {
                if self.plan.rate == 0.0 {
                    return Ok(Offered::default());
                }
                let times = (clock, Schedule::new(READY, self.plan.rate), window.to);
                offer(&config, self.plan, times, &samples, || {
                    self.signals.is_interrupted() || seen.has_ended()
                })
            });
            let midst = self.midst(deployment, (clock, window), offered, &seen);
            seen.end();
            let (advances, readable, raised) = (joined(advances)?, joined(readable)?, joined(raised)?);
            let Midst { offered, disturbed, peak_memory, spent, unread_alerts } = midst?;
            let start_up = self.start_up;
            Ok(Recording {
                window,
                start: READY,
                offered,
                advances,
                readable,
                raised,
                disturbed,
                peak_memory,
                spent,
                unread_alerts,
                start_up,
            })
        })
    }

    fn midst(
        &self,
        deployment: &mut Deployment,
        (clock, window): (Clock, Window),
        offered: ScopedJoinHandle<'_, Result<Offered>>,
        seen: &Seen,
    ) -> Result<Midst> {
        self.wait_until(window.from, clock, deployment)?;
        let before = Spent::of(deployment);
        let third = window.from + (window.to - window.from) / 3;
        let mut disturbed = None;
        if let Some(disturbance) = self.plan.disturbance {
            self.wait_until(third, clock, deployment)?;
            let context = (clock, self.plan.traffic.seed);
            disturbed =
                Some(disturbance::happen(disturbance, deployment, self.servers, context, self.signals)?);
        }
        self.wait_until(window.to, clock, deployment)?;
        let peak_memory = deployment.usage().peak_memory;
        // Another process has begun anew.
        let is_same = self.plan.disturbance != Some(Disturbance::Restart);
        let spent = Spent::of(deployment).zip(before).filter(|_| is_same);
        let spent = spent.and_then(|(now, before)| now.since(&before));
        let offered = joined(offered)??;
        let delivered = offered.deliveries.len() as u64;
        self.signals.wait_for(DRAINED_WITHIN, "not all events were committed", || {
            deployment.check_alive()?;
            Ok(seen.committed.load(Ordering::Relaxed) >= delivered)
        })?;
        let unread_alerts = self.wait_for_alerts(deployment, seen)?;
        Ok(Midst { offered, disturbed, peak_memory, spent, unread_alerts })
    }

    fn wait_until(&self, time: i64, clock: Clock, deployment: &mut Deployment) -> Result<()> {
        let within = Duration::from_micros(u64::try_from(time).unwrap_or(0)) + PATIENCE;
        self.signals.wait_for(within, "the time did not come", || {
            deployment.check_alive()?;
            Ok(clock.now() >= time)
        })
    }

    /// Waits until consumers have all alert changes; returns how many they lack in the end.
    fn wait_for_alerts(&self, deployment: &Deployment, seen: &Seen) -> Result<u64> {
        let mut client = deployment.connect()?;
        let begun = Instant::now();
        loop {
            let changes = u64::try_from(Progress::read(&mut client)?.alert_changes).unwrap_or(0);
            let missing = changes.saturating_sub(seen.alert_changes.load(Ordering::Relaxed));
            if missing == 0 || begun.elapsed() > PATIENCE {
                return Ok(missing);
            }
            self.signals.sleep(Duration::from_millis(50))?;
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> Result<T> {
    thread.join().map_err(|_| anyhow!("a thread of the measurement stopped"))
}
