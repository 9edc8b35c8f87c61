//! One snapshot of the database, and its rows.

use crate::VerificationError;
use crate::error::unreadable;
use chrono::{DateTime, Utc};
use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, IsolationLevel, Row, Transaction};

/// One snapshot: everything read is of the same committed frontier.
pub(crate) struct Snapshot<'a>(Transaction<'a>);

impl<'a> Snapshot<'a> {
    pub(crate) fn take(client: &'a mut Client) -> Result<Self, VerificationError> {
        let transaction = client.build_transaction();
        let mut transaction =
            transaction.isolation_level(IsolationLevel::RepeatableRead).read_only(true).start()?;
        transaction.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL jit = off")?;
        Ok(Self(transaction))
    }

    /// Runs `sql` and converts each row with `read`.
    pub(crate) fn rows<T>(
        &mut self,
        sql: &str,
        mut read: impl FnMut(&Row) -> Result<T, VerificationError>,
    ) -> Result<Vec<T>, VerificationError> {
        let parameters: [&str; 0] = [];
        let mut rows = self.0.query_raw(sql, parameters)?;
        let mut values = Vec::new();
        while let Some(row) = rows.next()? {
            values.push(read(&row)?);
        }
        Ok(values)
    }

    /// Runs `sql`, which returns one row.
    pub(crate) fn row(&mut self, sql: &str) -> Result<Row, VerificationError> {
        Ok(self.0.query_one(sql, &[])?)
    }
}

/// A `timestamptz` in microseconds since 1970.
pub(crate) fn instant(row: &Row, column: usize) -> Result<i64, VerificationError> {
    Ok(row.try_get::<_, DateTime<Utc>>(column)?.timestamp_micros())
}

/// A `timestamptz` in microseconds since 1970; `None` for null.
pub(crate) fn instant_or_null(row: &Row, column: usize) -> Result<Option<i64>, VerificationError> {
    let instant: Option<DateTime<Utc>> = row.try_get(column)?;
    Ok(instant.map(|instant| instant.timestamp_micros()))
}

/// A text; empty for null, as where a key has no member in its dimension.
pub(crate) fn text(row: &Row, column: usize) -> Result<String, VerificationError> {
    Ok(row.try_get::<_, Option<String>>(column)?.unwrap_or_default())
}

/// A whole number that was cast to text because it may be longer than 64 bits.
pub(crate) fn long(row: &Row, column: usize, table: &'static str) -> Result<i128, VerificationError> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|error| unreadable(table, &format!("{text}: {error}")))
}

/// An integer in a smaller type.
pub(crate) fn narrow<T: TryFrom<i64>>(
    row: &Row,
    column: usize,
    table: &'static str,
) -> Result<T, VerificationError> {
    let value: i64 = row.try_get(column)?;
    T::try_from(value).map_err(|_| unreadable(table, &format!("{value} is out of range")))
}
