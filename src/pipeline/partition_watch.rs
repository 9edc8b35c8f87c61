//! Watches whether the topics are still those of the plan. An added partition is read after a restart,
//! because all workers must begin with it in the same epoch. A deleted topic cannot be read any further.

use super::plan::Sources;
use crate::config::PipelineSettings;
use crate::stop::Stop;
use anyhow::{Context, Result};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use streamflow_connectors::kafka::KafkaError;

/// Asks Kafka at intervals, on a thread of its own, until it is dropped.
pub struct PartitionWatch {
    /// Never used to send: the thread ends when this is dropped.
    owner: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl PartitionWatch {
    /// Starts the watch. The pipeline is stopped if a topic is no longer as planned.
    pub fn start(sources: Sources, settings: &PipelineSettings, stop: &Arc<Stop>) -> Result<Self> {
        let every = Duration::from_secs(settings.partition_check_seconds);
        let (owner, ended) = bounded(0);
        let stop = Arc::clone(stop);
        let thread = std::thread::Builder::new()
            .name("watch partitions".to_owned())
            .spawn(move || watch(&sources, &ended, every, &stop))
            .context("cannot start a thread")?;
        Ok(Self { owner: Some(owner), thread: Some(thread) })
    }
}

impl Drop for PartitionWatch {
    fn drop(&mut self) {
        drop(self.owner.take());
        if let Some(thread) = self.thread.take() {
            // Its failures are in `stop` already.
            let _ = thread.join();
        }
    }
}

fn watch(sources: &Sources, ended: &Receiver<()>, every: Duration, stop: &Stop) {
    let mut was_missing = false;
    while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        match look(sources) {
            Look::AsPlanned => was_missing = false,
            Look::Changed(what) => return stop.fail(what),
            // A broker that has just started may not know its topics yet.
            Look::Missing(_) if !was_missing => was_missing = true,
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

fn look(sources: &Sources) -> Look {
    for (topic, planned) in &sources.partitions {
        match sources.kafka.partitions(topic) {
            Ok(found) if found == *planned => {}
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
