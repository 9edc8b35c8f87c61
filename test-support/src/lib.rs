//! Support for integration tests: a real Apache Kafka in a process that never outlives the test, and
//! certificates for servers.

mod jars;
pub mod kafka;
mod segments;
mod tls;

pub use kafka::{KafkaServer, Security};
pub use segments::Harm;
pub use streamflow_harness::kafka::Port;
pub use tls::{Authority, Identity};
