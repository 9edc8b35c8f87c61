//! What integration tests start: a real Apache Kafka, in a process of its own that never outlives the test.

mod directory;
mod jars;
pub mod kafka;
mod port;
mod process;

pub use kafka::KafkaServer;
