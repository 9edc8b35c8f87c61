//! Maintenance: what is older than its retention is removed, and statistics are brought up to date.
//!
//! ```text
//!  days of bronze ──> alert history ──> alert changes, as far as published ──> quality counts ──> ANALYZE
//! ```
//!
//! Laws: (1) Ages are counted back from the watermark, or from the clock where that is behind it: a pipeline that stands still
//! loses nothing. (2) What can still change, or is needed to go on after a restart, stays: a day more than the correction
//! horizon at the least. (3) Alerts go after the events that they came from, so that nothing is left that bronze would explain
//! otherwise. (4) Each step is a transaction of its own that also says what was removed (`streamflow.retention`), and gives
//! way to others: nobody waits behind it for longer than a fraction of a second.

mod partitions;
mod patience;
mod published;
mod retention;
mod rows;
mod statistics;

use crate::config::Config;
use crate::database::connect_migrated;
use anyhow::Result;
use postgres::Client;
use retention::Retention;
use streamflow_connectors::postgres::PostgresError;
use streamflow_medallion::Progress;

/// Any constant does, as long as no other program uses it on the same database.
const LOCK: i64 = 0x5354_524d_4149_4e54;

/// Whether something is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Do it.
    Do,
    /// Only say what would be done.
    Tell,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All that is old is gone.
    Done,
    /// Another maintenance is at work.
    Underway,
    /// This is left, with the reason, a line each.
    Left(Vec<String>),
}

/// Does what is due and tells each thing done, a line each.
///
/// # Errors
/// What the server or the connection says, and a database without this version's schema. What was done stays done.
pub fn run(config: &Config, mode: Mode, tell: &mut dyn FnMut(&str)) -> Result<Outcome> {
    let mut client = connect_migrated(&config.postgres)?;
    // Nothing here is quick; what others wait for has limits of its own.
    client.batch_execute("SET statement_timeout = 0; SET timezone = 'UTC'").map_err(PostgresError::from)?;
    let lock = client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK]).map_err(PostgresError::from)?;
    if !lock.try_get(0)? {
        return Ok(Outcome::Underway);
    }
    // The lock goes with the connection.
    let mut maintenance = Maintenance { config, mode, client, tell, left: Vec::new() };
    maintenance.remove()?;
    maintenance.analyze()?;
    let left = maintenance.left;
    Ok(if left.is_empty() { Outcome::Done } else { Outcome::Left(left) })
}

/// A maintenance under way.
struct Maintenance<'a> {
    config: &'a Config,
    mode: Mode,
    client: Client,
    tell: &'a mut dyn FnMut(&str),
    /// What could not be done, and why.
    left: Vec<String>,
}

impl Maintenance<'_> {
    fn remove(&mut self) -> Result<()> {
        let progress = Progress::read(&mut self.client)?;
        let Some(retention) = Retention::of(self.config, &progress, chrono::Utc::now()) else {
            (self.tell)("nothing is old: the pipeline has no watermark yet");
            return Ok(());
        };
        self.remove_partitions(retention.raw_transactions)?;
        if self.left.is_empty() {
            self.remove_alerts(&retention)?;
        } else {
            self.left.push("alert history, which goes after the events that it came from".to_owned());
        }
        self.remove_rows("silver.quality_counts", retention.quality_results, 0)?;
        Ok(())
    }

    /// One thing that is done, or would be.
    fn say(&mut self, done: &str, what: &str) {
        match self.mode {
            Mode::Do => (self.tell)(&format!("{done} {what}")),
            Mode::Tell => (self.tell)(&format!("would be {done}: {what}")),
        }
    }
}

/// Bytes for people.
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
