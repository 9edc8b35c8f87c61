//! A Kafka in this process, for the demo: real protocol on a loopback port, so that kcat and any client reach
//! it.
//!
//! It is the client library's own test double and no store. It keeps about 5 MB or 100,000 message sets of a
//! partition and silently forgets the oldest beyond that, in memory only; it does not implement transactions
//! (aborted records can be seen, nothing is fenced), topic administration, or LogAppendTime. So it shows how
//! things work and never proves that nothing is lost.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::error::KafkaError;

/// The embedded broker; it ends when dropped.
pub struct MockBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl MockBroker {
    /// Starts a broker on a free port.
    ///
    /// # Errors
    /// [`KafkaError::Mock`].
    pub fn start() -> Result<Self, KafkaError> {
        Ok(Self { cluster: MockCluster::new(1).map_err(KafkaError::Mock)? })
    }

    /// The address to connect to, `host:port`.
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// [`KafkaError::Mock`], also where it exists.
    pub fn create_topic(&self, name: &str, partitions: u16) -> Result<(), KafkaError> {
        self.cluster.create_topic(name, i32::from(partitions), 1).map_err(KafkaError::Mock)
    }
}
