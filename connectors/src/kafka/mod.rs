//! Kafka: reading partitions by hand, topics and their offsets, a plain and a transactional producer, and an
//! embedded broker.
//!
//! ```text
//!  TopicAdmin ── which partitions, from where ──> KafkaSource ── a reader thread per topic ──> SourceEvent
//!  Producer ── records ──> Kafka                             MockBroker: a Kafka in this process, for the demo
//!  TransactionalProducer ── all or nothing ──> Kafka ── latest_record ──> its position, after a restart
//! ```
//!
//! No consumer group takes part: the dataflow assigns partitions to workers, and the authority for offsets is
//! the progress row in PostgreSQL. An unreachable broker is waited for; a deleted offset is an error; a partition
//! stands still before records that cannot be read.

mod assignment;
mod batch;
mod broker_clock;
mod client;
mod consumer;
mod diagnosis;
mod error;
mod first;
mod latest;
mod mock;
mod producer;
mod progress;
mod reader;
mod settings;
mod source;
mod topics;
mod transactional;
mod unreadable;

pub use assignment::Assignment;
pub use broker_clock::BrokerClock;
pub use error::KafkaError;
pub use first::{RecordPlace, first_record_time, records_from};
pub use latest::latest_record;
pub use mock::MockBroker;
pub use producer::{Deliveries, Delivery, Producer};
pub use progress::{PartitionProgress, SourceProgress};
pub use settings::{Compression, KafkaSettings, Mechanism, ProducerSettings, Protocol, SourceSettings};
pub use source::{KafkaSource, TopicEvents};
pub use topics::{OffsetRange, TimestampType, TopicAdmin, TopicSettings};
pub use transactional::{Header, Message, TransactionError, TransactionalProducer};
pub use unreadable::{Damage, Unreadable};
