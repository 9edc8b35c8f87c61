//! Old rows, deleted in batches, the oldest first.

use super::patience::patiently;
use super::retention::Retention;
use super::{Maintenance, Mode, published, size};
use anyhow::Result;
use chrono::{DateTime, Utc};
use streamflow_connectors::postgres::PostgresError;

const COUNT: &str = "SELECT row_count, bytes FROM streamflow.count_old_rows($1, $2, $3)";
const DELETE: &str = "SELECT row_count, bytes FROM streamflow.delete_old_rows($1, $2, $3, $4)";

/// Rows that one transaction deletes at most.
const BATCH: i32 = 10_000;

const HISTORY: &str = "gold.fraud_alert_history";
const CHANGES: &str = "bronze.raw_fraud_alerts";

#[derive(Clone, Copy, Debug, Default)]
struct Removed {
    rows: i64,
    bytes: i64,
}

impl Maintenance<'_> {
    /// Removes the history of old alerts, and those of their changes that are published.
    pub(super) fn remove_alerts(&mut self, retention: &Retention) -> Result<()> {
        let kept_from = retention.alert_history;
        self.remove_rows(HISTORY, kept_from, 0)?;
        let old = self.count(CHANGES, kept_from, i64::MAX)?;
        if old.rows == 0 {
            return Ok(());
        }
        // Asked only where there is something to remove: Kafka need not be there for the rest.
        match published::last_alert_change(self.config) {
            Ok(published) => {
                let is_behind = self.count(CHANGES, kept_from, published)?.rows < old.rows;
                self.remove_rows(CHANGES, kept_from, published)?;
                if is_behind {
                    self.left.push(format!(
                        "rows of {CHANGES} after number {published}, which is the last published one"
                    ));
                }
            }
            Err(error) => {
                let Removed { rows, .. } = old;
                self.left.push(format!(
                    "{rows} rows of {CHANGES}: cannot tell how far they are published: {error:#}"
                ));
            }
        }
        Ok(())
    }

    /// Removes the rows of a table that are older than `kept_from`; alert changes only up to number
    /// `published`.
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
        if removed.rows > 0 {
            let Removed { rows, bytes } = removed;
            let what = format!("{table}: {rows} rows before {}, {}", kept_from.format("%FT%TZ"), size(bytes));
            self.report_step("deleted", &what);
        }
        Ok(())
    }

    fn count(&mut self, table: &str, kept_from: DateTime<Utc>, published: i64) -> Result<Removed> {
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
