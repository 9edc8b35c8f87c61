//! Tests against a real Kafka and a real PostgreSQL: whatever ends a publisher, at whichever line, consumers
//! see each change exactly once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// Reads messages as a read_committed consumer.
#[path = "../../../tests/end_to_end/consumer.rs"]
mod consumer;
/// Outages of Kafka and PostgreSQL, and a newer publisher that takes over.
mod outages;
/// Publishers in processes of their own, killed at random moments.
mod processes;
/// Publishers that fail at each dangerous line.
mod sessions;
/// Both servers, rows to be published, and the expected messages.
mod world;
