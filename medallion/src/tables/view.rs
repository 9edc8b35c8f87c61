//! A table with one row for each key of a view.

use crate::changes::Latest;
use crate::encoding::Columns;
use crate::output::Output;
use postgres::types::Type;
use streamflow_connectors::postgres::PostgresError;

/// How a view's rows are stored and removed. Columns come as arrays, the key's first.
pub(crate) struct View {
    pub(crate) table: &'static str,
    pub(crate) key: &'static [Type],
    pub(crate) values: &'static [Type],
    /// `INSERT ... SELECT FROM unnest(key, values) ON CONFLICT DO UPDATE`.
    pub(crate) upsert: &'static str,
    /// `DELETE ... USING unnest(key)`.
    pub(crate) delete: &'static str,
}

/// How a view's rows become columns.
pub(crate) trait Rows<K, V> {
    /// Where the row lies among the others: written in this order, neighbours share pages of index and table.
    fn place(&mut self, _key: &K) -> i32 {
        0
    }
    /// Begins a row and pushes its key.
    fn key(&mut self, columns: &mut Columns, key: &K);
    /// Pushes the values; `time` is the ingest time of the change in ms since 1970.
    fn values(&mut self, columns: &mut Columns, value: &V, time: u64);
}

impl View {
    /// Brings the table to the latest rows.
    pub(crate) fn write<K, V>(
        &self,
        output: &mut Output<'_, '_>,
        latest: &Latest<K, V>,
        mut rows: impl Rows<K, V>,
    ) -> Result<(), PostgresError> {
        if latest.is_empty() {
            return Ok(());
        }
        let mut kept = Columns::new(&[self.key, self.values].concat());
        let mut removed = Columns::new(self.key);
        let mut ordered: Vec<_> = latest.iter().map(|(key, change)| (rows.place(key), key, change)).collect();
        ordered.sort_unstable_by_key(|(place, _, _)| *place);
        for (_, key, change) in ordered {
            match &change.value {
                Some(value) => {
                    rows.key(&mut kept, key);
                    rows.values(&mut kept, value, change.time);
                }
                None => rows.key(&mut removed, key),
            }
        }
        output.write(self.table, self.upsert, &kept)?;
        output.write(self.table, self.delete, &removed)
    }
}
