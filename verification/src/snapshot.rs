//! One snapshot of the database, and its rows.

use crate::VerificationError;
use crate::error::unreadable;
use chrono::{DateTime, Utc};
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::ToSql;
use postgres::{Client, IsolationLevel, Row, Transaction};

/// Everything read through it is of the same committed frontier. It cannot write.
pub(crate) struct Snapshot<'a>(Transaction<'a>);

/// Parameters of a query.
type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

impl<'a> Snapshot<'a> {
    /// Takes it at once: the last statement does, before it the transaction has none. The queries take long
    /// and nobody waits for them, so the limits of a writer do not apply.
    pub(crate) fn take(client: &'a mut Client) -> Result<Self, VerificationError> {
        let transaction = client.build_transaction();
        let mut transaction =
            transaction.isolation_level(IsolationLevel::RepeatableRead).read_only(true).start()?;
        transaction.batch_execute(
            "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
             SET LOCAL work_mem = '128MB'; SET LOCAL jit = off; SELECT pg_current_snapshot()",
        )?;
        Ok(Self(transaction))
    }

    /// A savepoint: if a statement fails, only this part is lost.
    pub(crate) fn part(&mut self) -> Result<Snapshot<'_>, VerificationError> {
        Ok(Snapshot(self.0.transaction()?))
    }

    /// For queries of other crates.
    pub(crate) fn transaction(&mut self) -> &mut Transaction<'a> {
        &mut self.0
    }

    /// Calls `each` with each row of `sql`, without holding all of them.
    pub(crate) fn for_each(
        &mut self,
        sql: &str,
        parameters: Parameters<'_>,
        mut each: impl FnMut(&Row) -> Result<(), VerificationError>,
    ) -> Result<(), VerificationError> {
        let rows = self.0.query_raw(sql, parameters.iter().copied())?;
        rows.map_err(VerificationError::from).for_each(|row| each(&row))
    }

    /// Converts each row of `sql` with `read`.
    pub(crate) fn rows<T, C: FromIterator<T>>(
        &mut self,
        sql: &str,
        parameters: Parameters<'_>,
        mut read: impl FnMut(&Row) -> Result<T, VerificationError>,
    ) -> Result<C, VerificationError> {
        let rows = self.0.query_raw(sql, parameters.iter().copied())?;
        rows.map_err(VerificationError::from).map(|row| read(&row)).iterator().collect()
    }

    /// The one row of `sql`.
    pub(crate) fn row(&mut self, sql: &str, parameters: Parameters<'_>) -> Result<Row, VerificationError> {
        Ok(self.0.query_one(sql, parameters)?)
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

/// The text of a column of instants in RFC 3339 with microseconds, SQL.
pub(crate) fn rfc3339(column: &str) -> String {
    format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect};

    #[test]
    fn every_part_sees_the_same_and_writes_nothing() {
        let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
        let connect = || connect(&server.settings()).unwrap();
        let (mut writer, mut reader) = (connect(), connect());
        writer.batch_execute("CREATE TABLE t (n int4); INSERT INTO t VALUES (1)").unwrap();
        let mut snapshot = Snapshot::take(&mut reader).unwrap();
        writer.batch_execute("INSERT INTO t VALUES (2)").unwrap();
        let count = |snapshot: &mut Snapshot<'_>| -> i64 {
            snapshot.part().unwrap().row("SELECT count(*) FROM t", &[]).unwrap().get(0)
        };
        assert_eq!(count(&mut snapshot), 1);
        assert!(snapshot.part().unwrap().row("INSERT INTO t VALUES (3) RETURNING n", &[]).is_err());
        assert_eq!(count(&mut snapshot), 1, "only a part has ended");
    }
}
