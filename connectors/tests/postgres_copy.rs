//! Binary COPY against a real server: every type arrives as it was pushed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use postgres::Client;
use postgres::types::{Kind, Type};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use streamflow_connectors::postgres::{
    Column, Columns, CopyRows, Fields, Instant, PostgresError, PrivateOptions, PrivatePostgres, connect,
};

fn server() -> (PrivatePostgres, Client) {
    let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
    let client = connect(&server.settings()).unwrap();
    (server, client)
}

/// Stores what `push` pushes as one value of type `sql_type` and reads it back as text, by COPY and as an
/// array.
fn round_trip(client: &mut Client, sql_type: &str, push: impl Fn(&mut dyn Fields)) -> Option<String> {
    let create = format!("DROP TABLE IF EXISTS t; CREATE TABLE t (x {sql_type})");
    client.batch_execute(&create).unwrap();
    let mut rows = CopyRows::new(1);
    rows.begin();
    push(&mut rows);
    let mut transaction = client.transaction().unwrap();
    let copy = "COPY t (x) FROM STDIN (FORMAT binary)";
    assert_eq!(rows.finish_into(&mut transaction, copy).unwrap(), 1);
    transaction.commit().unwrap();
    let copied: Option<String> = client.query_one("SELECT x::text FROM t", &[]).unwrap().get(0);

    let select = client.prepare(&format!("SELECT x::text FROM unnest($1::{sql_type}[]) AS x")).unwrap();
    let Kind::Array(element) = select.params()[0].kind() else { panic!("{sql_type}[] is no array") };
    let mut columns = Columns::new(std::slice::from_ref(element));
    assert!(columns.is_empty());
    columns.begin();
    push(&mut columns);
    assert!(!columns.is_empty());
    let unnested: Option<String> = client.query_one(&select, &columns.parameters()).unwrap().get(0);
    assert_eq!(copied, unnested);
    copied
}

#[test]
fn every_type_round_trips() {
    let (_server, mut client) = server();
    let client = &mut client;
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(round_trip(client, "bool", |r| r.boolean(true)), some("true"));
    assert_eq!(round_trip(client, "int2", |r| r.int2(-7)), some("-7"));
    assert_eq!(round_trip(client, "int4", |r| r.int4(i32::MIN)), some("-2147483648"));
    assert_eq!(round_trip(client, "int8", |r| r.int8(i64::MAX)), some("9223372036854775807"));
    assert_eq!(round_trip(client, "int8", |r| r.count(7)), some("7"));
    assert_eq!(round_trip(client, "int8", |r| r.count(u64::MAX)), some("9223372036854775807"));
    assert_eq!(round_trip(client, "float8", |r| r.float8(-23.55052)), some("-23.55052"));
    assert_eq!(round_trip(client, "text", |r| r.text("São 'x'\t\\N")), some("São 'x'\t\\N"));
    assert_eq!(round_trip(client, "text", |r| r.text("")), some(""));
    assert_eq!(round_trip(client, "text", |r| r.text("a\0b")), some("a\u{fffd}b"));
    assert_eq!(round_trip(client, "numeric", |r| r.money(-5)), some("-0.05"));
    assert_eq!(round_trip(client, "numeric", |r| r.money(0)), some("0.00"));
    assert_eq!(round_trip(client, "int4", |r| r.null()), None);
    let micros = 1_769_922_018_250_001;
    assert_eq!(
        round_trip(client, "timestamptz", |r| r.instant(micros)),
        some("2026-02-01 05:00:18.250001+00")
    );
    assert_eq!(round_trip(client, "timestamptz", |r| r.instant(-1)), some("1969-12-31 23:59:59.999999+00"));
    assert_eq!(round_trip(client, "timestamptz", |r| r.instant(i64::MIN)), some("-infinity"));
    assert_eq!(
        round_trip(client, "timestamptz", |r| r.instant(i64::MAX)),
        some("294247-01-10 04:00:54.775807+00")
    );
}

#[test]
fn rows_are_columns_with_nulls() {
    let (_server, mut client) = server();
    let mut columns = Columns::new(&[Type::INT4, Type::TEXT]);
    for (number, text) in [(Some(1), Some("x")), (None, Some("")), (Some(3), None)] {
        columns.begin();
        columns.nullable(number, Fields::int4);
        columns.text_or_null(text.as_ref());
    }
    let select = "SELECT coalesce(i, -1), coalesce(x, '-') FROM unnest($1::int4[], $2::text[]) AS u (i, x)";
    let rows = client.query(select, &columns.parameters()).unwrap();
    let rows: Vec<(i32, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(rows, [(1, "x".to_owned()), (-1, String::new()), (3, "-".to_owned())]);

    let days = Column::of_days(&[0, 20_485]);
    let row = client.query_one("SELECT $1::date[]::text", &[&days]).unwrap();
    assert_eq!(row.get::<_, String>(0), "{1970-01-01,2026-02-01}");
    assert!(client.query_one("SELECT $1::int4[]", &[&days]).is_err());
}

#[test]
fn instants_are_read_as_they_were_written() {
    let (_server, mut client) = server();
    for micros in [0, -1, 1_769_922_018_250_001, i64::MIN, i64::MAX] {
        let row = client.query_one("SELECT $1::timestamptz", &[&Instant(micros)]).unwrap();
        assert_eq!(row.get::<_, Instant>(0), Instant(micros));
    }
}

/// Numbers around every power of two and of ten, and others.
fn integers() -> Vec<i128> {
    let near = |power: i128| (-2..=2).map(move |more| power.saturating_add(more));
    let powers = (0..127).map(|bits| 1 << bits).chain((0..39).map(|digits| 10_i128.pow(digits)));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let others = (0..20_000).map(|_| rng.random::<i128>() >> rng.random_range(0..127));
    let positive: Vec<i128> = powers.flat_map(near).chain(others).chain([i128::MAX]).collect();
    positive.iter().flat_map(|value| [*value, value.saturating_neg()]).chain([i128::MIN]).collect()
}

#[test]
fn numerics_are_exact() {
    let (_server, mut client) = server();
    let mut rows = CopyRows::new(1);
    let mut expected = Vec::new();
    for (value, scale) in
        integers().iter().zip([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 38, 41, 255].iter().cycle())
    {
        rows.begin();
        rows.numeric(*value, *scale);
        expected.push(decimal(*value, (*scale).into()));
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
            rows.begin();
            rows.int8(chunk * 1_000 + i);
            rows.text(&text);
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
        rows.begin();
        rows.int8(i / 2);
        rows.text(&text);
    }
    let copy = "COPY t (i, x) FROM STDIN (FORMAT binary)";
    let mut transaction = client.transaction().unwrap();
    let error = rows.finish_into(&mut transaction, copy).err().unwrap();
    println!("{error}");
    assert!(!error.is_retryable());
    assert_eq!(error.code().unwrap().code(), "23505");
    drop(transaction);

    let mut short = CopyRows::new(2);
    short.begin();
    short.int8(1);
    let mut transaction = client.transaction().unwrap();
    let error = short.finish_into(&mut transaction, copy).err().unwrap();
    assert!(matches!(error, PostgresError::Rows(_)), "{error}");
    let mut wrong_type = CopyRows::new(2);
    wrong_type.begin();
    wrong_type.int4(1);
    wrong_type.text("x");
    let error = wrong_type.finish_into(&mut transaction, copy).err().unwrap();
    println!("{error}");
    assert!(!error.is_retryable(), "{error}");
    drop(transaction);
    client.query_one("SELECT 1", &[]).unwrap();
}
