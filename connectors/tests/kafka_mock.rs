//! The embedded broker of the demo speaks enough of the protocol for the source and the producer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use streamflow_connectors::kafka::{
    Assignment, KafkaSettings, KafkaSource, MockBroker, Producer, TopicAdmin,
};
use streamflow_connectors::source::{SourceEvent, Wake, host_clock};
use streamflow_model::PartitionId;

const WITHIN: Duration = Duration::from_secs(10);

fn no_wake() -> Wake {
    Arc::new(|| {})
}

#[test]
fn records_pass_through_the_embedded_broker() {
    let broker = MockBroker::start().unwrap();
    broker.create_topic("transactions", 3).unwrap();
    let settings = KafkaSettings::plaintext(broker.address());
    let producer = Producer::open(&settings).unwrap();
    for number in 0..3_000 {
        let (key, value) = (format!("cust-{number}"), number.to_string());
        producer.send("transactions", key.as_bytes(), Some(value.as_bytes()), None).unwrap();
    }
    producer.flush(WITHIN).unwrap();

    let topics = TopicAdmin::connect(&settings).unwrap();
    assert_eq!(topics.partitions("transactions").unwrap(), 3);
    let latest = (0..3).map(|number| topics.offsets("transactions", number).unwrap().latest);
    assert_eq!(latest.sum::<u64>(), 3_000);

    let assignments: Vec<Assignment> = (0..3)
        .map(|number| Assignment {
            topic: "transactions".to_owned(),
            partition: PartitionId::new(0, number).unwrap(),
            start: 0,
            ahead: None,
        })
        .collect();
    let source = KafkaSource::start(&settings, &assignments, &host_clock(), &no_wake()).unwrap();
    let (mut records, mut ends) = (0, 0);
    while records < 3_000 || ends < 3 {
        match source.topics()[0].events.recv_timeout(WITHIN).unwrap() {
            SourceEvent::Batch(batch) => records += batch.len(),
            SourceEvent::EndOfPartition { .. } => ends += 1,
            SourceEvent::NextRecord { .. } => {}
            SourceEvent::Failed(error) => panic!("{error}"),
        }
    }
    assert_eq!(records, 3_000);
}
