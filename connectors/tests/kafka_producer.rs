//! What cannot be delivered is reported, and a full buffer holds the sender back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::{Duration, Instant};

use streamflow_connectors::kafka::{KafkaError, KafkaSettings, MockBroker, Producer};

const WITHIN: Duration = Duration::from_secs(10);

#[test]
fn undelivered_records_are_counted_and_reported() {
    let mut settings = KafkaSettings::plaintext("127.0.0.1:1");
    settings.producer.delivery_timeout_ms = 1_000;
    settings.producer.buffer_kib = 1;
    let producer = Producer::open(&settings).unwrap();
    let begun = Instant::now();
    // Three times what the buffer holds: the last waits until the first has been given up.
    for _ in 0..6 {
        producer.send("transactions", b"key", Some(&[0; 500]), None).unwrap();
    }
    assert!(begun.elapsed() > Duration::from_millis(1_000));
    let error = producer.flush(WITHIN).unwrap_err();
    assert!(matches!(error, KafkaError::Undelivered { failed: 6, .. }), "{error}");
    assert!(error.is_retryable());
    let deliveries = producer.deliveries();
    assert_eq!((deliveries.delivered, deliveries.failed), (0, 6));
    assert!(deliveries.first_failure.is_some());
}

#[test]
fn a_record_that_is_too_large_is_refused_at_once() {
    let broker = MockBroker::start().unwrap();
    broker.create_topic("transactions", 1).unwrap();
    let producer = Producer::open(&KafkaSettings::plaintext(broker.address())).unwrap();
    let error = producer.send("transactions", b"key", Some(&vec![0; 2_000_000]), None).unwrap_err();
    assert!(matches!(&error, KafkaError::Record { topic, .. } if topic == "transactions"), "{error}");
    assert!(!error.is_retryable());
    producer.flush(WITHIN).unwrap();
}
