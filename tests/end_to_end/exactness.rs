//! What must hold however a pipeline was treated: every table is what the events give, nothing of Kafka is
//! missing, and consumers have seen each change once.

use crate::consumer::Consumed;
use crate::parts::Parts;
use postgres::{Client, Row};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use streamflow_connectors::kafka::{KafkaSettings, TopicAdmin};
use streamflow_dataflow::rules::RuleSet;
use streamflow_verification as verification;

/// Every table against the recomputation; returns the rows compared.
pub fn verify(parts: &Parts) -> i64 {
    let comparisons = verification::all(&mut parts.connect(), &RuleSet::default()).unwrap();
    let differing: Vec<_> = comparisons.iter().filter(|comparison| comparison.differing > 0).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    comparisons.iter().map(|comparison| comparison.rows).sum()
}

/// Every visible record of the transactions is in bronze or among the dead letters, once, and no other one.
pub fn check_bronze(parts: &Parts) {
    let sql = "SELECT source_partition, source_offset FROM bronze.raw_transactions WHERE source_topic = $1 \
         UNION ALL SELECT source_partition, source_offset FROM bronze.dead_letters WHERE source_topic = $1 \
         ORDER BY 1, 2";
    let rows = parts.connect().query(sql, &[&parts.topic("transactions")]).unwrap();
    let stored: Vec<(i32, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let records = parts.consume("transactions");
    let visible: Vec<_> = records.iter().map(|record| (record.partition, record.offset)).collect();
    let differing = stored.iter().zip(&visible).find(|(stored, visible)| stored != visible);
    assert_eq!((stored.len(), differing), (visible.len(), None), "stored, then visible");
}

/// Consumers have seen changes of the outbox once each, those of an alert from its first on in order, and
/// dead letters once each, with their values.
pub fn check_published(parts: &Parts) -> Published {
    let mut client = parts.connect();
    // Kafka first: what is there has been committed before.
    let (told, letters) = (parts.consume("alerts"), parts.consume("dead_letters"));
    let sql = "SELECT payload::text FROM bronze.raw_fraud_alerts ORDER BY number";
    let json = |row: &Row| serde_json::from_str(row.get(0)).unwrap();
    let committed: Vec<Value> = client.query(sql, &[]).unwrap().iter().map(json).collect();
    let changes: Vec<Value> = told.iter().map(Consumed::json).collect();
    let committed_changes = by_alert(&committed);
    for (alert, changes) in by_alert(&changes) {
        assert!(
            committed_changes.get(alert).is_some_and(|all| all.starts_with(&changes)),
            "{alert}: {changes:#?}"
        );
    }
    let sql = "SELECT id, CASE WHEN payload_is_base64 THEN decode(payload, 'base64') \
             ELSE convert_to(payload, 'UTF8') END FROM bronze.dead_letters";
    let value = |row: &Row| -> (i64, Option<Vec<u8>>) { (row.get(0), row.get(1)) };
    let committed_letters: BTreeMap<_, _> = client.query(sql, &[]).unwrap().iter().map(value).collect();
    let mut seen = BTreeSet::new();
    for letter in &letters {
        let number = number_of(letter);
        assert!(seen.insert(number), "dead letter {number} came twice");
        assert_eq!(committed_letters.get(&number), Some(&letter.value), "dead letter {number}");
    }
    Published {
        alert_changes: told.len(),
        dead_letters: letters.len(),
        is_all: told.len() == committed.len() && letters.len() == committed_letters.len(),
    }
}

/// What consumers have seen.
#[derive(Debug)]
pub struct Published {
    /// Changes of alerts.
    pub alert_changes: usize,
    /// Dead letters.
    pub dead_letters: usize,
    /// Whether that is all that is committed.
    pub is_all: bool,
}

/// Whether everything that is in Kafka is committed, and everything that is committed is published. No
/// transaction may be open.
pub fn is_caught_up(parts: &Parts, client: &mut Client) -> bool {
    let sql = "SELECT coalesce((SELECT (offsets -> $1 ->> $2)::int8 FROM streamflow.progress), 0)";
    let mut next = |topic: &str, partition: i32| -> i64 {
        client.query_one(sql, &[&topic, &partition.to_string()]).unwrap().get(0)
    };
    ends(parts).iter().all(|((topic, partition), end)| next(topic, *partition) == *end)
        && parts.consume("alerts").len() as i64
            == number(client, "SELECT alert_changes FROM streamflow.progress")
        && parts.consume("dead_letters").len() as i64
            == number(client, "SELECT dead_letters FROM streamflow.progress")
}

/// Where the partitions of all topics end.
fn ends(parts: &Parts) -> Vec<((String, i32), i64)> {
    let topics = TopicAdmin::connect(&KafkaSettings::plaintext(parts.kafka.brokers())).unwrap();
    let mut ends = Vec::new();
    for name in ["customers", "stores", "products", "blacklist", "transactions"] {
        let topic = parts.topic(name);
        for partition in 0..topics.partitions(&topic).unwrap() {
            let end = topics.offsets(&topic, partition).unwrap().latest as i64;
            ends.push(((topic.clone(), i32::from(partition)), end));
        }
    }
    ends
}

/// The number of a dead letter.
fn number_of(letter: &Consumed) -> i64 {
    let (_, number) = letter.headers.iter().find(|(name, _)| name == "dlq.number").unwrap();
    std::str::from_utf8(number).unwrap().parse().unwrap()
}

fn by_alert(changes: &[Value]) -> BTreeMap<&str, Vec<&Value>> {
    let mut alerts: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for change in changes {
        alerts.entry(change["alert_id"].as_str().unwrap()).or_default().push(change);
    }
    alerts
}

/// Events that are committed.
pub fn read(client: &mut Client) -> i64 {
    let sql = "SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books WHERE account = 'read'";
    number(client, sql)
}

/// Events that wait for an answer.
pub fn pending(client: &mut Client) -> i64 {
    number(client, "SELECT count(*) FROM streamflow.pending_events")
}

/// What became of events that correct or void.
pub fn amendments(client: &mut Client) -> Amendments {
    let account = "SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books WHERE account =";
    let waited = "SELECT count(*) FROM bronze.raw_transactions WHERE final_before IS NOT NULL";
    Amendments {
        correcting: number(client, &format!("{account} 'correcting'")),
        voiding: number(client, &format!("{account} 'voiding'")),
        waited: number(client, waited),
    }
}

/// Events that correct or void.
#[derive(Clone, Copy, Debug)]
pub struct Amendments {
    /// Accepted corrections.
    pub correcting: i64,
    /// Accepted voids.
    pub voiding: i64,
    /// Events of any outcome that had to wait for an answer.
    pub waited: i64,
}

fn number(client: &mut Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).unwrap().get(0)
}
