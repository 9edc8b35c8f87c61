//! What happens to the topics themselves while they are read: each thing has its outcome, and none is a
//! silent gap.

use crate::command::Running;
use crate::parts::Parts;
use serde_json::json;
use std::time::{Duration, Instant};

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
        let mut generate = self.parts.command("generate", &["--count", "1000", "--rate", "100000"]);
        while generate.ended().is_none() {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(generate.ended().is_some_and(|status| status.success()), "{}", generate.printed());
    }

    /// Waits until every record of the transactions is committed.
    fn wait_for_all(&mut self) {
        let mut client = self.parts.connect();
        let sql = "SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books \
             WHERE account = 'read' AND topic = $1";
        let topic = self.parts.topic("transactions");
        let begun = Instant::now();
        while client.query_one(sql, &[&topic]).unwrap().get::<_, i64>(0)
            < self.parts.consume("transactions").len() as i64
        {
            self.run.keep_waiting(begun, PATIENCE, "all is committed");
        }
    }

    /// Waits until it has ended by itself, with one line that holds all of `words`.
    fn expect_end(&mut self, words: &[&str]) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.run.ended() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "goes on:\n{}", self.run.printed());
            std::thread::sleep(Duration::from_millis(50));
        };
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

#[test]
fn a_topic_that_is_deleted_and_created_anew_stops_the_run_and_the_next_start() {
    let mut world = World::start("recreated");
    let topic = world.parts.topic("transactions");
    world.parts.kafka.delete_topic(&topic).unwrap();
    world.expect_end(&[&topic]);
    world.parts.kafka.create_topic(&topic, 2, &[("message.timestamp.type", "LogAppendTime")]).unwrap();
    world.run = world.parts.run();
    world.expect_end(&[&topic, "deleted and created anew", "Offsets that Kafka no longer has"]);
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
