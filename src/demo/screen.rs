//! What the demo shows while it runs: a line of figures, and some alerts with their evidence.

use crate::output;
use crate::pipeline::{LatestAlert, Status};
use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use streamflow_connectors::source::now_ms;
use streamflow_dataflow::alerts::{AlertChange, ChangeKind};
use streamflow_model::{Account, BooksEntry, Cents};

/// How often figures are shown: in place on a terminal, as lines elsewhere.
const LIVE: Duration = Duration::from_secs(1);
const LINES: Duration = Duration::from_secs(5);

/// At most one alert is shown in this time.
const ALERTS: Duration = Duration::from_secs(3);

pub struct Screen {
    live: bool,
    started: Instant,
    shown: Instant,
    alert_shown: Instant,
    /// Alerts that changed up to here have been examined, ms since 1970.
    alerts_until: u64,
    records: u64,
}

impl Default for Screen {
    fn default() -> Self {
        let now = Instant::now();
        let live = std::io::stdout().is_terminal();
        Self { live, started: now, shown: now, alert_shown: now, alerts_until: 0, records: 0 }
    }
}

impl Screen {
    pub fn show(&mut self, status: &Status) {
        if self.alert_shown.elapsed() >= ALERTS
            && let Some(change) = self.worth_showing(status.latest_alerts())
        {
            self.alert_shown = Instant::now();
            self.line(&alert_line(&change));
        }
        if self.shown.elapsed() >= if self.live { LIVE } else { LINES } {
            let figures = self.figures(status);
            self.shown = Instant::now();
            // A screen that is gone is no reason to stop.
            let _ = match self.live {
                true => output::write(format_args!("\r\x1b[2K{figures}")),
                false => output::line(figures),
            };
        }
    }

    /// Of the alerts that changed since the last call, the one with the most rules.
    fn worth_showing(&mut self, mut latest: Vec<LatestAlert>) -> Option<AlertChange> {
        latest
            .retain(|alert| alert.changed_at > self.alerts_until && alert.change.kind == ChangeKind::Raised);
        self.alerts_until = latest.last().map_or(self.alerts_until, |alert| alert.changed_at);
        latest.into_iter().map(|alert| alert.change).max_by_key(|change| change.alert.hits.len())
    }

    fn line(&self, text: &str) {
        let begin = if self.live { "\r\x1b[2K" } else { "" };
        let _ = output::line(format_args!("{begin}{text}"));
    }

    fn figures(&mut self, status: &Status) -> String {
        let records = status.records_read.load(Ordering::Relaxed);
        let rate = (records - self.records) as f64 / self.shown.elapsed().as_secs_f64();
        self.records = records;
        let lag = now_ms().saturating_sub(status.durable.load(Ordering::Relaxed));
        let latencies = status.latencies();
        let quantile = |quantile| latencies.quantile(quantile).map_or("-".to_owned(), |ms| ms.to_string());
        format!(
            "{:>4.0} s {rate:>7.0} records/s  frontier {:.2} s behind  latency p50 {} p99 {} ms  {} alert changes  {}",
            self.started.elapsed().as_secs_f64(),
            lag as f64 / 1000.0,
            quantile(0.5),
            quantile(0.99),
            status.alert_changes.load(Ordering::Relaxed),
            books_line(status)
        )
    }
}

/// The books of the transaction topics in one line.
fn books_line(status: &Status) -> String {
    let mut counts = [0; 5];
    for (entry, events) in status.books() {
        match entry {
            BooksEntry::Read { .. } => counts[0] += events,
            BooksEntry::Ended { account: Account::Duplicate | Account::Superseded, .. } => {
                counts[2] += events;
            }
            BooksEntry::Ended { account: Account::DeadLetter(_), .. } => counts[3] += events,
            BooksEntry::Ended { account: Account::Pending, .. } => counts[4] += events,
            BooksEntry::Ended { .. } => counts[1] += events,
        }
    }
    let [read, accepted, copies, dead, pending] = counts;
    let pending = if pending > 0 { format!(" + pending {pending}") } else { String::new() };
    format!("read {read} = accepted {accepted} + copies {copies} + dead letters {dead}{pending}")
}

fn alert_line(change: &AlertChange) -> String {
    let alert = &change.alert;
    let rules: Vec<String> = alert.hits.iter().map(|hit| format!("{} {}", hit.rule, hit.details())).collect();
    format!(
        "  alert {}  {} paid {} {} at {}: {}",
        alert.score,
        alert.customer,
        Cents(alert.amount),
        alert.currency.as_str(),
        alert.store,
        rules.join(", ")
    )
}
