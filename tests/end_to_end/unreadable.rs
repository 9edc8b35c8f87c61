//! Records that nobody can read: their partitions stand still and are named, the others go on, and an operator passes
//! them on record.

use crate::parts::Parts;
use crate::scrape::{Scrape, Served, get};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use streamflow_test_support::Harm;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Records of one batch.
const BATCH: i64 = 10;

/// What is done to the second of three batches: topic, partition, and what is said of it.
const HARMS: [(&str, i32, Harm, &str); 4] = [
    ("transactions", 0, Harm::Checksum, "their checksum is wrong"),
    ("transactions", 1, Harm::Compression, "they cannot be decompressed"),
    ("transactions", 2, Harm::Content, "they cannot be decoded"),
    ("customers", 0, Harm::Checksum, "their checksum is wrong"),
];

/// The partition with nothing wrong.
const SOUND: i32 = 3;

fn parts() -> Parts {
    let mut parts = Parts::start("unreadable", SOUND + 1, &json!({"workers": 2}));
    for number in 0..3 {
        (0..=SOUND).for_each(|partition| pay(&parts, partition, number));
        let customer = |place| json!({"customer_id": format!("c{place}"), "name": format!("Name {number}")});
        let lines: String = (0..BATCH).map(|place| format!("c{place}\t{}\n", customer(place))).collect();
        parts.kafka.write(&parts.topic("customers"), Some(0), lines).unwrap();
    }
    let topics = HARMS.map(|(topic, ..)| parts.topic(topic));
    let harms: Vec<_> = HARMS
        .iter()
        .zip(&topics)
        .map(|((_, partition, harm, _), topic)| (topic.as_str(), *partition, BATCH, *harm))
        .collect();
    parts.kafka.harm(&harms).unwrap();
    parts
}

/// Writes a batch of payments to a partition.
fn pay(parts: &Parts, partition: i32, batch: i64) {
    let at = chrono::Utc::now().to_rfc3339();
    let payment = |number: i64| {
        json!({
            "transaction_id": format!("t-{partition}-{batch}-{number}"), "customer_id": format!("p{partition}"),
            "store_id": "s", "amount": "10.00", "timestamp": at,
        })
    };
    let lines: String = (0..BATCH).map(|number| format!("p{partition}\t{}\n", payment(number))).collect();
    parts.kafka.write(&parts.topic("transactions"), Some(partition), lines).unwrap();
}

fn wait_until(served: &mut Served, what: &str, done: impl Fn(&Served) -> bool) {
    let begun = Instant::now();
    while !done(served) {
        served.run.keep_waiting(begun, PATIENCE, what);
    }
}

/// The partitions that stand still, by the metric.
fn standing(served: &Served) -> Vec<(String, i32)> {
    let scrape = Scrape::of(&served.address);
    let labels = |topic: &str, partition: i32| {
        format!("topic=\"{}\",partition=\"{partition}\"", served.parts.topic(topic))
    };
    let shown = scrape.of_name("streamflow_kafka_unreadable");
    let all = (0..=SOUND).map(|partition| ("transactions", partition)).chain([("customers", 0)]);
    all.filter(|(topic, partition)| shown.get(labels(topic, *partition).as_str()) == Some(&1.0))
        .map(|(topic, partition)| (topic.to_owned(), partition))
        .collect()
}

fn books(parts: &Parts, topic: &str, account: &str) -> i64 {
    let sql = "SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books WHERE topic = $1 AND account = $2";
    parts.connect().query_one(sql, &[&parts.topic(topic), &account]).unwrap().get(0)
}

fn finish(parts: &Parts, name: &str, options: &[&str], success: bool) -> String {
    let mut command = parts.command(name, options);
    assert!(command.wait().success() == success, "{}", command.printed());
    command.printed()
}

#[test]
fn partitions_that_cannot_be_read_stand_still_until_an_operator_passes_what_is_there() {
    let mut served = Served::start(parts());
    let all: Vec<_> = HARMS.iter().map(|(topic, partition, ..)| ((*topic).to_owned(), *partition)).collect();
    wait_until(&mut served, "all of them stand still", |served| standing(served) == all);
    check_that_they_are_named(&served);
    pay(&served.parts, SOUND, 3);
    let read = [("transactions", 3 * BATCH + 4 * BATCH), ("customers", BATCH)];
    wait_until(&mut served, "the others go on", |served| {
        read.iter().all(|(topic, events)| books(&served.parts, topic, "read") == *events)
    });
    let parts = stop_and_skip(served);
    let mut served = Served::start(parts);
    check_what_lies_behind(&mut served);
    assert!(served.run.terminate().success(), "{}", served.run.printed());
    finish(&served.parts, "verify", &["--from-bronze"], true);
}

/// Log, readiness and page name each of them.
fn check_that_they_are_named(served: &Served) {
    let printed = served.run.printed();
    let ready = get(&served.address, "/readyz");
    assert_eq!(ready.code, 503, "{}", ready.body);
    assert!(ready.body.contains("stands still: records at offset 10 cannot be read"), "{}", ready.body);
    assert_eq!(get(&served.address, "/healthz").code, 200);
    let status: Value = serde_json::from_str(&get(&served.address, "/status.json").body).unwrap();
    for (topic, partition, _, reason) in HARMS {
        let topic = served.parts.topic(topic);
        let mut lines = printed.lines().filter(|line| line.contains("stands still"));
        let named = format!("topic=\"{topic}\" partition={partition} offset=10");
        assert!(lines.any(|line| line.contains(&named) && line.contains(reason)), "{named}: {printed}");
        let mut partitions = status["partitions"].as_array().unwrap().iter();
        let shown =
            partitions.find(|shown| shown["topic"] == topic && shown["partition"] == partition).unwrap();
        assert_eq!(
            (&shown["unreadable"]["offset"], &shown["unreadable"]["reason"]),
            (&json!(10), &json!(reason))
        );
    }
}

/// Passes the damaged batches, which is refused while the pipeline runs, and where it is not asked for rightly.
fn stop_and_skip(served: Served) -> Parts {
    let Served { parts, mut run, .. } = served;
    let skip = |topic: &str, partition: i32, to: i64, more: &[&str], success: bool| {
        let (topic, partition, to) = (parts.topic(topic), partition.to_string(), to.to_string());
        let options = ["skip", "--topic", &topic, "--partition", &partition, "--to", &to];
        finish(&parts, "offsets", &[&options, more].concat(), success)
    };
    let running = skip("transactions", 0, 2 * BATCH, &["--yes"], false);
    assert!(running.contains("a pipeline runs on this database"), "{running}");
    assert!(run.terminate().success(), "{}", run.printed());
    for to in [BATCH, 3 * BATCH + 1] {
        let refused = skip("transactions", 0, to, &["--yes"], false);
        assert!(refused.contains("after 10, where reading stands, up to the end at 30"), "{refused}");
    }
    let within = skip("transactions", 0, BATCH + 5, &[], false);
    assert!(within.contains("from 15 on there is no record that can be read"), "{within}");
    for (topic, partition, ..) in HARMS {
        let planned = skip(topic, partition, 2 * BATCH, &[], false);
        assert!(planned.contains("would skip 10 offsets"), "{planned}");
        let done = skip(topic, partition, 2 * BATCH, &["--yes"], true);
        assert!(
            done.contains(&format!("partition {partition}: 10 to 19; the next record is at 20")),
            "{done}"
        );
    }
    assert_eq!(finish(&parts, "offsets", &[], true).matches("offsets 10 to 19").count(), HARMS.len());
    parts
}

/// All that lies behind the gaps is read, and the gaps are in the books.
fn check_what_lies_behind(served: &mut Served) {
    let (payments, customers) = (13 * BATCH, 3 * BATCH);
    wait_until(served, "all is read", |served| {
        books(&served.parts, "transactions", "read") == payments
            && books(&served.parts, "customers", "read") == customers
            && get(&served.address, "/readyz").code == 200
    });
    assert_eq!(standing(served), []);
    let accounts =
        |topic: &str, other: &str| [other, "skipped"].map(|account| books(&served.parts, topic, account));
    assert_eq!(accounts("transactions", "new"), [payments - 3 * BATCH, 3 * BATCH]);
    assert_eq!(accounts("customers", "reference"), [customers - BATCH, BATCH]);
    let scrape = Scrape::of(&served.address);
    let events = scrape.of_name("streamflow_events_total");
    let skipped =
        events.into_iter().filter(|(labels, _)| labels.contains("skipped")).map(|(_, events)| events);
    assert_eq!(skipped.sum::<f64>(), 4.0 * BATCH as f64);
}
