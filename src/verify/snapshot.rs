//! One snapshot of the database, over as many connections as are needed.

use anyhow::{Context, Result};
use postgres::{Client, IsolationLevel, Transaction};
use streamflow_connectors::postgres::{PostgresSettings, connect};

/// Everything read through it is of the same committed frontier. It cannot write.
pub struct Snapshot<'a> {
    transaction: Transaction<'a>,
    name: String,
}

/// The queries take long and nobody waits for them, so the limits of a writer do not apply.
const UNLIMITED: &str = "statement_timeout = 0";
const PATIENT: &str = "idle_in_transaction_session_timeout = 0";

impl<'a> Snapshot<'a> {
    pub fn take(client: &'a mut Client) -> Result<Self> {
        let begin =
            client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let mut transaction = begin.start()?;
        transaction.batch_execute(&format!(
            "SET LOCAL {UNLIMITED}; SET LOCAL {PATIENT}; SET LOCAL work_mem = '128MB'; SET LOCAL jit = off"
        ))?;
        let name = transaction.query_one("SELECT pg_export_snapshot()", &[])?.try_get(0)?;
        Ok(Self { transaction, name })
    }

    /// A savepoint: if a statement fails, only this part is lost.
    pub fn part(&mut self) -> Result<Transaction<'_>> {
        Ok(self.transaction.transaction()?)
    }

    /// Another connection, in a transaction with this snapshot. Starting a transaction on it continues this one, because
    /// BEGIN within a transaction has no effect but a notice. So use it once.
    pub fn connection(&self, settings: &PostgresSettings) -> Result<Client> {
        let mut client = connect(settings)?;
        let name = &self.name;
        client
            .batch_execute(&format!(
                "SET {UNLIMITED}; SET {PATIENT}; \
                 BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{name}'"
            ))
            .context("cannot share the snapshot")?;
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres};

    #[test]
    fn every_connection_sees_the_same_and_writes_nothing() {
        let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
        let connect = || connect(&server.settings()).unwrap();
        let (mut writer, mut reader) = (connect(), connect());
        writer.batch_execute("CREATE TABLE t (n int4); INSERT INTO t VALUES (1)").unwrap();
        let mut snapshot = Snapshot::take(&mut reader).unwrap();
        writer.batch_execute("INSERT INTO t VALUES (2)").unwrap();
        let mut other = snapshot.connection(&server.settings()).unwrap();
        let begin = other.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let mut begun_again = begin.start().unwrap();
        let count = |transaction: &mut Transaction<'_>| -> i64 {
            transaction.query_one("SELECT count(*) FROM t", &[]).unwrap().get(0)
        };
        assert_eq!(count(&mut begun_again), 1);
        assert!(snapshot.part().unwrap().batch_execute("INSERT INTO t VALUES (3)").is_err());
        assert_eq!(count(&mut snapshot.part().unwrap()), 1, "only a part has ended");
    }
}
