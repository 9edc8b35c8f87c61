//! What integration tests start: a real Apache Kafka, in a process of its own that never outlives the test, and the
//! certificates that servers show.

mod directory;
mod jars;
pub mod kafka;
mod port;
mod process;
mod tls;

pub use kafka::{KafkaServer, Security};
pub use port::Port;
pub use tls::{Authority, Identity};
