//! Whether the topics are still those of the plan. A partition that is added is read after a restart: all workers must begin
//! with it in the same epoch. A topic that has gone cannot be read on.

use super::plan::Plan;
use super::status::Stop;
use anyhow::{Context, Result};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use streamflow_connectors::kafka::{KafkaError, Topics};

/// Asks Kafka now and then, on a thread of its own, until it is dropped.
pub struct PartitionWatch {
    /// Never used to send: the thread sees it vanish.
    owner: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl PartitionWatch {
    /// Starts it; where a topic is no longer as planned the pipeline is stopped.
    ///
    /// # Errors
    /// Where Kafka's client cannot be made or no thread started.
    pub fn start(plan: &Arc<Plan>, stop: &Arc<Stop>) -> Result<Self> {
        let topics = Topics::connect(&plan.kafka)?;
        let every = Duration::from_secs(plan.pipeline.partition_check_seconds);
        let (owner, ended) = bounded(0);
        let (plan, stop) = (Arc::clone(plan), Arc::clone(stop));
        let thread = std::thread::Builder::new()
            .name("watch partitions".to_owned())
            .spawn(move || watch(&plan, &topics, &ended, every, &stop))
            .context("cannot start a thread")?;
        Ok(Self { owner: Some(owner), thread: Some(thread) })
    }
}

impl Drop for PartitionWatch {
    fn drop(&mut self) {
        drop(self.owner.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to say that it has not said to `stop`.
            let _ = thread.join();
        }
    }
}

fn watch(plan: &Plan, topics: &Topics, ended: &Receiver<()>, every: Duration, stop: &Stop) {
    let mut missing = 0;
    while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        match look(plan, topics) {
            Look::AsPlanned => missing = 0,
            Look::Changed(what) => return stop.fail(what),
            // A broker that has just started may not know its topics yet.
            Look::Missing(_) if missing == 0 => missing = 1,
            Look::Missing(topic) => {
                return stop.fail(format!(
                    "topic {topic} is gone; see the runbook, \"Offsets that Kafka no longer has\""
                ));
            }
        }
    }
}

enum Look {
    AsPlanned,
    Changed(String),
    Missing(String),
}

fn look(plan: &Plan, topics: &Topics) -> Look {
    for (topic, planned) in plan.partitions() {
        match topics.partitions(topic) {
            Ok(found) if found == planned => {}
            Ok(found) => {
                return Look::Changed(format!(
                    "topic {topic} has {found} partitions now, {planned} are read: start again, and all are read"
                ));
            }
            Err(KafkaError::MissingTopic(topic)) => return Look::Missing(topic),
            // Whoever reads has noticed as well, and waits.
            Err(error) => {
                tracing::debug!(%error, "cannot look at the partitions");
                return Look::AsPlanned;
            }
        }
    }
    Look::AsPlanned
}
