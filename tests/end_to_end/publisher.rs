//! What `streamflow run` sends to Kafka: alert changes, dead letters and one-minute windows.

use crate::command::Running;
use crate::consumer::{Consumed, table_windows, told_windows};
use crate::foreign;
use crate::parts::Parts;
use postgres::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// A store with one transaction.
const LONELY: &str = "foreign-lonely-store";

/// A running pipeline.
struct World {
    parts: Parts,
    client: Client,
    run: Running,
}

impl World {
    fn start() -> Self {
        let parts = Parts::start("published", 1, &json!({}));
        let (client, run) = (parts.connect(), parts.run());
        Self { parts, client, run }
    }

    fn consume(&self, topic: &str) -> Vec<Consumed> {
        self.parts.consume(topic)
    }

    /// Transactions in the windows of the lonely store, as they were told.
    fn lonely_windows(&self) -> Vec<i64> {
        let windows = self.consume("metrics");
        let windows = windows.iter().map(Consumed::json).filter(|window| window["store_id"] == LONELY);
        windows.map(|window| window["transaction_count"].as_i64().unwrap()).collect()
    }

    fn write(&self, batch: &foreign::Batch) {
        self.parts.kafka.write(&self.parts.topic("transactions"), None, &batch.bytes).unwrap();
    }

    fn wait_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            self.run.keep_waiting(begun, PATIENCE, what);
        }
    }

    fn count(&mut self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).unwrap().get(0)
    }

    fn commit_all(&mut self, events: i64) {
        let read = "SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books WHERE account = 'read'";
        self.wait_until("all is committed", |world| world.count(read) == events);
    }
}

#[test]
fn consumers_see_what_is_committed() {
    let mut world = World::start();
    let (mut ordinary, mut changes, refused) = (foreign::ordinary(), foreign::changes(), foreign::refused());
    let at = (chrono::Utc::now() - chrono::Duration::minutes(20)).to_rfc3339();
    ordinary.keyed("foreign-lonely", lonely(&at, false));
    changes.keyed("foreign-lonely", lonely(&at, true));
    world.write(&ordinary);
    world.commit_all(ordinary.events);
    world.wait_until("a window is published", |world| world.lonely_windows() == [1]);
    world.write(&changes);
    world.write(&refused);
    world.commit_all(ordinary.events + changes.events + refused.events);
    let (alerts, letters) = (
        world.count("SELECT alert_changes FROM streamflow.progress"),
        world.count("SELECT dead_letters FROM streamflow.progress"),
    );
    world.wait_until("all is published", |world| {
        world.consume("alerts").len() as i64 == alerts
            && world.consume("dead_letters").len() as i64 == letters
            && told_windows(&world.consume("metrics")) == table_windows(&mut world.client)
    });
    assert_eq!(world.lonely_windows(), [1, 0], "a window that is gone from the table is told");
    assert!(world.run.terminate().success(), "{}", world.run.printed());
    check_alerts(&mut world);
    check_dead_letters(&world);
    assert_eq!(told_windows(&world.consume("metrics")), table_windows(&mut world.client));
    let told = format!("alert_number={alerts} dead_letter_number={letters}");
    assert!(world.run.printed().contains(&told), "{}", world.run.printed());
}

/// The only transaction of its store, and its void.
fn lonely(at: &str, voided: bool) -> String {
    json!({
        "transaction_id": "foreign-lonely", "customer_id": "foreign-lonely", "store_id": LONELY, "amount": "1.00",
        "timestamp": at, "revision": i32::from(voided), "voided": voided,
    })
    .to_string()
}

fn check_alerts(world: &mut World) {
    let told: Vec<Value> = world.consume("alerts").iter().map(Consumed::json).collect();
    let sql = "SELECT payload::text FROM bronze.raw_fraud_alerts ORDER BY number";
    let rows = world.client.query(sql, &[]).unwrap();
    let committed: Vec<Value> = rows.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect();
    let of = |changes: &[Value], alert: &str| -> Vec<Value> {
        changes.iter().filter(|change| change["alert_id"] == alert).cloned().collect()
    };
    assert_eq!(told.len(), committed.len());
    for alert in committed.iter().map(|change| change["alert_id"].as_str().unwrap()) {
        assert_eq!(of(&told, alert), of(&committed, alert));
    }
    let burst = of(&told, "alert-foreign-burst-9");
    let short: Vec<Value> =
        burst.iter().map(|change| json!([change["sequence"], change["change"], change["cause"]])).collect();
    assert_eq!(short, [json!([1, "raised", "transaction"]), json!([2, "withdrawn", "void"])]);
    // As in `alert_changes.jsonl`, with the clock and the frontier.
    let keys = [
        "alert_id",
        "cause",
        "change",
        "currency",
        "customer_id",
        "detected_at",
        "fraud_score",
        "frontier",
        "rule_details",
        "rules_triggered",
        "sequence",
        "source",
        "store_id",
        "transaction_amount",
        "transaction_at",
        "transaction_id",
    ];
    assert_eq!(burst[0].as_object().unwrap().keys().collect::<Vec<_>>(), keys);
    assert_eq!(burst[0]["source"]["topic"], world.parts.topic("transactions"));
    let mut partitions: BTreeMap<Vec<u8>, i32> = BTreeMap::new();
    for record in world.consume("alerts") {
        assert_eq!(record.json()["customer_id"].as_str().unwrap().as_bytes(), record.key);
        assert_eq!(*partitions.entry(record.key).or_insert(record.partition), record.partition);
    }
}

/// Every dead letter has the bytes of the event that it names.
fn check_dead_letters(world: &World) {
    let events = world.consume("transactions");
    let letters = world.consume("dead_letters");
    let mut reasons: BTreeMap<String, i64> = BTreeMap::new();
    for letter in &letters {
        let text = |name: &str| String::from_utf8(header(letter, name).to_vec()).unwrap();
        let (topic, partition, offset) = (text("dlq.topic"), text("dlq.partition"), text("dlq.offset"));
        assert_eq!(topic, world.parts.topic("transactions"));
        assert_eq!(letter.key, format!("{topic}-{partition}-{offset}").as_bytes());
        // Plain records without transactions: offsets have no gaps.
        let event = &events[offset.parse::<usize>().unwrap()];
        assert_eq!(header(letter, "dlq.key"), event.key);
        let value = event.value.as_ref().unwrap();
        assert_eq!(text("dlq.full_length"), value.len().to_string());
        assert_eq!(text("dlq.truncated"), (value.len() > 65_536).to_string());
        assert_eq!(letter.value.as_deref().unwrap(), &value[..value.len().min(65_536)]);
        assert!(!text("dlq.message").is_empty());
        *reasons.entry(text("dlq.reason")).or_default() += 1;
    }
    let expected = foreign::REFUSED.map(|(reason, events)| (reason.to_owned(), events));
    assert_eq!(reasons.into_iter().collect::<Vec<_>>(), expected);
}

fn header<'a>(record: &'a Consumed, name: &str) -> &'a [u8] {
    let found = record.headers.iter().find(|(header, _)| header == name);
    &found.unwrap_or_else(|| panic!("{name} is missing")).1
}
