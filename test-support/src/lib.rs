//! Support for integration tests: a real Apache Kafka in a process that never outlives the test, and
//! certificates for servers.

mod directory;
mod jars;
pub mod kafka;
mod port;
mod process;
mod tls;

pub use kafka::{KafkaServer, Security};
pub use port::Port;
pub use tls::{Authority, Identity};
