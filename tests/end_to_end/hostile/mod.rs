//! Hostile input from a real Kafka to a real PostgreSQL: each record is kept as it is or becomes the dead
//! letter that the specification names; nothing is lost, nothing stops, and nothing that it holds is done,
//! shown or logged.

mod case;
mod fields;
mod payloads;
mod reference;
mod world;

use crate::consumer::Consumed;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use case::{Case, Column, Expectation};
use serde_json::Value;
use std::collections::BTreeMap;
use streamflow_dataflow::rules::RuleSet;
use streamflow_verification as verification;
use world::World;

/// Bytes of keys and values that are kept of a dead letter.
const KEPT: usize = 64 * 1024;

/// Topics by name, with what stands in them in order.
type Sent = BTreeMap<&'static str, Vec<Case>>;

#[test]
fn every_record_ends_where_the_specification_says() {
    let mut world = World::start();
    let mut sent = Sent::new();
    for topic in &reference::TOPICS {
        let entities = topic.cases();
        sent.insert(topic.name, entities.iter().map(|entity| entity.case.clone()).collect());
    }
    sent.insert("blacklist", reference::blacklist());
    for (topic, cases) in &sent {
        world.send(topic, cases);
    }
    world.wait_for_events(count(&sent));
    sent.insert("transactions", [fields::cases(), payloads::cases(), vec![listed()]].concat());
    world.send("transactions", &sent["transactions"]);
    world.wait_for_events(count(&sent));
    world.wait_for_decisions();

    check_books(&mut world, &sent);
    check_dead_letters(&mut world, &sent);
    check_transactions(&mut world, &sent["transactions"]);
    check_entities(&mut world);
    check_alert(&mut world);
    let differing: Vec<_> = verification::all(&mut world.client, &RuleSet::default()).unwrap();
    let differing: Vec<_> = differing.into_iter().filter(|comparison| comparison.differing > 0).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    check_published(&mut world, &sent);
    check_copies(&mut world);
    assert!(world.run.terminate().success(), "{}", world.run.printed());
    check_log(&world.run.printed());
}

/// How records are packed is for producers and topics to choose.
#[test]
fn every_compression_is_read() {
    let mut world = World::start();
    for (written, compression) in (1..).zip(["uncompressed", "gzip", "snappy", "lz4", "zstd"]) {
        world.compress("transactions", compression);
        let payload =
            fields::Event::new(compression).with("note", &case::quoted(&"x".repeat(1000))).payload();
        world.send("transactions", &[Case::new(compression, payload, case::kept())]);
        world.wait_for_events(written);
    }
    assert_eq!(world.count("SELECT count(*) FROM bronze.raw_transactions"), 5);
}

fn count(sent: &Sent) -> i64 {
    sent.values().map(Vec::len).sum::<usize>() as i64
}

/// What a listed customer pays: an alert, with that name in it.
fn listed() -> Case {
    let event = fields::Event::new("listed").with("customer_id", &case::quoted(reference::LISTED));
    Case::new("a listed customer", event.payload(), case::kept_as("fraud_score", Some("1.000")))
}

/// Each topic's accounts are those of its cases, and together all that was read.
fn check_books(world: &mut World, sent: &Sent) {
    let mut wrong = String::new();
    for (topic, cases) in sent {
        let kept = if *topic == "transactions" { "accepted" } else { "reference" };
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for case in cases {
            *expected.entry(case.account(kept).to_owned()).or_default() += 1;
        }
        expected.insert("read".to_owned(), cases.len() as i64);
        let sql = "SELECT CASE WHEN account IN ('new', 'correcting', 'voiding') THEN 'accepted' ELSE account END, \
                 sum(events)::int8 FROM streamflow.books WHERE topic = $1 AND events > 0 GROUP BY 1";
        let rows = world.client.query(sql, &[&world.parts.topic(topic)]).unwrap();
        let books: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        if books != expected {
            wrong += &format!("{topic}: {books:?}, not {expected:?}\n{}\n", world.differing(topic, cases));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A dead letter as the database has it, or as the topic has.
#[derive(Debug, PartialEq)]
struct Letter {
    reason: String,
    message: String,
    key: Option<Vec<u8>>,
    payload: Option<Vec<u8>>,
    truncated: bool,
    full_length: usize,
}

fn check_dead_letters(world: &mut World, sent: &Sent) {
    let sql = "SELECT source_offset, reason, message, key, key_is_base64, payload, payload_is_base64, truncated, \
             full_length FROM bronze.dead_letters WHERE source_topic = $1";
    for (topic, cases) in sent {
        let rows = world.client.query(sql, &[&world.parts.topic(topic)]).unwrap();
        let mut letters: BTreeMap<usize, Letter> = rows
            .iter()
            .map(|row| {
                let bytes = |place: usize| {
                    let text: Option<String> = row.get(place);
                    text.map(|text| {
                        if row.get(place + 1) { STANDARD.decode(text).unwrap() } else { text.into_bytes() }
                    })
                };
                let letter = Letter {
                    reason: row.get(1),
                    message: row.get(2),
                    key: bytes(3),
                    payload: bytes(5),
                    truncated: row.get(7),
                    full_length: row.get::<_, i64>(8) as usize,
                };
                (row.get::<_, i64>(0) as usize, letter)
            })
            .collect();
        for (offset, case) in cases.iter().enumerate() {
            if let Expectation::Refused { .. } = case.expected {
                let letter =
                    letters.remove(&offset).unwrap_or_else(|| panic!("no dead letter of {}", case.name));
                check_letter(case, &letter, KEPT + 1);
            }
        }
        let others: Vec<_> = letters.keys().map(|offset| &cases[*offset].name).collect();
        assert!(others.is_empty(), "dead letters of {others:?}");
    }
}

/// Everything about it is told, and its bytes are those of the record; of the key so many bytes are kept.
fn check_letter(case: &Case, letter: &Letter, key_kept: usize) {
    let Expectation::Refused { reason, names } = &case.expected else { unreachable!() };
    let Case { name, key, value, .. } = case;
    let Letter { message, .. } = letter;
    assert_eq!(letter.reason, *reason, "{name}: {message}");
    assert!(message.contains(names.as_str()), "{name}: {message} does not name {names}");
    assert!(!message.chars().any(char::is_control) && message.len() < 500, "{name}: {message:?}");
    let cut = |bytes: &Vec<u8>, most: usize| bytes[..bytes.len().min(most)].to_vec();
    let length = value.as_ref().map_or(0, Vec::len);
    assert_eq!((letter.truncated, letter.full_length), (length > KEPT, length), "{name}");
    assert!(letter.payload == value.as_ref().map(|value| cut(value, KEPT)), "{name}: other bytes");
    assert!(letter.key == key.as_ref().map(|key| cut(key, key_kept)), "{name}: another key");
}

/// Those that are kept stand in bronze byte for byte, and silver says what they say.
fn check_transactions(world: &mut World, cases: &[Case]) {
    let sql = "SELECT (to_jsonb(t) || jsonb_build_object('schema_version', b.schema_version))::text, b.payload \
         FROM bronze.raw_transactions AS b \
         LEFT JOIN (SELECT source_topic, source_partition, source_offset, transaction_id, customer_id, store_id, \
                 product_id, payment_method, amount::text, currency, latitude::text, longitude::text, voided::text, \
                 revision, fraud_score::text FROM silver.clean_transactions) AS t \
             USING (source_topic, source_partition, source_offset) WHERE source_offset = $1";
    for (offset, case) in cases.iter().enumerate() {
        let Expectation::Kept(columns) = &case.expected else { continue };
        let rows = world.client.query(sql, &[&(offset as i64)]).unwrap();
        let [row] = &rows[..] else { panic!("{}: {} rows", case.name, rows.len()) };
        let value = case.value.as_deref().unwrap();
        let json = value.strip_prefix(payloads::FRAME).unwrap_or(value);
        assert!(row.get::<_, &str>(1).as_bytes() == json, "{}: other bytes", case.name);
        check_columns(case, columns, &serde_json::from_str(row.get(0)).unwrap());
    }
}

fn check_columns(case: &Case, columns: &[Column], row: &Value) {
    for Column { name, text } in columns {
        let stored = match &row[*name] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        assert_eq!(stored, *text, "{}: {name}", case.name);
    }
}

/// Entities stand in silver and gold with what their records say.
fn check_entities(world: &mut World) {
    for topic in &reference::TOPICS {
        let rows = format!("SELECT count(*) FROM {}", topic.table);
        let mut expected = 0;
        for entity in topic.cases().iter().filter(|entity| !entity.id.is_empty()) {
            let Expectation::Kept(columns) = &entity.case.expected else { continue };
            expected += 1;
            for table in [
                topic.table.to_owned(),
                topic.table.replace("silver.", "gold.dim_").trim_end_matches('s').to_owned(),
            ] {
                check_columns(&entity.case, columns, &world.row_of(&table, topic.id, &entity.id));
            }
        }
        assert_eq!(world.count(&rows), expected, "{}", topic.table);
    }
}

/// The alert of the listed customer says its name.
fn check_alert(world: &mut World) {
    let sql = "SELECT payload::text FROM bronze.raw_fraud_alerts WHERE transaction_id = 'hostile-listed'";
    let payload: String = world.client.query_one(sql, &[]).unwrap().get(0);
    let alert: Value = serde_json::from_str(&payload).unwrap();
    assert_eq!(alert["customer_id"], reference::LISTED);
}

/// The topic of dead letters gives the records back, and that of alerts the name of the listed customer.
fn check_published(world: &mut World, sent: &Sent) {
    let letters = world.published("dead_letters", world_letters(sent));
    let alerts = world.published("alerts", 1);
    assert!(alerts.iter().any(|alert| alert.json()["customer_id"] == reference::LISTED));
    for record in &letters {
        let text = |name: &str| String::from_utf8(header(record, name).unwrap().to_vec()).unwrap();
        let (topic, offset) = (text("dlq.topic"), text("dlq.offset"));
        let found = sent.iter().find(|(name, _)| world.parts.topic(name) == topic).unwrap();
        let case = &found.1[offset.parse::<usize>().unwrap()];
        let letter = Letter {
            reason: text("dlq.reason"),
            message: text("dlq.message"),
            key: header(record, "dlq.key").map(<[u8]>::to_vec),
            payload: record.value.clone(),
            truncated: text("dlq.truncated") == "true",
            full_length: text("dlq.full_length").parse().unwrap(),
        };
        check_letter(case, &letter, KEPT);
        let key_is_cut = case.key.as_ref().is_some_and(|key| key.len() > KEPT);
        assert_eq!(header(record, "dlq.key_truncated").is_some(), key_is_cut, "{}", case.name);
    }
}

fn world_letters(sent: &Sent) -> usize {
    let is_letter = |case: &&Case| matches!(case.expected, Expectation::Refused { .. });
    sent.values().flatten().filter(is_letter).count()
}

fn header<'a>(record: &'a Consumed, name: &str) -> Option<&'a [u8]> {
    record.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_slice())
}

/// What COPY takes out it brings back, and psql shows no control character as it is.
fn check_copies(world: &mut World) {
    for table in ["bronze.dead_letters", "bronze.raw_transactions", "gold.dim_customer", "silver.stores"] {
        for format in ["text", "csv", "csv, force_quote *"] {
            world.copy_and_compare(table, format);
        }
    }
    for option in ["", "-x"] {
        let sql = "SELECT * FROM bronze.dead_letters WHERE length(payload) < 1000 ORDER BY id";
        let shown = world.psql(option, sql);
        let raw = shown.chars().find(|char| char.is_control() && !['\n', '\r', '\t'].contains(char));
        assert_eq!(raw, None, "psql {option} shows a control character");
    }
    assert!(!std::path::Path::new("/tmp/hostile").exists(), "somebody has run what was a name");
}

/// The log has a few lines, whatever the records.
fn check_log(printed: &str) {
    assert!(printed.lines().count() < 20, "{printed}");
    let raw = printed.chars().find(|char| char.is_control() && *char != '\n');
    assert_eq!(raw, None, "{printed:?}");
    assert!(!printed.contains("DROP TABLE"), "{printed}");
}
