//! Days of `bronze.raw_transactions`. Each is detached, which needs an exclusive lock for an instant, and
//! then dropped.

use super::patience::patiently;
use super::{Maintenance, Mode, size};
use anyhow::Result;
use chrono::{DateTime, Utc};
use streamflow_connectors::postgres::PostgresError;

const OLD: &str = "SELECT partition_name, is_attached, bytes FROM streamflow.old_partitions($1)";
const DETACH: &str = "SELECT streamflow.detach_partition($1, $2)";
const DROP: &str = "SELECT streamflow.drop_partition($1, $2)";

/// The default partition: rows of days without a partition of their own.
const DEFAULT: &str = "bronze.raw_transactions_default";

/// A partition whose day is older than its retention.
struct Partition {
    name: String,
    is_attached: bool,
    bytes: i64,
}

impl Maintenance<'_> {
    /// Removes the days that end before `kept_from`.
    pub(super) fn remove_partitions(&mut self, kept_from: DateTime<Utc>) -> Result<()> {
        for partition in self.old_partitions(kept_from)? {
            let Partition { name, bytes, .. } = &partition;
            if self.mode == Mode::DryRun || self.drop(&partition, kept_from)? {
                self.report_step("dropped", &format!("bronze.{name}: 1 partition, {}", size(*bytes)));
            } else {
                self.left.push(format!("bronze.{name} is in use: end long readers (pg_stat_activity)"));
                // Whoever holds one of them holds them all.
                return Ok(());
            }
        }
        self.remove_rows(DEFAULT, kept_from, 0)
    }

    fn old_partitions(&mut self, kept_from: DateTime<Utc>) -> Result<Vec<Partition>> {
        let rows = self.client.query(OLD, &[&kept_from]).map_err(PostgresError::from)?;
        let partition = |row: &postgres::Row| {
            Ok(Partition { name: row.try_get(0)?, is_attached: row.try_get(1)?, bytes: row.try_get(2)? })
        };
        rows.iter().map(partition).collect()
    }

    /// Detaches and drops the partition; returns whether it succeeded.
    fn drop(&mut self, partition: &Partition, kept_from: DateTime<Utc>) -> Result<bool> {
        let Partition { name, is_attached, .. } = partition;
        let statements = if *is_attached { &[DETACH, DROP][..] } else { &[DROP] };
        for sql in statements {
            let outcome = patiently(|| self.client.execute(*sql, &[name, &kept_from]));
            if outcome.map_err(PostgresError::from)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
