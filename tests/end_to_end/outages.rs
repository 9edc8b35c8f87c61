//! What happens to the topics themselves while they are read: each thing has its outcome, and none is a
//! silent gap.

use crate::command::Running;
use crate::parts::Parts;
use serde_json::json;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::Producer;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A pipeline that has committed a thousand events.
struct World {
    parts: Parts,
    run: Running,
}

impl World {
    fn start(name: &str) -> Self {
        let more = json!({"pipeline": {"partition_check_seconds": 1}});
        let parts = Parts::start(name, 2, &more);
        let mut world = Self { run: parts.run(), parts };
        world.generate();
        world.wait_for_all();
        world
    }

    fn generate(&self) {
        self.finish("generate", &["--count", "1000", "--rate", "100000"], true);
    }

    /// Runs a command to its end, which must be a success or not, and returns what it printed.
    fn finish(&self, name: &str, options: &[&str], success: bool) -> String {
        let mut command = self.parts.command(name, options);
        let success_as_told = command.wait().success() == success;
        assert!(success_as_told, "{}", command.printed());
        command.printed()
    }

    /// Waits until every record of the transactions is committed.
    fn wait_for_all(&mut self) {
        self.parts.wait_for_all(&mut self.run, PATIENCE);
    }

    /// Waits until it has ended by itself, with one line that holds all of `words`.
    fn expect_end(&mut self, words: &[&str]) {
        let status = self.run.wait_for_end(PATIENCE);
        let printed = self.run.printed();
        assert_eq!(status.code(), Some(1), "{printed}");
        let last = printed.lines().last().unwrap();
        assert!(words.iter().all(|word| last.contains(word)), "{last}");
    }
}

#[test]
fn an_added_partition_stops_the_run_and_is_read_by_the_next_and_producers_clocks_are_refused() {
    let mut world = World::start("added");
    let topic = world.parts.topic("transactions");
    world.parts.kafka.add_partitions(&topic, 3).unwrap();
    world.expect_end(&[&topic, "3 partitions now", "2 are read", "start again"]);
    world.generate();
    world.run = world.parts.run();
    world.wait_for_all();
    let sql = "SELECT count(DISTINCT source_partition) FROM bronze.raw_transactions";
    assert_eq!(world.parts.connect().query_one(sql, &[]).unwrap().get::<_, i64>(0), 3);
    assert!(world.run.terminate().success());
    for topic in ["transactions", "blacklist"].map(|topic| world.parts.topic(topic)) {
        world.parts.kafka.configure_topic(&topic, &[("message.timestamp.type", "CreateTime")]).unwrap();
        world.run = world.parts.run();
        world.expect_end(&[&topic, "CreateTime", "LogAppendTime"]);
        world.parts.kafka.configure_topic(&topic, &[("message.timestamp.type", "LogAppendTime")]).unwrap();
    }
}

/// Its records are three hours old when the others' last horizon is final.
#[test]
fn a_topic_that_is_added_begins_at_its_own_first_record() {
    let mut world = World::start("begins");
    let committed = "SELECT watermark IS NOT NULL FROM streamflow.progress";
    let begun = Instant::now();
    while !world.parts.connect().query_one(committed, &[]).unwrap().get::<_, bool>(0) {
        world.run.keep_waiting(begun, PATIENCE, "a watermark");
    }
    assert!(world.run.terminate().success());
    let (old, topic) = (world.parts.topic("transactions"), world.parts.topic("added"));
    world.parts.kafka.create_topic(&topic, 1, &[]).unwrap();
    world.parts.fill_with_the_past(&topic, &[], |producer| send_forty_minutes(producer, &topic));

    let topics = format!("topics.transactions=[{old},{topic}]");
    world.run = world.parts.command("run", &["--set", &topics]);
    let mut client = world.parts.connect();
    let mut events = |account: &str| -> i64 {
        let sql =
            "SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books WHERE topic = $1 AND account = $2";
        client.query_one(sql, &[&topic, &account]).unwrap().get(0)
    };
    let begun = Instant::now();
    while events("read") < 43 {
        world.run.keep_waiting(begun, PATIENCE, "the added topic is read");
    }
    let accounts = ["new", "correcting", "voiding", "duplicate", "too_late"];
    assert_eq!(accounts.map(&mut events), [40, 1, 1, 1, 0]);
    assert!(world.run.terminate().success());
    world.finish("verify", &["--set", &topics, "--from-bronze"], true);
}

#[test]
fn a_watermark_ahead_of_the_brokers_time_is_shown_and_set_back() {
    let mut world = World::start("ahead");
    assert!(world.run.terminate().success());
    let ahead = "UPDATE streamflow.progress SET watermark = now() + interval '2 hours'";
    world.parts.connect().execute(ahead, &[]).unwrap();
    let shown = world.finish("offsets", &[], true);
    assert!(shown.contains("is ahead of the brokers' time"), "{shown}");
    assert!(shown.contains(&world.parts.topic("transactions")), "{shown}");
    let refused = world.finish("offsets", &["mend"], false);
    assert!(refused.contains("--yes"), "{refused}");
    world.finish("offsets", &["mend", "--yes"], true);
    let shown = world.finish("offsets", &["--format", "json"], true);
    assert!(shown.contains("\"is_ahead\": false"), "{shown}");
    world.run = world.parts.run();
    world.generate();
    world.wait_for_all();
    let late = "SELECT count(*) FROM bronze.dead_letters WHERE reason = 'too_late'";
    assert_eq!(world.parts.connect().query_one(late, &[]).unwrap().get::<_, i64>(0), 0);
    assert!(world.run.terminate().success());
    world.finish("verify", &["--from-bronze"], true);
}

/// Forty payments, a minute apart, from three hours ago on; then a correction, a void and a copy.
fn send_forty_minutes(producer: &Producer, topic: &str) {
    let begin = chrono::Utc::now() - chrono::Duration::hours(3);
    let send = |number: i64, visible: i64, more: serde_json::Value| {
        let at = |minutes| begin + chrono::Duration::minutes(minutes);
        let mut event = json!({
            "transaction_id": format!("past-{number}"), "customer_id": format!("past-{}", number % 4),
            "store_id": "s", "amount": "10.00", "timestamp": at(number).to_rfc3339(),
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let time = at(visible).timestamp_millis();
        producer.send(topic, b"past", Some(event.to_string().as_bytes()), Some(time)).unwrap();
    };
    (0..40).for_each(|number| send(number, number, json!({})));
    send(3, 40, json!({"revision": 1, "amount": "7.00"}));
    send(4, 40, json!({"revision": 1, "voided": true}));
    send(5, 40, json!({}));
}

#[test]
fn a_topic_that_is_deleted_and_created_anew_stops_the_run_and_the_next_start() {
    let mut world = World::start("recreated");
    let topic = world.parts.topic("transactions");
    world.parts.kafka.delete_topic(&topic).unwrap();
    world.expect_end(&[&topic]);
    world.parts.kafka.create_topic(&topic, 2, &[("message.timestamp.type", "LogAppendTime")]).unwrap();
    world.run = world.parts.run();
    world.expect_end(&[&topic, "deleted and created anew", "Offsets that Kafka no longer has"]);
    // It grows past the offsets at which reading would go on.
    (0..2).for_each(|_| world.generate());
    world.run = world.parts.run();
    world.expect_end(&[&topic, "the one that was read there had", "Offsets that Kafka no longer has"]);
}

#[test]
fn records_that_retention_has_taken_stop_the_run() {
    let mut world = World::start("retention");
    let topic = world.parts.topic("transactions");
    // It stands still while the records that it has not read are deleted.
    world.run.pause();
    world.generate();
    for partition in 0..2 {
        let end = world.parts.end(&topic, partition);
        world.parts.kafka.delete_records(&topic, i32::from(partition), end as i64).unwrap();
    }
    world.run.resume();
    world.expect_end(&[&topic, "offset", "is not there"]);
    world.run = world.parts.run();
    world.expect_end(&[&topic, "events are lost"]);
}
