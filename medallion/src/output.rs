//! Statements within the transaction of a commit, prepared once per connection.

use crate::encoding::Columns;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use postgres::types::ToSql;
use postgres::{Statement, Transaction};
use streamflow_connectors::postgres::{CopyRows, PostgresError, Written};

/// The prepared statements of one connection, by their text.
#[derive(Default)]
pub(crate) struct Statements(HashMap<&'static str, Statement, foldhash::fast::RandomState>);

impl Statements {
    /// Forgets those of a lost connection.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    fn prepare(
        &mut self,
        transaction: &mut Transaction<'_>,
        sql: &'static str,
    ) -> Result<&Statement, PostgresError> {
        match self.0.entry(sql) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(transaction.prepare(sql)?)),
        }
    }
}

/// Where the tables' writers write.
pub(crate) struct Output<'a, 'b> {
    transaction: &'a mut Transaction<'b>,
    statements: &'a mut Statements,
    written: Written,
}

impl<'a, 'b> Output<'a, 'b> {
    pub(crate) fn new(transaction: &'a mut Transaction<'b>, statements: &'a mut Statements) -> Self {
        Self { transaction, statements, written: Written::default() }
    }

    /// Appends rows to `table` by `sql`, a binary COPY.
    pub(crate) fn copy(
        &mut self,
        table: &'static str,
        sql: &'static str,
        rows: &CopyRows,
    ) -> Result<(), PostgresError> {
        if rows.is_empty() {
            return Ok(());
        }
        let statement = self.statements.prepare(self.transaction, sql)?;
        let stored = rows.finish_into(self.transaction, statement)?;
        self.written.add(table, stored);
        self.written.copied_bytes += rows.bytes() as u64;
        Ok(())
    }

    /// Runs `sql` over the columns, unless they are empty.
    pub(crate) fn write(
        &mut self,
        table: &'static str,
        sql: &'static str,
        columns: &Columns,
    ) -> Result<(), PostgresError> {
        if columns.is_empty() {
            return Ok(());
        }
        let rows = self.execute(sql, &columns.parameters())?;
        self.written.add(table, rows);
        Ok(())
    }

    /// Runs `sql` and returns how many rows it concerned.
    pub(crate) fn execute(
        &mut self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, PostgresError> {
        let statement = self.statements.prepare(self.transaction, sql)?;
        Ok(self.transaction.execute(statement, parameters)?)
    }

    /// The texts that `sql` selects.
    pub(crate) fn texts(
        &mut self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<String>, PostgresError> {
        let statement = self.statements.prepare(self.transaction, sql)?;
        let rows = self.transaction.query(statement, parameters)?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    pub(crate) fn finish(self) -> Written {
        self.written
    }
}
