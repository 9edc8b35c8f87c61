//! Reads back the state at the committed frontier, from which the dataflow resumes after a restart.
//!
//! ```text
//! streamflow.progress, rules, silver.blacklist ──> Resume      before the graph is built
//! silver.transactions ──> transactions ──┐
//! gold.customer_totals ─> customers ─────┼─ each worker reads its share, the graph routes the rows
//! other tables of gold, the books ─> views ┘
//! ```
//!
//! Law: while the lease is held and nothing has been committed under it, these tables do not change, so
//! several connections read the state of one frontier at different moments. Each still reads within one
//! snapshot.

mod customers;
mod resume;
mod transactions;
mod views;

pub use resume::{controls, resume};

use crate::progress::Progress;
use crate::tables::pending_events;
use crate::tables::view::Aggregate;
use crate::tables::{Tables, tables};
use crate::topics::Topics;
use postgres::{Client, IsolationLevel, Transaction};
use std::convert::Infallible;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::amendments::Pending;
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::controls::ControlChange;
use streamflow_dataflow::history::Slicing;
use streamflow_dataflow::resume::{RestoredCustomer, RestoredTransaction, Resume};
use streamflow_dataflow::rules::RuleSet;
use streamflow_dataflow::settings::Settings;
use streamflow_dataflow::views::{Facts, View, Visit};
use streamflow_model::timestamp::MINUTE;

/// The part of the rows that one worker reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The worker's index, from 0.
    pub index: usize,
    /// The number of workers.
    pub of: usize,
}

impl Share {
    /// Its part of the numbers from `start` to before `end`.
    fn of_range(self, start: i64, end: i64) -> (i64, i64) {
        let length = i128::from(end) - i128::from(start);
        let bound =
            |index: usize| (i128::from(start) + length * index as i128 / self.of.max(1) as i128) as i64;
        (bound(self.index), bound(self.index + 1))
    }
}

/// A restored row.
#[derive(Clone, Debug)]
pub enum Row {
    /// Of `silver.transactions`.
    Transaction(RestoredTransaction),
    /// Of `streamflow.pending_events`.
    Pending(Pending),
    /// Of `gold.customer_totals`.
    Customer(RestoredCustomer),
    /// Of another table.
    View {
        /// Which one.
        table: &'static str,
        /// The row.
        row: ViewChange,
    },
}

impl Row {
    /// All tables that rows come from.
    #[must_use]
    pub fn tables() -> Vec<&'static str> {
        let mut names = vec![TRANSACTIONS, CUSTOMERS, QUALITY, PROGRESS, pending_events::TABLE];
        let Ok(()) = tables().visit(&mut NameTables(&mut names));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The table that it comes from.
    #[must_use]
    pub fn table(&self) -> &'static str {
        match self {
            Self::Transaction(_) => TRANSACTIONS,
            Self::Pending(_) => pending_events::TABLE,
            Self::Customer(_) => CUSTOMERS,
            Self::View { table, .. } => table,
        }
    }
}

const TRANSACTIONS: &str = "silver.transactions";
const CUSTOMERS: &str = "gold.customer_totals";
const QUALITY: &str = "silver.quality_counts";
const PROGRESS: &str = "streamflow.progress";

struct NameTables<'a>(&'a mut Vec<&'static str>);

impl Visit<Tables> for NameTables<'_> {
    type Error = Infallible;

    fn visit<V: View>(&mut self, aggregate: &&'static Aggregate<V::Key, V::Sum>) -> Result<(), Infallible> {
        self.0.push(aggregate.table.stored);
        Ok(())
    }
}

/// Which rows operators still need.
#[derive(Clone, Debug)]
pub struct Hydration<'a> {
    progress: &'a Progress,
    topics: &'a Topics,
    watermark: i64,
    /// Transactions before it are final, microseconds since 1970.
    settled: i64,
    /// Transactions before it are folded.
    folded_before: i64,
    /// Transactions before it are not needed.
    seen_since: i64,
}

/// Only the start waits for this connection.
const SESSION: &str = "SET statement_timeout = 0; SET timezone = 'UTC'; SET jit = off";

impl<'a> Hydration<'a> {
    /// The rows that operators need under `settings` after `resume`.
    #[must_use]
    pub fn new(settings: &Settings, resume: &Resume, progress: &'a Progress, topics: &'a Topics) -> Self {
        let settled = resume.settled(settings);
        let folded_before = Slicing::new(settings.correction_horizon).folded_before(settled);
        let remembered_since = settled.saturating_sub(settings.identity_retention);
        let looked_back_to = folded_before.saturating_sub(longest_look_back(settings, resume));
        Self {
            progress,
            topics,
            watermark: resume.watermark,
            settled,
            folded_before,
            seen_since: remembered_since.min(looked_back_to).min(settled.saturating_sub(Facts::RESTORED)),
        }
    }

    /// Gives the rows of a share to `give` and returns how many they are.
    ///
    /// # Errors
    /// The server's and the connection's; [`PostgresError::Settings`] where a topic is no longer configured.
    pub fn read(
        &self,
        client: &mut Client,
        share: Share,
        mut give: impl FnMut(Row),
    ) -> Result<u64, PostgresError> {
        client.batch_execute(SESSION)?;
        let snapshot = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let mut snapshot = snapshot.read_only(true).start()?;
        let mut rows = 0;
        let mut count = |row| {
            rows += 1;
            give(row);
        };
        self.read_all(&mut snapshot, share, &mut count)?;
        snapshot.commit()?;
        Ok(rows)
    }

    fn read_all(
        &self,
        snapshot: &mut Transaction<'_>,
        share: Share,
        give: &mut dyn FnMut(Row),
    ) -> Result<(), PostgresError> {
        self.transactions(snapshot, share, &mut |row| give(Row::Transaction(row)))?;
        self.customers(snapshot, share, &mut |row| give(Row::Customer(row)))?;
        if share.index == 0 {
            for pending in pending_events::all(snapshot, self.topics)? {
                give(Row::Pending(pending));
            }
            self.views(snapshot, give)?;
        }
        Ok(())
    }
}

/// How far back a rule can look from a transaction, microseconds, whatever rules apply to it.
pub(crate) fn longest_look_back(settings: &Settings, resume: &Resume) -> i64 {
    let versions = resume.controls.iter().filter_map(|change| match change {
        ControlChange::Rules(change) => Some(&change.version.rules),
        ControlChange::List(_) => None,
    });
    let reach = |rules: &RuleSet| rules.look_back().farthest();
    let longest = versions.chain([&settings.rules]).map(reach).max().unwrap_or_default();
    longest.max(settings.longest_window).max(MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_a_range_once() {
        let parts = |of, start, end| -> Vec<_> {
            (0..of).map(|index| Share { index, of }.of_range(start, end)).collect()
        };
        assert_eq!(parts(3, -1, 7), [(-1, 1), (1, 4), (4, 7)]);
        assert_eq!(parts(2, i64::MIN, i64::MAX), [(i64::MIN, -1), (-1, i64::MAX)]);
    }
}
