//! Reading from a real Kafka: every record once and in order, from any offset, and never a silent gap.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use streamflow_connectors::kafka::{
    Assignment, BrokerClock, Compression, KafkaError, KafkaSettings, KafkaSource, Message, OffsetRange,
    Producer, TimestampType, TopicAdmin, TopicSettings, TransactionalProducer,
};
use streamflow_connectors::source::{KEPT_BYTES, SourceError, SourceEvent, Wake, host_clock, now_ms};
use streamflow_model::{PartitionId, Record};
use streamflow_test_support::KafkaServer;

const HOUR_MS: i64 = 3_600_000;
const WITHIN: Duration = Duration::from_secs(30);
const LOG_APPEND_TIME: [(&str, &str); 1] = [("message.timestamp.type", "LogAppendTime")];

fn partition(topic: u16, number: u16) -> PartitionId {
    PartitionId::new(topic, number).unwrap()
}

fn assignment(topic: &str, number: u16, start: u64) -> Assignment {
    Assignment { topic: topic.to_owned(), partition: partition(0, number), start, ahead: Some(HOUR_MS) }
}

fn no_wake() -> Wake {
    Arc::new(|| {})
}

/// A source that wakes nobody.
fn source_of(settings: &KafkaSettings, assignments: &[Assignment]) -> KafkaSource {
    KafkaSource::start(settings, assignments, &host_clock(), &no_wake()).unwrap()
}

/// What is read of its only topic.
fn events_of(source: &KafkaSource) -> &Receiver<SourceEvent> {
    let [topic] = source.topics() else { panic!("{} topics", source.topics().len()) };
    &topic.events
}

/// The next event of any topic.
fn next_event(source: &KafkaSource) -> SourceEvent {
    let begun = Instant::now();
    loop {
        if let Some(event) = source.topics().iter().find_map(|topic| topic.events.try_recv().ok()) {
            return event;
        }
        assert!(begun.elapsed() < WITHIN, "the source falls silent");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Reads until each of `ends` partitions has been at its end.
fn read_to_end(source: &KafkaSource, ends: usize) -> Vec<Record> {
    let (mut records, mut ended) = (Vec::new(), BTreeMap::new());
    while ended.len() < ends {
        match next_event(source) {
            SourceEvent::Batch(batch) => records.extend(batch),
            SourceEvent::NextRecord { .. } => {}
            SourceEvent::EndOfPartition { partition, offset, .. } => drop(ended.insert(partition, offset)),
            SourceEvent::Failed(error) => panic!("{error}"),
        }
    }
    for (partition, offset) in ended {
        let last = records.iter().rfind(|record| record.source.partition() == partition);
        assert!(last.is_none_or(|record| record.source.offset() + 1 == offset));
    }
    records
}

/// What comes up to the first event that is wanted, and that one.
fn read_until(source: &KafkaSource, wanted: impl Fn(&SourceEvent) -> bool) -> Vec<SourceEvent> {
    let mut events = Vec::new();
    while !events.last().is_some_and(&wanted) {
        events.push(next_event(source));
    }
    events
}

fn failure(source: &KafkaSource) -> SourceError {
    loop {
        if let SourceEvent::Failed(error) = next_event(source) {
            return error;
        }
    }
}

/// 10,000 records on three partitions, half of them by the producer with a wrong clock, half by kcat.
fn fill(server: &KafkaServer, settings: &KafkaSettings, topic: &str) {
    let producer = Producer::open(settings).unwrap();
    for number in 0..5_000 {
        let (key, value) = (format!("cust-{}", number % 100), format!("{{\"n\":{number}}}"));
        producer.send(topic, key.as_bytes(), Some(value.as_bytes()), Some(1_000)).unwrap();
    }
    producer.flush(WITHIN).unwrap();
    assert_eq!(producer.deliveries().delivered, 5_000);
    let lines: String =
        (5_000..10_000).map(|number| format!("cust-{}\t{{\"n\":{number}}}\n", number % 100)).collect();
    server.write(topic, None, &lines).unwrap();
}

#[test]
fn every_record_is_read_once_in_order_from_any_offset() {
    let server = KafkaServer::start().unwrap();
    let settings = KafkaSettings::plaintext(server.brokers());
    server.create_topic("transactions", 3, &LOG_APPEND_TIME).unwrap();
    let started = now_ms() as i64;
    fill(&server, &settings, "transactions");

    let topics = TopicAdmin::connect(&settings).unwrap();
    assert_eq!(topics.partitions("transactions").unwrap(), 3);
    let ranges: Vec<OffsetRange> =
        (0..3).map(|number| topics.offsets("transactions", number).unwrap()).collect();
    assert_eq!(ranges.iter().map(|range| range.latest - range.earliest).sum::<u64>(), 10_000);
    assert!(ranges.iter().all(|range| range.latest > 0));

    // Two workers share the partitions.
    let first = [assignment("transactions", 0, 0), assignment("transactions", 2, 0)];
    let first = source_of(&settings, &first);
    let second = source_of(&settings, &[assignment("transactions", 1, 0)]);
    let mut records = read_to_end(&first, 2);
    records.extend(read_to_end(&second, 1));

    let mut next = [0; 3];
    for record in &records {
        let next = &mut next[usize::from(record.source.partition().partition())];
        assert_eq!(record.source.offset(), *next);
        *next += 1;
        // The broker's clock, not the producer's.
        let appended_at = record.appended_at.unwrap() / 1_000;
        assert!((started - 1_000..=now_ms() as i64 + 1_000).contains(&appended_at));
        assert!(record.key.as_ref().unwrap().starts_with(b"cust-"));
        assert_eq!(record.full_length, record.payload.as_ref().unwrap().len() as u64);
    }
    let mut payloads: Vec<_> = records.iter().map(|record| record.payload.clone().unwrap()).collect();
    payloads.sort();
    payloads.dedup();
    assert_eq!(payloads.len(), 10_000);

    // A worker that resumes.
    let start = next[1] - 7;
    let resumed = source_of(&settings, &[assignment("transactions", 1, start)]);
    let offsets: Vec<u64> = read_to_end(&resumed, 1).iter().map(|record| record.source.offset()).collect();
    assert_eq!(offsets, (start..next[1]).collect::<Vec<_>>());

    assert_eq!(first.progress().partitions()[1].position(), next[2]);
    let deadline = Instant::now() + WITHIN;
    while first.progress().partitions()[1].lag() != Some(0) {
        assert!(Instant::now() < deadline, "the end never becomes known");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_end_is_told_anew_and_by_topic() {
    let server = KafkaServer::start().unwrap();
    let settings = KafkaSettings::plaintext(server.brokers());
    server.create_topic("customers", 1, &[("cleanup.policy", "compact")]).unwrap();
    server.create_topic("stores", 1, &[("cleanup.policy", "compact")]).unwrap();
    let producer = Producer::open(&settings).unwrap();
    producer.send("customers", b"cust-1", Some(&vec![b'x'; KEPT_BYTES + 10]), None).unwrap();
    producer.send("customers", b"cust-1", None, None).unwrap();
    producer.flush(WITHIN).unwrap();

    let (wake_sender, wakes) = crossbeam_channel::unbounded();
    let wake: Wake = Arc::new(move || wake_sender.send(()).unwrap());
    let assignments = [
        Assignment {
            topic: "customers".to_owned(),
            partition: partition(1, 0),
            start: 0,
            ahead: Some(HOUR_MS),
        },
        Assignment { topic: "stores".to_owned(), partition: partition(2, 0), start: 0, ahead: Some(HOUR_MS) },
    ];
    let source = KafkaSource::start(&settings, &assignments, &host_clock(), &wake).unwrap();
    let records = read_to_end(&source, 2);
    assert!(wakes.len() >= 3);
    assert_eq!(records.len(), 2);
    assert_eq!(
        (records[0].payload.as_ref().unwrap().len(), records[0].full_length),
        (KEPT_BYTES, KEPT_BYTES as u64 + 10)
    );
    assert_eq!((&records[1].payload, records[1].full_length), (&None, 0));

    producer.send("stores", b"store-1", Some(b"{}"), None).unwrap();
    producer.flush(WITHIN).unwrap();
    assert_eq!(server.read("stores", "%o %k %s\n").unwrap(), "0 store-1 {}\n");
    let more = read_until(&source, |event| matches!(event, SourceEvent::Batch(_)));
    assert!(
        matches!(&more[..], [.., SourceEvent::Batch(batch)] if batch[0].source.partition() == partition(2, 0))
    );
    read_until(
        &source,
        |event| matches!(event, SourceEvent::EndOfPartition { partition: ended, offset: 1, .. } if *ended == partition(2, 0)),
    );
}

#[test]
fn an_offset_that_is_not_there_is_an_error() {
    let server = KafkaServer::start().unwrap();
    let settings = KafkaSettings::plaintext(server.brokers());
    server.create_topic("transactions", 2, &[]).unwrap();
    server.write("transactions", Some(1), "a\t1\nb\t2\nc\t3\n").unwrap();
    server.delete_records("transactions", 1, 2).unwrap();

    for start in [0, 1, 4] {
        let assignments = [assignment("transactions", 0, 0), assignment("transactions", 1, start)];
        let source = source_of(&settings, &assignments);
        let error = failure(&source);
        assert!(!error.is_retryable());
        let SourceError::OffsetOutOfRange { partition: 1, offset, earliest: 2, latest: 3, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(offset, start);
        assert!(
            events_of(&source).recv_timeout(WITHIN).is_err_and(|end| end == RecvTimeoutError::Disconnected)
        );
    }

    let source = source_of(&settings, &[assignment("missing", 0, 0)]);
    let error = failure(&source);
    assert!(error.is_retryable(), "{error}");
}

#[test]
fn a_broker_that_restarts_is_waited_for() {
    let mut server = KafkaServer::start().unwrap();
    let settings = KafkaSettings::plaintext(server.brokers());
    server.create_topic("transactions", 1, &[]).unwrap();
    server.write("transactions", None, "a\t1\n").unwrap();
    let source = source_of(&settings, &[assignment("transactions", 0, 0)]);
    assert_eq!(read_to_end(&source, 1).len(), 1);
    let idle = source_of(&settings, &[assignment("transactions", 0, 1)]);

    server.kill().unwrap();
    let away = Instant::now();
    drop(idle);
    assert!(away.elapsed() < WITHIN, "a source stops without waiting for its broker");

    server.restart().unwrap();
    server.write("transactions", None, "b\t2\n").unwrap();
    // The end may be told again before there is more.
    let events = read_until(&source, |event| matches!(event, SourceEvent::Batch(_)));
    let Some(SourceEvent::Batch(batch)) = events.last() else { panic!("no batch: {events:?}") };
    assert_eq!(batch[0].source.offset(), 1);
    assert!(source.progress().interruptions() > 0);
}

#[test]
fn a_slow_worker_holds_the_reader_back_and_drop_frees_it() {
    let server = KafkaServer::start().unwrap();
    let mut settings = KafkaSettings::plaintext(server.brokers());
    settings.source.batch_records = 10;
    settings.source.queued_batches = 2;
    server.create_topic("transactions", 1, &[]).unwrap();
    let lines: String = (0..1_000).map(|number| format!("key\t{number}\n")).collect();
    server.write("transactions", None, &lines).unwrap();

    let source = source_of(&settings, &[assignment("transactions", 0, 0)]);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(events_of(&source).len(), 2);
    assert_eq!(source.progress().partitions()[0].position(), 20);
    let begun = Instant::now();
    drop(source);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn topics_are_created_once_and_checked() {
    let server = KafkaServer::start().unwrap();
    let settings = KafkaSettings::plaintext(server.brokers());
    let topics = TopicAdmin::connect(&settings).unwrap();
    let topic = |name: &str, configs: &[(&str, &str)]| TopicSettings {
        name: name.to_owned(),
        partitions: 3,
        replication: -1,
        configs: configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    };
    let wanted = [topic("live", &LOG_APPEND_TIME), topic("other", &[])];
    assert_eq!(topics.create_missing(&wanted).unwrap(), ["live", "other"]);
    assert_eq!(topics.create_missing(&wanted).unwrap(), [""; 0]);
    assert_eq!(topics.partitions("live").unwrap(), 3);
    assert_eq!(topics.timestamp_type("live").unwrap(), TimestampType::LogAppendTime);
    topics.require_log_append_time("live").unwrap();
    let refused = topics.require_log_append_time("other");
    assert!(matches!(refused, Err(KafkaError::NotLogAppendTime(name)) if name == "other"));
    assert!(matches!(topics.partitions("missing"), Err(KafkaError::MissingTopic(_))));
    let missing = topics.timestamp_type("missing").unwrap_err();
    assert!(matches!(missing, KafkaError::MissingTopic(_)), "{missing:?}");
    let bad = topic("bad", &[("no.such.config", "1")]);
    assert!(matches!(topics.create_missing(&[bad]), Err(KafkaError::Refused { .. })));
}

#[test]
fn while_a_broker_is_away_nobody_claims_to_know_the_end() {
    let mut server = KafkaServer::start().unwrap();
    let settings = KafkaSettings::plaintext(server.brokers());
    server.create_topic("transactions", 1, &[]).unwrap();
    server.write("transactions", Some(0), "a\t1\n").unwrap();
    let source = source_of(&settings, &[assignment("transactions", 0, 0)]);
    let as_of = |event: &SourceEvent| match event {
        SourceEvent::EndOfPartition { as_of, .. } => Some(*as_of),
        _ => None,
    };
    // It says so again and again, each time of a later instant.
    let first = as_of(read_until(&source, |event| as_of(event).is_some()).last().unwrap()).unwrap();
    read_until(&source, |event| as_of(event).is_some_and(|later| later > first));
    server.kill().unwrap();
    let away = now_ms();
    std::thread::sleep(Duration::from_secs(3));
    let told: Vec<u64> = events_of(&source).try_iter().filter_map(|event| as_of(&event)).collect();
    assert!(told.iter().all(|as_of| *as_of <= away), "{told:?} after {away}");
    server.restart().unwrap();
    read_until(&source, |event| as_of(event).is_some_and(|later| later > away));
}

#[test]
fn markers_of_transactions_do_not_hide_the_end() {
    let server = KafkaServer::start().unwrap();
    let settings = KafkaSettings::plaintext(server.brokers());
    server.create_topic("transactions", 1, &[]).unwrap();
    let producer = TransactionalProducer::open(&settings, "marker", WITHIN).unwrap();
    producer.fence(WITHIN).unwrap();
    producer.begin().unwrap();
    let message = Message { key: b"k".to_vec(), value: Some(b"v".to_vec()), headers: Vec::new() };
    producer.send("transactions", &message, WITHIN).unwrap();
    producer.commit(WITHIN).unwrap();
    let source = source_of(&settings, &[assignment("transactions", 0, 0)]);
    read_until(&source, |event| matches!(event, SourceEvent::EndOfPartition { offset: 2, .. }));
}

#[test]
fn while_a_transaction_is_open_nobody_claims_to_know_the_end() {
    let server = KafkaServer::start().unwrap();
    let settings = KafkaSettings::plaintext(server.brokers());
    server.create_topic("transactions", 1, &[]).unwrap();
    server.write("transactions", Some(0), "a\t1\n").unwrap();
    let producer = TransactionalProducer::open(&settings, "open", WITHIN).unwrap();
    producer.fence(WITHIN).unwrap();
    producer.begin().unwrap();
    let message = Message { key: b"k".to_vec(), value: Some(b"v".to_vec()), headers: Vec::new() };
    producer.send("transactions", &message, WITHIN).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let first = [assignment("transactions", 0, 0)];
    let source = source_of(&settings, &first);
    read_until(&source, |event| matches!(event, SourceEvent::Batch(_)));
    // Longer than a marker takes to be passed.
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(events_of(&source).try_iter().count(), 0);
    producer.commit(WITHIN).unwrap();
    // Two records and a marker.
    read_until(&source, |event| matches!(event, SourceEvent::EndOfPartition { offset: 3, .. }));
}

/// Fetching is paused meanwhile.
#[test]
fn the_end_is_told_again_after_nobody_took_what_was_read() {
    let server = KafkaServer::start().unwrap();
    let mut settings = KafkaSettings::plaintext(server.brokers());
    settings.source.queued_batches = 1;
    server.create_topic("transactions", 1, &[]).unwrap();
    server.write("transactions", Some(0), "a\t1\n").unwrap();
    let first = [assignment("transactions", 0, 0)];
    let source = source_of(&settings, &first);
    read_until(&source, |event| matches!(event, SourceEvent::EndOfPartition { .. }));
    std::thread::sleep(Duration::from_secs(6));
    let taken_again = now_ms();
    read_until(
        &source,
        |event| matches!(event, SourceEvent::EndOfPartition { as_of, .. } if *as_of > taken_again),
    );
}

#[test]
fn records_later_than_wanted_wait_and_none_is_lost() {
    let server = KafkaServer::start().unwrap();
    let settings = KafkaSettings::plaintext(server.brokers());
    server.create_topic("transactions", 1, &[]).unwrap();
    let first = [assignment("transactions", 0, 0)];
    let source = source_of(&settings, &first);
    source.read_up_to(0);
    let producer = Producer::open(&settings).unwrap();
    let count = 5_000;
    for number in 1..=count {
        producer.send("transactions", b"k", Some(number.to_string().as_bytes()), Some(number)).unwrap();
    }
    producer.flush(WITHIN).unwrap();
    let waits = || source.progress().partitions()[0].waits();
    let mut read = Vec::new();
    for latest in [0, 1, 700, 701, 4_000, i64::MAX] {
        source.read_up_to(latest);
        let due = latest.min(count) as usize;
        let begun = Instant::now();
        while read.len() < due || (latest < count && !waits()) {
            assert!(begun.elapsed() < WITHIN, "{} of {due}, waits: {}", read.len(), waits());
            if let Ok(SourceEvent::Batch(records)) =
                events_of(&source).recv_timeout(Duration::from_millis(20))
            {
                read.extend(records.iter().map(|record| record.source.offset()));
            }
        }
        assert_eq!(read.len(), due);
    }
    assert!(read.iter().copied().eq(0..count as u64));
    assert!(!waits());
}

#[test]
fn the_brokers_clock_goes_on_while_they_answer() {
    let mut server = KafkaServer::start().unwrap();
    let settings = KafkaSettings::plaintext(server.brokers());
    let clock = BrokerClock::start(&settings, "clock").unwrap();
    let read = clock.read();
    // The topic comes later.
    assert_eq!(read(), None);
    server.create_topic("clock", 1, &LOG_APPEND_TIME).unwrap();
    let wait_until_after = |instant: u64| {
        let begun = Instant::now();
        while read().is_none_or(|reading| reading <= instant) {
            assert!(begun.elapsed() < WITHIN, "{:?} after {instant}", read());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let created = now_ms();
    wait_until_after(created);
    server.kill().unwrap();
    let away = now_ms();
    std::thread::sleep(Duration::from_secs(3));
    assert!(read().unwrap() <= away);
    server.restart().unwrap();
    wait_until_after(away);
}

#[test]
fn every_codec_is_written_and_read_back() {
    let server = KafkaServer::start().unwrap();
    let mut settings = KafkaSettings::plaintext(server.brokers());
    for compression in
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
    {
        settings.producer.compression = compression;
        let (topic, value) = (format!("{compression:?}"), format!("{compression:?} ").repeat(1000));
        server.create_topic(&topic, 1, &LOG_APPEND_TIME).unwrap();
        let producer = Producer::open(&settings).unwrap();
        producer.send(&topic, b"key", Some(value.as_bytes()), None).unwrap();
        producer.flush(WITHIN).unwrap();
        let records = read_to_end(&source_of(&settings, &[assignment(&topic, 0, 0)]), 1);
        let read: Vec<_> = records.iter().map(|record| record.payload.as_deref().unwrap()).collect();
        assert_eq!(read, [value.as_bytes()]);
    }
}

#[test]
fn a_record_does_not_wait_for_a_fetch_that_waits() {
    let server = KafkaServer::start().unwrap();
    let mut settings = KafkaSettings::plaintext(server.brokers());
    settings.source.fetch_wait_ms = 4_000;
    server.create_topic("idle", 2, &LOG_APPEND_TIME).unwrap();
    let source = source_of(&settings, &[assignment("idle", 0, 0), assignment("idle", 1, 0)]);
    read_to_end(&source, 2);
    // Every time a fetch has just begun to wait, since the one before was answered with the record.
    let begun = Instant::now();
    for number in 0..20 {
        server.write("idle", Some(number % 2), format!("key\t{number}\n")).unwrap();
        read_until(&source, |event| matches!(event, SourceEvent::Batch(_)));
    }
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
}
