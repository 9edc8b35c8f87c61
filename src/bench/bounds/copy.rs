//! COPY of the rows on one connection, without and with the one key that a table of transactions needs.

use super::super::results;
use super::tables::{Rows, Table};
use anyhow::{Context, Result};
use postgres::Client;
use std::io::Write;
use std::time::{Duration, Instant};
use streamflow_connectors::postgres::{PostgresSettings, connect};
use streamflow_harness::report::Run;

const CREATE: &str = "DROP SCHEMA IF EXISTS streamflow_bounds CASCADE; CREATE SCHEMA streamflow_bounds";
const DROP: &str = "DROP SCHEMA streamflow_bounds CASCADE";
const KEY: &str = "ALTER TABLE streamflow_bounds.transactions ADD PRIMARY KEY (transaction_id)";

/// Bytes that are sent at once.
const PIECE: usize = 64 * 1024;

/// Stores all rows, in one transaction.
pub fn measure(rows: &Rows, settings: &PostgresSettings) -> Result<Run> {
    let mut client = connect(settings)?;
    let plain = store(&mut client, rows, None)?;
    let with_key = store(&mut client, rows, Some(KEY))?;
    let mut run = Run { scenario: "copy".to_owned(), ..Run::default() };
    let events = rows.events as f64;
    results::more(&mut run, "without keys", events / plain.as_secs_f64(), "events/s");
    results::more(&mut run, "with a key of transactions", events / with_key.as_secs_f64(), "events/s");
    let bytes: usize = rows.tables.iter().map(|table| table.rows.len()).sum();
    results::less(&mut run, "row bytes", bytes as f64 / events, "bytes an event");
    Ok(run)
}

fn store(client: &mut Client, rows: &Rows, key: Option<&str>) -> Result<Duration> {
    client.batch_execute(CREATE)?;
    for Table { name, definition, .. } in &rows.tables {
        client.batch_execute(&format!("CREATE TABLE streamflow_bounds.{name} ({definition})"))?;
    }
    key.map_or(Ok(()), |key| client.batch_execute(key))?;
    let started = Instant::now();
    let mut transaction = client.transaction()?;
    for Table { name, columns, rows, .. } in &rows.tables {
        let copy = format!("COPY streamflow_bounds.{name} ({columns}) FROM STDIN (FORMAT binary)");
        let mut writer = transaction.copy_in(&copy)?;
        rows.chunks(PIECE).try_for_each(|piece| writer.write_all(piece)).context("cannot copy")?;
        writer.finish()?;
    }
    transaction.commit()?;
    let elapsed = started.elapsed();
    client.batch_execute(DROP)?;
    Ok(elapsed)
}
