//! Binary COPY against a real server: every type arrives as it was pushed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use postgres::Client;
use streamflow_connectors::postgres::{CopyRows, PostgresError, PrivateOptions, PrivatePostgres, connect};

fn server() -> (PrivatePostgres, Client) {
    let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
    let client = connect(&server.settings()).unwrap();
    (server, client)
}

/// Stores what `push` pushes as one value of type `sql_type` and reads it back as text.
fn round_trip(
    client: &mut Client,
    sql_type: &str,
    push: impl FnOnce(&mut CopyRows) -> &mut CopyRows,
) -> Option<String> {
    let create = format!("DROP TABLE IF EXISTS t; CREATE TABLE t (x {sql_type})");
    client.batch_execute(&create).unwrap();
    let mut rows = CopyRows::new(1);
    push(rows.begin_row());
    let mut transaction = client.transaction().unwrap();
    let copy = "COPY t (x) FROM STDIN (FORMAT binary)";
    assert_eq!(rows.finish_into(&mut transaction, copy).unwrap(), 1);
    transaction.commit().unwrap();
    client.query_one("SELECT x::text FROM t", &[]).unwrap().get(0)
}

#[test]
fn every_type_round_trips() {
    let (_server, mut client) = server();
    let client = &mut client;
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(round_trip(client, "bool", |r| r.push_bool(true)), some("true"));
    assert_eq!(round_trip(client, "int2", |r| r.push_i16(-7)), some("-7"));
    assert_eq!(round_trip(client, "int4", |r| r.push_i32(i32::MIN)), some("-2147483648"));
    assert_eq!(round_trip(client, "int8", |r| r.push_i64(i64::MAX)), some("9223372036854775807"));
    assert_eq!(round_trip(client, "float8", |r| r.push_f64(-23.55052)), some("-23.55052"));
    assert_eq!(round_trip(client, "text", |r| r.push_text("São 'x'\t\\N")), some("São 'x'\t\\N"));
    assert_eq!(round_trip(client, "text", |r| r.push_text("")), some(""));
    assert_eq!(round_trip(client, "bytea", |r| r.push_bytea(&[0, 255, 10])), some("\\x00ff0a"));
    assert_eq!(round_trip(client, "int4", CopyRows::push_null), None);
    assert_eq!(round_trip(client, "text", |r| r.push_nullable(Some("x"), CopyRows::push_text)), some("x"));
    assert_eq!(round_trip(client, "int8", |r| r.push_nullable(None, CopyRows::push_i64)), None);
    let micros = 1_769_922_018_250_001;
    assert_eq!(
        round_trip(client, "timestamptz", |r| r.push_timestamptz(micros)),
        some("2026-02-01 05:00:18.250001+00")
    );
    assert_eq!(
        round_trip(client, "timestamptz", |r| r.push_timestamptz(-1)),
        some("1969-12-31 23:59:59.999999+00")
    );
    assert_eq!(round_trip(client, "date", |r| r.push_date(0)), some("1970-01-01"));
    assert_eq!(round_trip(client, "date", |r| r.push_date(20_485)), some("2026-02-01"));
    assert_eq!(round_trip(client, "int2[]", |r| r.push_i16_array(&[1, -2, 3])), some("{1,-2,3}"));
    assert_eq!(round_trip(client, "int2[]", |r| r.push_i16_array(&[])), some("{}"));
    assert_eq!(
        round_trip(client, "text[]", |r| r.push_text_array(&["FR-001", "a,b", ""])),
        some("{FR-001,\"a,b\",\"\"}")
    );
}

#[test]
fn numerics_are_exact() {
    let (_server, mut client) = server();
    let unscaled = [
        0,
        1,
        -1,
        9,
        10,
        99,
        100,
        5_000,
        9_999,
        10_000,
        45_466,
        -99_999_999,
        100_000_000,
        i128::from(u64::MAX),
        i128::from(u64::MAX) + 1,
        i128::MAX,
        i128::MIN,
    ];
    let mut rows = CopyRows::new(1);
    let mut expected = Vec::new();
    for scale in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 38, 41, 255] {
        for value in unscaled {
            rows.begin_row().push_numeric(value, scale);
            expected.push(decimal(value, scale.into()));
        }
    }
    client.batch_execute("CREATE TABLE t (i serial, x numeric)").unwrap();
    let mut transaction = client.transaction().unwrap();
    rows.finish_into(&mut transaction, "COPY t (x) FROM STDIN (FORMAT binary)").unwrap();
    transaction.commit().unwrap();
    let stored: Vec<String> =
        client.query("SELECT x::text FROM t ORDER BY i", &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(stored, expected);
    // Stored in the form the server itself would have chosen.
    let odd: i64 = client
        .query_one("SELECT count(*) FROM t WHERE numeric_send(x) <> numeric_send(x::text::numeric)", &[])
        .unwrap()
        .get(0);
    assert_eq!(odd, 0);
}

fn decimal(unscaled: i128, scale: usize) -> String {
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    let point = if scale > 0 { "." } else { "" };
    format!("{sign}{whole}{point}{fraction}")
}

#[test]
fn many_pieces_appended_and_sent_twice() {
    let (_server, mut client) = server();
    client.batch_execute("CREATE TABLE t (i int8, x text)").unwrap();
    let text = "x".repeat(1_000);
    let mut all = CopyRows::new(2);
    for chunk in 0..10 {
        let mut rows = CopyRows::new(2);
        for i in 0..1_000 {
            rows.begin_row().push_i64(chunk * 1_000 + i).push_text(&text);
        }
        all.append(&rows).unwrap();
    }
    assert_eq!(all.rows(), 10_000);
    let copy = client.prepare("COPY t (i, x) FROM STDIN (FORMAT binary)").unwrap();
    let mut transaction = client.transaction().unwrap();
    all.finish_into(&mut transaction, &copy).unwrap();
    transaction.rollback().unwrap();
    let mut transaction = client.transaction().unwrap();
    assert_eq!(all.finish_into(&mut transaction, &copy).unwrap(), 10_000);
    assert_eq!(CopyRows::new(2).finish_into(&mut transaction, &copy).unwrap(), 0);
    transaction.commit().unwrap();
    let sql = "SELECT count(DISTINCT i), sum(length(x))::int8 FROM t";
    let row = client.query_one(sql, &[]).unwrap();
    assert_eq!((row.get(0), row.get(1)), (10_000_i64, 10_000_000_i64));
}

#[test]
fn the_servers_refusal_comes_through() {
    let (_server, mut client) = server();
    client.batch_execute("CREATE TABLE t (i int8 PRIMARY KEY, x text)").unwrap();
    let mut rows = CopyRows::new(2);
    let text = "x".repeat(1_000);
    // The duplicate is noticed long before the last piece is sent.
    for i in 0..20_000_i64 {
        rows.begin_row().push_i64(i / 2).push_text(&text);
    }
    let copy = "COPY t (i, x) FROM STDIN (FORMAT binary)";
    let mut transaction = client.transaction().unwrap();
    let error = rows.finish_into(&mut transaction, copy).err().unwrap();
    println!("{error}");
    assert!(!error.is_retryable());
    assert_eq!(error.code().unwrap().code(), "23505");
    drop(transaction);

    let mut short = CopyRows::new(2);
    short.begin_row().push_i64(1);
    let mut transaction = client.transaction().unwrap();
    let error = short.finish_into(&mut transaction, copy).err().unwrap();
    assert!(matches!(error, PostgresError::Rows(_)), "{error}");
    let mut wrong_type = CopyRows::new(2);
    wrong_type.begin_row().push_i32(1).push_text("x");
    let error = wrong_type.finish_into(&mut transaction, copy).err().unwrap();
    println!("{error}");
    assert!(!error.is_retryable(), "{error}");
    drop(transaction);
    client.query_one("SELECT 1", &[]).unwrap();
}
