//! What is to be read: topics, their partitions, and which worker reads which.

use crate::config::{Config, PipelineSettings};
use anyhow::{Context, Result, bail};
use streamflow_connectors::kafka::{Assignment, KafkaSettings, Topics};
use streamflow_dataflow::model::{PartitionId, Settings};
use streamflow_dataflow::reference::Role;

/// What all workers know.
pub struct Plan {
    /// What the views depend on.
    pub settings: Settings,
    /// The flow's limits.
    pub pipeline: PipelineSettings,
    /// Where Kafka is.
    pub kafka: KafkaSettings,
    /// All topics and what they hold, by their number.
    pub topics: Vec<(String, Role)>,
    /// All partitions and where to begin.
    assignments: Vec<Assignment>,
}

impl Plan {
    /// Asks Kafka for the partitions.
    pub fn make(config: &Config) -> Result<Self> {
        let kafka = Topics::connect(&config.kafka)?;
        let topics = config.topics.roles();
        let mut assignments = Vec::new();
        for (number, (topic, role)) in topics.iter().enumerate() {
            if *role == Role::Transactions && config.pipeline.require_log_append_time {
                kafka.require_log_append_time(topic)?;
            }
            for partition in 0..kafka.partitions(topic)? {
                let id = PartitionId::new(u16::try_from(number)?, partition);
                let id = id.with_context(|| {
                    format!(
                        "topic {topic}: more than {} partitions are not supported",
                        PartitionId::PARTITIONS
                    )
                })?;
                let start = kafka.offsets(topic, partition)?.earliest;
                assignments.push(Assignment { topic: topic.clone(), partition: id, start });
            }
        }
        if assignments.is_empty() {
            bail!("the topics have no partitions");
        }
        let settings = config.graph_settings();
        Ok(Self {
            settings,
            pipeline: config.pipeline.clone(),
            kafka: config.kafka.clone(),
            topics,
            assignments,
        })
    }

    /// What a partition's topic holds.
    pub fn role(&self, partition: PartitionId) -> Role {
        self.topics.get(usize::from(partition.topic())).map_or(Role::Transactions, |(_, role)| *role)
    }

    /// The partitions of one of `peers` workers: dealt out one by one.
    pub fn assignments(&self, index: usize, peers: usize) -> Vec<Assignment> {
        self.assignments.iter().skip(index).step_by(peers).cloned().collect()
    }
}
