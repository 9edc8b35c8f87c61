//! From what was noted to figures.

use super::disturbance::Disturbed;
use super::offer::{Offered, Sent, number};
use super::plan::{Disturbance, Plan};
use super::readers::alerts::Raised;
use super::readers::commits::Advance;
use super::readers::rows::Readable;
use super::spent::Spent;
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use streamflow_connectors::kafka::Delivery;
use streamflow_harness::latency::Recorder;
use streamflow_harness::report::{Better, Figure, Run};
use streamflow_harness::schedule::Schedule;
use streamflow_harness::trend;

/// How far behind its schedule the generator may be, 99 of 100 events; microseconds. Beyond it the rate was not
/// the one that is reported.
const BEHIND_AT_MOST: u64 = 10_000;

const SECOND: i64 = 1_000_000;

/// Events that are due from `from` on and before `to` are measured; microseconds of the clock.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub from: i64,
    pub to: i64,
}

impl Window {
    fn has(self, time: i64) -> bool {
        (self.from..self.to).contains(&time)
    }

    fn seconds(self) -> f64 {
        (self.to - self.from) as f64 / SECOND as f64
    }
}

/// What was noted.
#[derive(Debug)]
pub struct Recording {
    pub window: Window,
    /// When the first event was due.
    pub start: i64,
    pub offered: Offered,
    pub advances: Vec<Advance>,
    pub readable: Vec<Readable>,
    pub raised: Vec<Raised>,
    pub disturbed: Option<Disturbed>,
    /// Of the process, bytes.
    pub peak_memory: u64,
    /// Within the window; `None` where the process was another one in the end.
    pub spent: Option<Spent>,
    /// Alert changes that no consumer has seen.
    pub unread_alerts: u64,
    /// From the first reference record to the commit of all.
    pub start_up: Duration,
}

impl Recording {
    /// How many events were acknowledged.
    pub fn events(&self) -> u64 {
        self.offered.deliveries.len() as u64
    }
}

/// The figures. `wrong`: what is wrong with the results.
///
/// # Errors
/// A histogram cannot be encoded.
pub fn run(plan: &Plan, recording: &Recording, wrong: Option<String>) -> Result<Run> {
    let mut run = Run {
        scenario: plan.name.clone(),
        offered: (plan.rate > 0.0).then_some(plan.rate),
        ..Run::default()
    };
    let behind = behind(recording)?;
    run.void = void(wrong, recording.unread_alerts, behind.percentile(99.0));
    let mut figures = Figures(&mut run.figures);
    figures.spent(recording);
    figures.lower("start_up", recording.start_up.as_secs_f64(), "s");
    if plan.rate > 0.0 {
        figures.lower("behind_p99", milliseconds(behind.percentile(99.0)), "ms");
        figures.commits(plan, recording);
        figures.disturbance(plan, recording);
        let warm_up = Window { from: i64::MIN, to: recording.window.from };
        let warm_up = commit(recording, warm_up)?;
        figures.lower("warm_up_commit_p99", milliseconds(warm_up.percentile(99.0)), "ms");
        let clocks = [
            ("decision", decision(recording)?),
            ("commit", commit(recording, recording.window)?),
            ("readable", readable(recording)?),
        ];
        for (name, recorder) in clocks {
            run.latencies.insert(name.to_owned(), recorder.latency()?);
        }
    }
    Ok(run)
}

/// Why figures do not count. A wrong result is told first.
fn void(wrong: Option<String>, unread_alerts: u64, behind_p99: u64) -> Option<String> {
    if let Some(wrong) = wrong {
        return Some(format!("wrong result: {wrong}"));
    }
    if unread_alerts > 0 {
        return Some(format!("wrong result: consumers lack {unread_alerts} alert changes"));
    }
    (behind_p99 > BEHIND_AT_MOST).then(|| {
        format!(
            "the generator fell behind: 1 of 100 events was sent more than {:.1} ms late, at most {:.0} are allowed",
            milliseconds(behind_p99),
            milliseconds(BEHIND_AT_MOST)
        )
    })
}

fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e3
}

fn behind(recording: &Recording) -> Result<Recorder> {
    let mut recorder = Recorder::new()?;
    let sent = recording.offered.sent.iter().filter(|sent| recording.window.has(sent.due));
    sent.for_each(|sent| recorder.add(sent.behind));
    Ok(recorder)
}

/// From the due time of a transaction until its alert can be read.
fn decision(recording: &Recording) -> Result<Recorder> {
    let mut at: HashMap<u64, i64> = HashMap::new();
    for raised in &recording.raised {
        let prefixed = format!(r#"{{"transaction_id":"{}"#, raised.transaction_id);
        if let Some(number) = number(prefixed.as_bytes()) {
            at.entry(number).or_insert(raised.at);
        }
    }
    let mut recorder = Recorder::new()?;
    for Sent { transaction, due, .. } in &recording.offered.sent {
        // Removed, so that a copy does not count.
        if let Some(at) = transaction.and_then(|number| at.remove(&number))
            && recording.window.has(*due)
        {
            recorder.add(at - due);
        }
    }
    Ok(recorder)
}

/// From the due time of each event until its offset is committed.
fn commit(recording: &Recording, window: Window) -> Result<Recorder> {
    let mut recorder = Recorder::new()?;
    // A broker that does not tell an offset gives a negative one.
    let told = recording.offered.deliveries.iter().filter(|delivery| delivery.offset >= 0);
    for Delivery { number, partition, offset } in told {
        let due = recording.offered.sent.get(*number).map(|sent| sent.due);
        if let Some(due) = due.filter(|due| window.has(*due))
            && let Some(at) = committed_at(&recording.advances, *partition, *offset)
        {
            recorder.add(at - due);
        }
    }
    Ok(recorder)
}

fn committed_at(advances: &[Advance], partition: i32, offset: i64) -> Option<i64> {
    let is_before = |advance: &Advance| advance.offsets.get(&partition).is_none_or(|next| *next <= offset);
    advances.get(advances.partition_point(is_before)).map(|advance| advance.at)
}

/// From the due time of a sampled transaction until its row can be read.
fn readable(recording: &Recording) -> Result<Recorder> {
    let mut recorder = Recorder::new()?;
    let readable = recording.readable.iter().filter(|readable| recording.window.has(readable.due));
    readable.for_each(|Readable { due, at }| recorder.add(at - due));
    Ok(recorder)
}

struct Figures<'a>(&'a mut BTreeMap<String, Figure>);

impl Figures<'_> {
    fn lower(&mut self, name: &str, value: f64, unit: &str) {
        self.0.insert(name.to_owned(), Figure { value, unit: unit.to_owned(), better: Better::Lower });
    }

    fn higher(&mut self, name: &str, value: f64, unit: &str) {
        self.0.insert(name.to_owned(), Figure { value, unit: unit.to_owned(), better: Better::Higher });
    }

    fn spent(&mut self, recording: &Recording) {
        self.lower("peak_memory", recording.peak_memory as f64, "bytes");
        let Some(Spent { processor, durations }) = &recording.spent else { return };
        if let Some(p99) = durations.percentile(0.99) {
            self.lower("commit_duration_p99", 1e3 * p99, "ms");
        }
        self.lower(
            "processor",
            100.0 * processor.as_secs_f64() / recording.window.seconds(),
            "percent of a core",
        );
        let events = recording.offered.sent.iter().filter(|sent| recording.window.has(sent.due)).count();
        if events > 0 {
            self.lower("processor_time", processor.as_secs_f64() * 1e6 / events as f64, "us/event");
        }
    }

    fn commits(&mut self, plan: &Plan, recording: &Recording) {
        let Recording { window, advances, .. } = recording;
        let committed = committed_by(advances, window.to) - committed_by(advances, window.from);
        self.higher("committed", committed / window.seconds(), "events/s");
        let schedule = Schedule::new(recording.start, plan.rate);
        let within: Vec<&Advance> = advances.iter().filter(|advance| window.has(advance.at)).collect();
        let backlog = |advance: &&Advance| {
            let due = schedule.due_by(advance.at) as f64;
            (advance.at as f64 / SECOND as f64, due - advance.committed() as f64)
        };
        // Without commits nothing was worked off.
        let growth = trend::slope(&within.iter().map(backlog).collect::<Vec<_>>()).unwrap_or(plan.rate);
        self.lower("backlog_growth", growth, "events/s");
        let gaps = within.windows(2).map(|pair| pair[1].at - pair[0].at);
        let gap = gaps.max().unwrap_or(window.to - window.from);
        self.lower("longest_commit_gap", gap as f64 / 1e3, "ms");
        if let Some(slowest) = slowest_second(advances, *window) {
            self.higher("slowest_second", slowest, "of the median");
        }
    }

    fn disturbance(&mut self, plan: &Plan, recording: &Recording) {
        let Some((disturbance, disturbed)) = plan.disturbance.zip(recording.disturbed) else { return };
        let schedule = Schedule::new(recording.start, plan.rate);
        let since = |time: i64, is_so: &dyn Fn(&Advance) -> bool| {
            let first = recording.advances.iter().find(|advance| advance.at > time && is_so(advance))?;
            Some((first.at - time) as f64 / SECOND as f64)
        };
        let (name, seconds) = match disturbance {
            Disturbance::Outage { .. } => {
                let is_near = |advance: &Advance| {
                    schedule.due_by(advance.at) as f64 - advance.committed() as f64 <= plan.rate
                };
                ("caught_up", since(disturbed.to, &is_near))
            }
            Disturbance::Restart => {
                let before = committed_by(&recording.advances, disturbed.from);
                let is_new = |advance: &Advance| advance.committed() as f64 > before;
                ("first_commit", since(disturbed.from, &is_new))
            }
            Disturbance::Burst { .. } => {
                ("burst_sent", Some((disturbed.to - disturbed.from) as f64 / SECOND as f64))
            }
        };
        if let Some(seconds) = seconds {
            self.lower(name, seconds, "s");
        }
    }
}

fn committed_by(advances: &[Advance], time: i64) -> f64 {
    let until = advances.partition_point(|advance| advance.at <= time);
    until.checked_sub(1).and_then(|last| advances.get(last)).map_or(0, Advance::committed) as f64
}

/// Events committed in the slowest second of the window, relative to the median.
fn slowest_second(advances: &[Advance], window: Window) -> Option<f64> {
    let seconds = (window.to - window.from) / SECOND;
    let committed = |second: i64| committed_by(advances, window.from + second * SECOND);
    let mut rates: Vec<f64> = (0..seconds).map(|second| committed(second + 1) - committed(second)).collect();
    rates.sort_by(f64::total_cmp);
    let median = *rates.get(rates.len() / 2)?;
    (median > 0.0).then(|| rates[0] / median)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advance(at: i64, offsets: [i64; 2]) -> Advance {
        Advance { at, offsets: [(0, offsets[0]), (1, offsets[1])].into() }
    }

    #[test]
    fn a_record_is_committed_with_the_first_commit_past_its_offset() {
        let advances = [advance(10, [0, 0]), advance(20, [3, 0]), advance(30, [3, 5])];
        let at = |partition, offset| committed_at(&advances, partition, offset);
        assert_eq!(
            [at(0, 0), at(0, 2), at(0, 3), at(1, 0), at(2, 0)],
            [Some(20), Some(20), None, Some(30), None]
        );
    }

    #[test]
    fn what_is_wrong_or_late_is_void() {
        assert_eq!(void(None, 0, BEHIND_AT_MOST), None);
        let texts =
            [void(Some("a table".to_owned()), 1, 90_000), void(None, 2, 90_000), void(None, 0, 23_450)];
        assert_eq!(
            texts.map(Option::unwrap),
            [
                "wrong result: a table",
                "wrong result: consumers lack 2 alert changes",
                "the generator fell behind: 1 of 100 events was sent more than 23.4 ms late, at most 10 are allowed"
            ]
        );
    }

    #[test]
    fn the_slowest_second_is_compared_with_the_median() {
        let advances: Vec<Advance> =
            [0, 100, 130, 230].iter().zip(0..).map(|(n, s)| advance(s * SECOND, [*n, 0])).collect();
        assert_eq!(slowest_second(&advances, Window { from: 0, to: 3 * SECOND }), Some(0.3));
        assert_eq!(slowest_second(&[], Window { from: 0, to: 3 * SECOND }), None);
    }

    fn recording() -> Recording {
        let sent = |number: u64| Sent { transaction: Some(number), due: number as i64 * 100_000, behind: 0 };
        let delivery = |number: usize| Delivery { number, partition: 0, offset: number as i64 };
        let raised = |number: u64, at| Raised { transaction_id: format!("txn-{number:016x}"), at };
        Recording {
            window: Window { from: SECOND, to: 3 * SECOND },
            start: 0,
            offered: Offered {
                sent: (0..30).map(sent).collect(),
                deliveries: (0..30).map(delivery).collect(),
            },
            advances: (0..35).map(|n| advance(n * 100_000 + 5_000, [n, 0])).collect(),
            readable: vec![
                Readable { due: 0, at: SECOND },
                Readable { due: 2 * SECOND, at: 2 * SECOND + 7_000 },
            ],
            raised: vec![raised(15, 1_504_000), raised(2, 900_000), raised(15, 1_999_000)],
            disturbed: None,
            peak_memory: 0,
            spent: None,
            unread_alerts: 0,
            start_up: Duration::ZERO,
        }
    }

    #[test]
    fn each_clock_counts_from_when_an_event_was_due_and_without_the_warm_up() {
        let recording = recording();
        for (recorder, count, latency) in [
            (decision(&recording).unwrap(), 1, 4_000),
            // The offset must be past the event's own: the next commit.
            (commit(&recording, recording.window).unwrap(), 20, 105_000),
            (readable(&recording).unwrap(), 1, 7_000),
        ] {
            assert_eq!(recorder.latency().unwrap().count, count);
            // To three digits.
            assert!(recorder.percentile(100.0).abs_diff(latency) <= latency / 1_000);
        }
    }
}
