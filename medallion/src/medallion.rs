//! The writer: all changes before a frontier in one transaction.

use crate::changes::{Changes, Latest, Rows, ViewRows};
use crate::keys::Dimensions;
use crate::output::{Output, Statements};
use crate::progress::{Progress, fenced};
use crate::tables::view::{Aggregate, Commit, Table};
use crate::tables::{self, Tables};
use crate::topics::Topics;
use chrono_tz::Tz;
use postgres::{Client, Transaction};
use std::sync::Arc;
use streamflow_connectors::postgres::{PostgresError, Writer, Written};
use streamflow_dataflow::views::{View, VisitBoth};
use streamflow_model::Calendar;

/// How often partitions are maintained, ms; they are created days ahead.
const PARTITIONS_PAUSE: u64 = 6 * 3600 * 1000;

/// Parameters are arrays of unknown length, and a new table grows faster than its statistics: so the
/// planner is made to look rows up by index, one after the other.
const SESSION: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
     SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; SET timezone = 'UTC'; \
     SET client_min_messages = warning";

/// Writes [`Changes`] into the tables.
pub struct Medallion {
    topics: Arc<Topics>,
    calendar: Calendar,
    statements: Statements,
    /// The committed progress.
    progress: Progress,
    /// The progress with the batch in progress.
    pending: Option<Progress>,
    loaded: Option<Loaded>,
    partitions_due: u64,
    /// The batch in progress has ids of transactions that the dataflow has forgotten.
    reused_ids: bool,
}

/// State that is read from the tables once and kept up to date.
struct Loaded {
    dimensions: Dimensions,
    /// Keys of `streamflow.topics` by the topic's number.
    topic_keys: Vec<i16>,
}

impl Medallion {
    /// A writer that holds the lease of `progress` (see [`Progress::take_lease`]). `time_zone` is the one the
    /// lease was taken with.
    #[must_use]
    pub fn new(progress: Progress, topics: Arc<Topics>, time_zone: Tz) -> Self {
        Self {
            topics,
            calendar: Calendar::new(time_zone),
            statements: Statements::default(),
            progress,
            pending: None,
            loaded: None,
            partitions_due: 0,
            reused_ids: false,
        }
    }

    fn load(&self, client: &mut Client) -> Result<Loaded, PostgresError> {
        let mut topic_keys = Vec::new();
        for name in self.topics.names() {
            client.execute(
                "INSERT INTO streamflow.topics (topic) VALUES ($1) ON CONFLICT DO NOTHING",
                &[name],
            )?;
            let row =
                client.query_one("SELECT topic_key FROM streamflow.topics WHERE topic = $1", &[name])?;
            topic_keys.push(row.try_get(0)?);
        }
        Ok(Loaded { dimensions: Dimensions::load(client)?, topic_keys })
    }

    fn create_partitions(&mut self, output: &mut Output<'_, '_>, time: u64) -> Result<(), PostgresError> {
        if time < self.partitions_due {
            return Ok(());
        }
        let at = i64::try_from(time).unwrap_or(i64::MAX);
        output.execute(
            "SELECT bronze.create_partitions(day, day + 3) \
             FROM (SELECT (to_timestamp($1::int8 / 1000) AT TIME ZONE 'UTC')::date AS day) AS today",
            &[&at],
        )?;
        self.partitions_due = time + PARTITIONS_PAUSE;
        Ok(())
    }
}

impl Writer for Medallion {
    type Batch = Changes;

    fn on_connect(&mut self, client: &mut Client) -> Result<(), PostgresError> {
        self.statements.clear();
        client.batch_execute(SESSION)?;
        self.progress.hold_lease(client)?;
        if self.loaded.is_none() {
            self.loaded = Some(self.load(client)?);
        }
        Ok(())
    }

    fn committed_frontier(&mut self, client: &mut Client) -> Result<u64, PostgresError> {
        let sql = "SELECT frontier FROM streamflow.progress WHERE generation = $1 FOR UPDATE";
        let row = client.query_opt(sql, &[&self.progress.generation])?;
        let row = row.ok_or_else(|| fenced(self.progress.generation))?;
        Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0))
    }

    fn write(
        &mut self,
        transaction: &mut Transaction<'_>,
        frontier: u64,
        changes: &Changes,
    ) -> Result<Written, PostgresError> {
        let mut statements = std::mem::take(&mut self.statements);
        let mut output = Output::new(transaction, &mut statements);
        let result = self.write_all(&mut output, frontier, changes);
        let written = output.finish();
        self.statements = statements;
        result.map(|()| written)
    }

    fn committed(&mut self) {
        if let Some(progress) = self.pending.take() {
            self.progress = progress;
        }
        if let Some(loaded) = &mut self.loaded {
            loaded.dimensions.commit();
        }
        self.reused_ids = false;
    }

    fn rolled_back(&mut self) {
        self.pending = None;
        if let Some(loaded) = &mut self.loaded {
            loaded.dimensions.roll_back();
        }
        self.partitions_due = 0;
    }
}

/// Writes the latest rows of views, then the differences of closed ones.
struct WriteRows<'a, 'b, 'c> {
    output: &'a mut Output<'b, 'c>,
    dimensions: &'a mut Dimensions,
    commit: Commit,
}

impl WriteRows<'_, '_, '_> {
    fn write<K: Ord, S>(
        &mut self,
        table: &'static Table<K, S>,
        rows: &Latest<K, S>,
    ) -> Result<(), PostgresError> {
        table.write(self.output, rows, self.dimensions, self.commit)
    }
}

impl VisitBoth<Tables, Rows> for WriteRows<'_, '_, '_> {
    type Error = PostgresError;

    fn visit<V: View>(
        &mut self,
        aggregate: &&'static Aggregate<V::Key, V::Sum>,
        rows: &ViewRows<V::Key, V::Sum>,
    ) -> Result<(), PostgresError> {
        self.write(&aggregate.table, &rows.latest)?;
        aggregate.table.add(self.output, &rows.differences, self.dimensions, self.commit)
    }
}

impl Medallion {
    fn write_all(
        &mut self,
        output: &mut Output<'_, '_>,
        frontier: u64,
        changes: &Changes,
    ) -> Result<(), PostgresError> {
        let mut progress = self.progress.clone();
        progress.advance(frontier, changes, &self.topics);
        if !changes.received.is_empty() {
            self.create_partitions(output, changes.last_time)?;
        }
        let Some(Loaded { dimensions, topic_keys }) = &mut self.loaded else {
            return Err(PostgresError::Stopped("it wrote before it connected"));
        };
        tables::bronze::write_received(output, changes)?;
        progress.dead_letters =
            tables::bronze::write_dead_letters(output, changes, &self.topics, progress.dead_letters)?;
        let mut transactions = tables::transactions::Transactions {
            calendar: &self.calendar,
            dimensions,
            topic_keys,
            reused_ids: &mut self.reused_ids,
        };
        transactions.write(output, changes)?;
        let first_window = progress.first_minute();
        let commit = Commit {
            first_window,
            windows_expire: first_window != self.progress.first_minute(),
            frontier: i64::try_from(frontier).unwrap_or(i64::MAX),
        };
        let mut rows = WriteRows { output, dimensions, commit };
        rows.write(&tables::customer_profile::TABLE, &changes.profiles)?;
        tables::tables().visit_both(&changes.views, &mut rows)?;
        rows.write(&tables::quality::TABLE, &changes.quality)?;
        progress.alert_changes = tables::alerts::Alerts {
            topics: &self.topics,
            calendar: &self.calendar,
            dimensions,
            frontier,
            last_number: progress.alert_changes,
        }
        .write(output, changes)?;
        tables::pending_events::write(output, changes, &self.topics)?;
        tables::lists::write(output, changes)?;
        tables::dimensions::write(output, changes, dimensions, commit)?;
        // Last, as it ends the transaction of a writer whose lease was taken.
        progress.write(output)?;
        self.pending = Some(progress);
        Ok(())
    }
}
