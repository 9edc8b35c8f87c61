//! Old transactions with their alerts, in the order of the table's pages, of which each is looked at once.

use super::patience::patiently;
use super::retention::Retention;
use super::rows::Removed;
use super::{Maintenance, Mode};
use anyhow::Result;
use chrono::{DateTime, Utc};
use streamflow_connectors::postgres::PostgresError;

const TABLE: &str = "silver.transactions";
const DELETE: &str = "SELECT row_count, bytes, next_page FROM streamflow.delete_old_transactions($1, $2, $3)";

/// Rows that one transaction of the database deletes at most: commits wait as long as that takes.
const BATCH: i32 = 2_000;

impl Maintenance<'_> {
    /// Removes them, where they are not kept for ever.
    pub(super) fn remove_transactions(&mut self, retention: &Retention) -> Result<()> {
        let Some(kept_from) = retention.transactions else { return Ok(()) };
        let removed = match self.mode {
            Mode::DryRun => self.count(TABLE, kept_from, 0)?,
            Mode::Apply => self.delete_transactions(kept_from)?,
        };
        self.report_rows(TABLE, kept_from, removed);
        Ok(())
    }

    fn delete_transactions(&mut self, kept_from: DateTime<Utc>) -> Result<Removed> {
        let (mut removed, mut page) = (Removed::default(), Some(0));
        while let Some(from_page) = page {
            let batch = patiently(|| self.client.query_one(DELETE, &[&kept_from, &from_page, &BATCH]));
            let Some(row) = batch.map_err(PostgresError::from)? else {
                self.left.push(format!("rows of {TABLE}: somebody holds them"));
                return Ok(removed);
            };
            removed.rows += row.try_get::<_, i64>(0)?;
            removed.bytes += row.try_get::<_, i64>(1)?;
            page = row.try_get::<_, Option<i64>>(2)?;
        }
        Ok(removed)
    }
}
