//! Maintenance removes rows that are older than their retention, and updates the planner's statistics.
//!
//! ```text
//!  days of bronze ──> alert history ──> alert changes, as far as published ──> quality counts
//!      ──> dead letters, as far as published ──> transactions with their alerts ──> ANALYZE
//! ```
//!
//! Laws: (1) Ages are counted back from the watermark, or from the clock if that is behind it: a pipeline
//! that was stopped loses nothing. (2) Rows that can still change, or that a restart reads, stay: at least a
//! day more than the correction horizon. (3) Alerts are removed after the events that they came from, so that
//! a recomputation never has alerts without events. (4) Each step is a transaction of its own that also
//! records what was removed (`streamflow.retention`), and gives way to others: no other session waits for it
//! longer than a fraction of a second. (5) Dead letters and transactions that go stay counted
//! (`streamflow.removed_dead_letters`, `removed_transactions`): the books, the profiles and verdicts on amendments
//! are what they would be with them.

mod partitions;
mod patience;
mod published;
mod retention;
mod rows;
mod statistics;
mod transactions;

use crate::config::Config;
use crate::database::connect_migrated;
use anyhow::Result;
use postgres::Client;
use retention::Retention;
use streamflow_connectors::postgres::PostgresError;
use streamflow_medallion::Progress;

/// Key of the advisory lock. Any constant that no other program uses on this database will do.
const LOCK: i64 = 0x5354_524d_4149_4e54;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Apply,
    /// Changes nothing and reports what would be removed.
    DryRun,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Everything that is old enough was removed.
    Done,
    /// Another maintenance is running.
    AlreadyRunning,
    /// What is left for the next run, with the reason, a line each.
    Incomplete(Vec<String>),
}

/// Removes what is due and reports each step in a line.
///
/// # Errors
/// Errors of the server or the connection, or a database without this version's schema. Steps that are done
/// stay done.
pub fn run(config: &Config, mode: Mode, report: &mut dyn FnMut(&str)) -> Result<Completion> {
    let mut client = connect_migrated(&config.postgres)?;
    // Nothing here is quick; what others wait for has limits of its own.
    client.batch_execute("SET statement_timeout = 0; SET timezone = 'UTC'").map_err(PostgresError::from)?;
    let lock = client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK]).map_err(PostgresError::from)?;
    if !lock.try_get(0)? {
        return Ok(Completion::AlreadyRunning);
    }
    // The lock goes with the connection.
    let mut maintenance = Maintenance { config, mode, client, report, left: Vec::new() };
    maintenance.remove()?;
    maintenance.analyze()?;
    let left = maintenance.left;
    Ok(if left.is_empty() { Completion::Done } else { Completion::Incomplete(left) })
}

struct Maintenance<'a> {
    config: &'a Config,
    mode: Mode,
    client: Client,
    report: &'a mut dyn FnMut(&str),
    /// Steps that could not be done, and why.
    left: Vec<String>,
}

impl Maintenance<'_> {
    fn remove(&mut self) -> Result<()> {
        let progress = Progress::read(&mut self.client)?;
        let Some(retention) = Retention::of(self.config, &progress, chrono::Utc::now()) else {
            (self.report)("nothing is old: the pipeline has no watermark yet");
            return Ok(());
        };
        self.remove_partitions(retention.raw_transactions)?;
        if self.left.is_empty() {
            self.remove_alerts(&retention)?;
        } else {
            self.left.push("alert history, which goes after the events that it came from".to_owned());
        }
        self.remove_rows("silver.quality_counts", retention.quality_results, 0)?;
        self.remove_dead_letters(&retention)?;
        self.remove_transactions(&retention)
    }

    /// Reports one step that is done or, in a dry run, would be.
    fn report_step(&mut self, done: &str, what: &str) {
        match self.mode {
            Mode::Apply => (self.report)(&format!("{done} {what}")),
            Mode::DryRun => (self.report)(&format!("would be {done}: {what}")),
        }
    }
}

/// Formats bytes with a unit.
fn size(bytes: i64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short() {
        assert_eq!([0, 999, 1_000, 1_250_000].map(size), ["0 B", "999 B", "1.0 kB", "1.2 MB"]);
        assert_eq!(size(7_000_000_000_000_000), "7000.0 TB");
    }
}
