//! ANALYZE, because autovacuum skips partitioned tables and analyzes the others late.

use super::patience::patiently;
use super::{Maintenance, Mode};
use anyhow::Result;
use streamflow_connectors::postgres::PostgresError;

const TABLES: &str = "SELECT c.oid::regclass::text FROM pg_class AS c \
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition \
         AND c.relnamespace::regnamespace::text IN ('bronze', 'silver', 'gold', 'streamflow') ORDER BY 1";
const ANALYZE: &str = "SELECT streamflow.analyze_table($1::text::regclass)";

impl Maintenance<'_> {
    /// Updates the statistics of all tables.
    pub(super) fn analyze(&mut self) -> Result<()> {
        let rows = self.client.query(TABLES, &[]).map_err(PostgresError::from)?;
        let tables = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
        let mut analyzed = 0;
        for table in &tables {
            if self.mode == Mode::Apply {
                let outcome = patiently(|| self.client.execute(ANALYZE, &[table]));
                if outcome.map_err(PostgresError::from)?.is_none() {
                    self.left.push(format!("statistics of {table}: its definition is being changed"));
                    continue;
                }
            }
            analyzed += 1;
        }
        self.report_step("analyzed", &format!("{analyzed} tables"));
        Ok(())
    }
}
