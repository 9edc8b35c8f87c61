//! Old rows, deleted in batches, the oldest first.

use super::patience::patiently;
use super::retention::Retention;
use super::{Maintenance, Mode, published, size};
use anyhow::Result;
use chrono::{DateTime, Utc};
use streamflow_connectors::postgres::PostgresError;
use streamflow_medallion::outbox::ProgressRecord;

const COUNT: &str = "SELECT row_count, bytes FROM streamflow.count_old_rows($1, $2, $3)";
const DELETE: &str = "SELECT row_count, bytes FROM streamflow.delete_old_rows($1, $2, $3, $4)";

/// Rows that one transaction deletes at most.
const BATCH: i32 = 10_000;

const HISTORY: &str = "gold.fraud_alert_history";
const CHANGES: &str = "bronze.raw_fraud_alerts";
const LETTERS: &str = "bronze.dead_letters";

/// Rows of a table that are removed, or would be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Removed {
    pub rows: i64,
    pub bytes: i64,
}

impl Maintenance<'_> {
    /// Removes the history of old alerts, and those of their changes that are published.
    pub(super) fn remove_alerts(&mut self, retention: &Retention) -> Result<()> {
        let kept_from = retention.alert_history;
        self.remove_rows(HISTORY, kept_from, 0)?;
        self.remove_published(CHANGES, kept_from, |record| record.alert_number)
    }

    /// Removes old dead letters, as far as they are published, where they are not kept for ever.
    pub(super) fn remove_dead_letters(&mut self, retention: &Retention) -> Result<()> {
        let Some(kept_from) = retention.dead_letters else { return Ok(()) };
        self.remove_published(LETTERS, kept_from, |record| record.dead_letter_number)
    }

    /// Removes the rows of a numbered table that are older than `kept_from`, up to the `number` in the publisher's
    /// record.
    fn remove_published(
        &mut self,
        table: &str,
        kept_from: DateTime<Utc>,
        number: fn(&ProgressRecord) -> i64,
    ) -> Result<()> {
        let old = self.count(table, kept_from, i64::MAX)?;
        if old.rows == 0 {
            return Ok(());
        }
        // Asked only where there is something to remove: Kafka need not be there for the rest.
        match published::progress(self.config) {
            Ok(record) => {
                let published = number(&record);
                let is_behind = self.count(table, kept_from, published)?.rows < old.rows;
                self.remove_rows(table, kept_from, published)?;
                if is_behind {
                    self.left.push(format!(
                        "rows of {table} after number {published}, which is the last published one"
                    ));
                }
            }
            Err(error) => {
                let Removed { rows, .. } = old;
                self.left.push(format!(
                    "{rows} rows of {table}: cannot tell how far they are published: {error:#}"
                ));
            }
        }
        Ok(())
    }

    /// Removes the rows of a table that are older than `kept_from`; alert changes and dead letters only up to
    /// number `published`.
    pub(super) fn remove_rows(
        &mut self,
        table: &str,
        kept_from: DateTime<Utc>,
        published: i64,
    ) -> Result<()> {
        let removed = match self.mode {
            Mode::DryRun => self.count(table, kept_from, published)?,
            Mode::Apply => self.delete(table, kept_from, published)?,
        };
        self.report_rows(table, kept_from, removed);
        Ok(())
    }

    /// Reports rows that were removed, if there are any.
    pub(super) fn report_rows(&mut self, table: &str, kept_from: DateTime<Utc>, removed: Removed) {
        let Removed { rows, bytes } = removed;
        if rows > 0 {
            let what = format!("{table}: {rows} rows before {}, {}", kept_from.format("%FT%TZ"), size(bytes));
            self.report_step("deleted", &what);
        }
    }

    pub(super) fn count(&mut self, table: &str, kept_from: DateTime<Utc>, published: i64) -> Result<Removed> {
        let row =
            self.client.query_one(COUNT, &[&table, &kept_from, &published]).map_err(PostgresError::from)?;
        Ok(Removed { rows: row.try_get(0)?, bytes: row.try_get(1)? })
    }

    fn delete(&mut self, table: &str, kept_from: DateTime<Utc>, published: i64) -> Result<Removed> {
        let mut removed = Removed::default();
        loop {
            let batch =
                patiently(|| self.client.query_one(DELETE, &[&table, &kept_from, &published, &BATCH]));
            let Some(row) = batch.map_err(PostgresError::from)? else {
                self.left.push(format!("rows of {table}: somebody holds them"));
                return Ok(removed);
            };
            let rows: i64 = row.try_get(0)?;
            removed.rows += rows;
            removed.bytes += row.try_get::<_, i64>(1)?;
            if rows < i64::from(BATCH) {
                return Ok(removed);
            }
        }
    }
}
