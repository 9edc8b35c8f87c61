//! How fast is our binary COPY against the driver's own writer? Rows of ten columns and about 400 bytes,
//! 5,000 a transaction. `cargo run --release -p streamflow-connectors --example copy_rate`
#![allow(clippy::unwrap_used, missing_docs)]

use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::{ToSql, Type};
use postgres::{Client, Statement, Transaction};
use std::time::{Duration, Instant, UNIX_EPOCH};
use streamflow_connectors::postgres::{CopyRows, Fields, PrivateOptions, PrivatePostgres, connect};

const TRANSACTIONS: usize = 40;
const ROWS: usize = 5_000;
const AT_MICROS: i64 = 1_769_922_018_250_001;

fn main() {
    let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
    let mut client = connect(&server.settings()).unwrap();
    client
        .batch_execute(
            "CREATE TABLE t (topic text, partition int4, position int8, id text, at timestamptz,
             cents int8, revision int2, voided bool, score float8, payload text)",
        )
        .unwrap();
    let payload = "x".repeat(280);
    // In turn, as the server gets faster or slower in the course of time.
    for _ in 0..4 {
        measure("CopyRows", &mut client, |transaction, copy, first| ours(transaction, copy, first, &payload));
        measure("the driver's", &mut client, |transaction, copy, first| {
            drivers(transaction, copy, first, &payload)
        });
    }
}

fn measure(
    name: &str,
    client: &mut Client,
    write: impl Fn(&mut Transaction<'_>, &Statement, i64) -> Duration,
) {
    client.batch_execute("TRUNCATE t; CHECKPOINT").unwrap();
    let copy = client.prepare("COPY t FROM STDIN (FORMAT binary)").unwrap();
    let mut encoding = Duration::ZERO;
    let started = Instant::now();
    for n in 0..TRANSACTIONS {
        let mut transaction = client.transaction().unwrap();
        encoding += write(&mut transaction, &copy, (n * ROWS) as i64);
        transaction.commit().unwrap();
    }
    let rows = (TRANSACTIONS * ROWS) as f64;
    println!(
        "{name}: {:.0} rows/s, encoding before sending {:.0} ns a row",
        rows / started.elapsed().as_secs_f64(),
        encoding.as_nanos() as f64 / rows
    );
}

fn ours(transaction: &mut Transaction<'_>, copy: &Statement, first: i64, payload: &str) -> Duration {
    let started = Instant::now();
    let mut rows = CopyRows::new(10);
    for n in first..first + ROWS as i64 {
        rows.begin();
        rows.text("transactions.raw");
        rows.int4(1);
        rows.int8(n);
        rows.text("txn-0f8c2d9e4b7a1c35");
        rows.instant(AT_MICROS + n);
        rows.int8(n);
        rows.int2(0);
        rows.boolean(false);
        rows.float8(0.7);
        rows.text(payload);
    }
    let encoding = started.elapsed();
    assert!((380..420).contains(&(rows.bytes() / ROWS)));
    rows.finish_into(transaction, copy).unwrap();
    encoding
}

/// The driver's writer encodes while it sends.
fn drivers(transaction: &mut Transaction<'_>, copy: &Statement, first: i64, payload: &str) -> Duration {
    let types = [
        Type::TEXT,
        Type::INT4,
        Type::INT8,
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::INT8,
        Type::INT2,
        Type::BOOL,
        Type::FLOAT8,
        Type::TEXT,
    ];
    let mut writer = BinaryCopyInWriter::new(transaction.copy_in(copy).unwrap(), &types);
    for n in first..first + ROWS as i64 {
        let at = UNIX_EPOCH + Duration::from_micros((AT_MICROS + n) as u64);
        let values: [&(dyn ToSql + Sync); 10] = [
            &"transactions.raw",
            &1_i32,
            &n,
            &"txn-0f8c2d9e4b7a1c35",
            &at,
            &n,
            &0_i16,
            &false,
            &0.7_f64,
            &payload,
        ];
        writer.write(&values).unwrap();
    }
    writer.finish().unwrap();
    Duration::ZERO
}
