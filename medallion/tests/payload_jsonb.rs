//! Payloads as jsonb: no event of bronze ends a query.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod server;

use postgres::error::SqlState;
use serde_json::{Value, json};
use server::start;

/// Values of a field, as JSON, that are accepted in unknown fields, and what is read of them; `None` where the whole
/// payload is null.
fn values() -> Vec<(&'static str, Option<Value>)> {
    vec![
        (r#""plain""#, Some(json!("plain"))),
        (r#""\u0000""#, Some(json!("\u{fffd}"))),
        (r#""\u0000\u0000a""#, Some(json!("\u{fffd}\u{fffd}a"))),
        // Not the character, but a backslash and what looks like it.
        (r#""\\u0000""#, Some(json!("\\u0000"))),
        (r#""\\\u0000""#, Some(json!("\\\u{fffd}"))),
        (r#""\\\\u0000\u0000""#, Some(json!("\\\\u0000\u{fffd}"))),
        (r#""\"\\\"\u0000""#, Some(json!("\"\\\"\u{fffd}"))),
        (r#""\u005c\u0000""#, Some(json!("\\\u{fffd}"))),
        (r#"{"\u0000": ["\u0000", 1]}"#, Some(json!({"\u{fffd}": ["\u{fffd}", 1]}))),
        (r#""\ud800""#, Some(json!("\u{fffd}"))),
        (r#""\uDBFFx\uDC00""#, Some(json!("\u{fffd}x\u{fffd}"))),
        (r#""\ud800\ud83d\ude00\udc00""#, Some(json!("\u{fffd}\u{1f600}\u{fffd}"))),
        (r#""\\ud83d\ude00""#, Some(json!("\\ud83d\u{fffd}"))),
        (r#""\u0000\ud83d\ude00""#, Some(json!("\u{fffd}\u{1f600}"))),
        ("1e999999", None),
        (r#"["\u0000", -1e999999]"#, None),
        ("1e99999999999999999999", None),
        (r#"{"a": 1, "a": "\u0000"}"#, Some(json!({"a": "\u{fffd}"}))),
    ]
}

#[test]
fn every_accepted_payload_can_be_queried() {
    let (_server, mut client) = start();
    for (offset, (value, _)) in (0i64..).zip(values()) {
        let sql = "INSERT INTO bronze.raw_transactions (ingested_at, event_time, source_offset, schema_version, \
                 source_partition, source_topic, payload) VALUES (now(), now(), $1, 1, 0, 't', $2)";
        let payload = format!(r#"{{"customer_id": "c-1", "note": {value}}}"#);
        client.execute(sql, &[&offset, &payload]).unwrap();
    }
    let cast = "SELECT count(payload::jsonb) FROM bronze.raw_transactions";
    assert_eq!(client.query_one(cast, &[]).unwrap_err().code(), Some(&SqlState::UNTRANSLATABLE_CHARACTER));
    let sql = "SELECT (bronze.payload_jsonb(payload) -> 'note')::text FROM bronze.raw_transactions ORDER BY source_offset";
    let rows = client.query(sql, &[]).unwrap();
    assert_eq!(rows.len(), values().len());
    for (row, (value, expected)) in rows.iter().zip(values()) {
        let text: Option<&str> = row.get(0);
        assert_eq!(text.map(|text| serde_json::from_str(text).unwrap()), expected, "{value}");
    }
}

#[test]
fn what_is_no_json_is_null() {
    let (_server, mut client) = start();
    let deep = "[".repeat(60_000);
    for text in ["", "x", r#"{"a": "\u00zz"}"#, r#"{"a": "#, "\u{1}", &deep] {
        let row = client.query_one("SELECT bronze.payload_jsonb($1) IS NULL", &[&text]).unwrap();
        assert!(row.get::<_, bool>(0), "{text:.20}");
    }
    // None is none.
    let none: Option<&str> = None;
    let row = client.query_one("SELECT bronze.payload_jsonb($1) IS NULL", &[&none]).unwrap();
    assert!(row.get::<_, bool>(0));
}

/// As whoever may read bronze, and nothing else.
#[test]
fn readers_of_bronze_may_call_it() {
    let (_server, mut client) = start();
    client.batch_execute("CREATE ROLE sre IN ROLE pg_read_all_data; SET ROLE sre").unwrap();
    let sql = "SELECT bronze.payload_jsonb('{\"a\": \"\\u0000\"}') ->> 'a'";
    let text: String = client.query_one(sql, &[]).unwrap().get(0);
    assert_eq!(text, "\u{fffd}");
}
