//! Records that a broker has and that nobody can read: their partition stands still before them, and the others
//! go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use streamflow_connectors::kafka::{
    Assignment, Damage, KafkaSettings, KafkaSource, RecordPlace, records_from,
};
use streamflow_connectors::source::{SourceEvent, host_clock};
use streamflow_model::PartitionId;
use streamflow_test_support::{Harm, KafkaServer};

const WITHIN: Duration = Duration::from_secs(120);

/// Records of one batch.
const BATCH: u64 = 10;

/// What is done to the second batch of partition 0 of a topic of that name.
const HARMS: [(&str, Harm, Damage); 3] = [
    ("checksum", Harm::Checksum, Damage::Checksum),
    ("compression", Harm::Compression, Damage::Compression),
    ("content", Harm::Content, Damage::Content),
];

/// A server whose topics have three batches in both of their partitions.
fn harmed_server() -> (KafkaServer, KafkaSettings) {
    let mut server = KafkaServer::start().unwrap();
    let settings = KafkaSettings::plaintext(server.brokers());
    for (topic, _, _) in HARMS {
        server.create_topic(topic, 2, &[]).unwrap();
        for partition in [0, 1, 0, 1, 0, 1] {
            write_batch(&server, topic, partition);
        }
    }
    let harms = HARMS.map(|(topic, harm, _)| (topic, 0, BATCH as i64, harm));
    server.harm(&harms).unwrap();
    (server, settings)
}

fn write_batch(server: &KafkaServer, topic: &str, partition: i32) {
    let lines: String = (0..BATCH).map(|number| format!("key\tvalue {number}\n")).collect();
    server.write(topic, Some(partition), lines).unwrap();
}

/// A source of both partitions of a topic, and the offsets that it has delivered.
struct Reading {
    topic: &'static str,
    source: KafkaSource,
    offsets: BTreeMap<u16, Vec<u64>>,
}

impl Reading {
    fn start(settings: &KafkaSettings, topic: &'static str, starts: [u64; 2]) -> Self {
        Self::start_aligned(settings, topic, starts, [None, None])
    }

    /// `ahead` is how far past its first record each is read before it is told up to which time, ms.
    fn start_aligned(
        settings: &KafkaSettings,
        topic: &'static str,
        starts: [u64; 2],
        ahead: [Option<i64>; 2],
    ) -> Self {
        let assignments = [0, 1].map(|number| Assignment {
            topic: topic.to_owned(),
            partition: PartitionId::new(0, number).unwrap(),
            start: starts[usize::from(number)],
            ahead: ahead[usize::from(number)],
        });
        let wake = Arc::new(|| {});
        let source =
            KafkaSource::start(settings, &assignments, &host_clock(), &(wake as Arc<dyn Fn() + Send + Sync>));
        Self { topic, source: source.unwrap(), offsets: BTreeMap::new() }
    }

    /// Reads until it is `done`.
    fn read_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            assert!(begun.elapsed() < WITHIN, "{}: stuck before {what}: {:?}", self.topic, self.offsets);
            self.take();
        }
    }

    fn take(&mut self) {
        match self.source.topics()[0].events.recv_timeout(Duration::from_millis(50)) {
            Ok(SourceEvent::Batch(records)) => {
                for record in records {
                    let partition = record.source.partition().partition();
                    self.offsets.entry(partition).or_default().push(record.source.offset());
                }
            }
            Ok(SourceEvent::Failed(error)) => panic!("{}: {error}", self.topic),
            Ok(SourceEvent::EndOfPartition { partition, .. }) => {
                let progress = &self.source.progress().partitions()[usize::from(partition.partition())];
                assert_eq!(
                    progress.unreadable(),
                    None,
                    "{}: it stands still and is not at its end",
                    self.topic
                );
            }
            Ok(SourceEvent::NextRecord { .. }) | Err(_) => {}
        }
    }

    fn unreadable(&self) -> [Option<(u64, Damage)>; 2] {
        let partitions = self.source.progress().partitions();
        [0, 1].map(|number: usize| {
            partitions[number].unreadable().map(|unreadable| (unreadable.offset, unreadable.damage))
        })
    }
}

fn offsets(ends: u64) -> Vec<u64> {
    (0..ends).collect()
}

#[test]
fn a_partition_stands_still_before_records_that_cannot_be_read_and_others_go_on() {
    let (server, settings) = harmed_server();
    for (topic, _, damage) in HARMS {
        let mut reading = Reading::start(&settings, topic, [0, 0]);
        reading.read_until("the damage", |reading| reading.unreadable()[0].is_some());
        assert_eq!(reading.unreadable(), [Some((BATCH, damage)), None], "{topic}");
        write_batch(&server, topic, 1);
        reading.read_until("all of the other", |reading| {
            reading.offsets.get(&1).is_some_and(|offsets| offsets.len() as u64 == 4 * BATCH)
        });
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            reading.take();
        }
        assert_eq!(reading.offsets, [(0, offsets(BATCH)), (1, offsets(4 * BATCH))].into(), "{topic}");
        drop(reading);

        let mut behind = Reading::start(&settings, topic, [2 * BATCH, 4 * BATCH]);
        behind.read_until("what is behind it", |reading| {
            reading.offsets.get(&0).is_some_and(|offsets| offsets.len() as u64 == BATCH)
        });
        assert_eq!(behind.unreadable(), [None, None], "{topic}");
    }
}

#[test]
fn a_partition_that_waits_while_another_is_found_to_stand_still_goes_on_afterwards() {
    let (_server, settings) = harmed_server();
    // Damage that the client says nothing of is found after seconds: the other waits since long.
    let mut reading = Reading::start_aligned(&settings, "content", [0, 0], [None, Some(0)]);
    reading.read_until("it waits", |reading| reading.source.progress().partitions()[1].waits());
    reading.read_until("the damage", |reading| reading.unreadable()[0].is_some());
    reading.read_until("it waits again", |reading| reading.source.progress().partitions()[1].waits());
    reading.source.read_up_to(i64::MAX);
    reading.read_until("all of it", |reading| {
        reading.offsets.get(&1).is_some_and(|offsets| offsets.len() as u64 == 3 * BATCH)
    });
    assert_eq!(reading.offsets, [(0, offsets(BATCH)), (1, offsets(3 * BATCH))].into());
}

#[test]
fn the_place_of_a_record_that_cannot_be_read_is_not_known() {
    let (_server, settings) = harmed_server();
    for (topic, harm, _) in HARMS {
        if harm == Harm::Content {
            continue;
        }
        let found = records_from(&settings, topic, &[(0, BATCH), (1, BATCH)], WITHIN).unwrap();
        let places: Vec<_> =
            found.iter().map(|(number, RecordPlace { offset, .. })| (*number, *offset)).collect();
        assert_eq!(places, [(1, BATCH)], "{topic}");
    }
}
