//! Against a real Kafka and a real PostgreSQL: whatever ends a publisher, wherever it stands, consumers see each change
//! exactly once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// Reads what is visible.
#[path = "../../../tests/end_to_end/consumer.rs"]
mod consumer;
/// Kafka or PostgreSQL is away for a while, and a newer publisher takes over.
mod outages;
/// Publishers in processes of their own, killed at random moments.
mod processes;
/// Publishers that end at each dangerous line.
mod sessions;
/// Both servers, rows to be published, and what must have come of them.
mod world;
