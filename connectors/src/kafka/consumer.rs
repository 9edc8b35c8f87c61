//! The client that reads the assigned partitions of one topic.

use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::assignment::Assignment;
use super::client::{Logging, Reporting};
use super::error::KafkaError;
use super::progress::SourceProgress;
use super::settings::{KafkaSettings, SourceSettings};
use crate::source::SourceError;

/// A consumer that has begun to fetch `partitions`, which are all of `topic`.
pub(super) fn assigned(
    settings: &KafkaSettings,
    topic: &str,
    partitions: &[&Assignment],
    progress: &Arc<SourceProgress>,
) -> Result<BaseConsumer<Reporting>, SourceError> {
    let mut config = settings.client_config().map_err(|error| SourceError::Client(error.to_string()))?;
    configure(&mut config, &settings.source);
    let consumer: BaseConsumer<Reporting> = config
        .create_with_context(Reporting::new(topic, progress))
        .map_err(|error| SourceError::Client(error.to_string()))?;
    let list = partition_list(topic, partitions)?;
    consumer.assign(&list).map_err(|error| SourceError::Client(error.to_string()))?;
    Ok(consumer)
}

/// A client that is still to be told what to read, to look something up: what the isolation level `isolation` lets
/// it see.
pub(super) fn unassigned(
    settings: &KafkaSettings,
    isolation: &str,
) -> Result<BaseConsumer<Logging>, KafkaError> {
    let mut config = settings.client_config()?;
    config
        // Required to assign a partition; no group is joined.
        .set("group.id", &settings.client_id)
        .set("enable.auto.commit", "false")
        .set("isolation.level", isolation)
        // Markers of transactions have offsets and are no records: only this event shows that the end is
        // reached.
        .set("enable.partition.eof", "true")
        // A fetch that finds nothing more reports the end: do not let it wait for more.
        .set("fetch.wait.max.ms", "10")
        // What is damaged tells nothing.
        .set("check.crcs", "true")
        // What has been deleted at the beginning meanwhile was not the newest.
        .set("auto.offset.reset", "earliest");
    config.create_with_context(Logging::default()).map_err(KafkaError::Client)
}

fn configure(config: &mut ClientConfig, settings: &SourceSettings) {
    config
        // Required to assign partitions, though no group is ever joined and nothing is committed under this
        // name.
        .set("group.id", "streamflow")
        // Offsets are kept in PostgreSQL, in the transaction of what they led to; a second copy could only
        // differ.
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // An offset that is gone (retention, a recreated topic) is an error: jumping to another would
        // silently lose or repeat records.
        .set("auto.offset.reset", "error")
        // Records of aborted transactions never happened.
        .set("isolation.level", "read_committed")
        // An idle partition's time follows the clock, so the end of the partition must be known.
        .set("enable.partition.eof", "true")
        // A record damaged on the way must not become an event.
        .set("check.crcs", "true")
        // A broker answers as soon as there is a byte; only when there is none does it hold the fetch for
        // this long: short enough, because a partition that becomes ready to be fetched waits for the fetch
        // under way to come back, and long enough not to keep idle brokers busy.
        .set("fetch.min.bytes", "1")
        .set("fetch.wait.max.ms", settings.fetch_wait_ms.to_string())
        // Bounds memory when the worker is slower than Kafka...
        .set("queued.max.messages.kbytes", settings.prefetch_kib.to_string())
        // ...and looks again soon after that bound has been hit: the default of 1 s lets the queue run dry.
        .set("fetch.queue.backoff.ms", "2")
        // After a change of leader, go on at once rather than after half a second.
        .set("fetch.error.backoff.ms", "100")
        // How long a topic may be unknown to a broker that has just started before that is taken for the
        // truth.
        .set("topic.metadata.propagation.max.ms", "10000")
        // While PostgreSQL is away nothing is polled, perhaps for long; that is no reason to give up.
        .set("max.poll.interval.ms", "86400000")
        // The only cheap way to the partitions' ends; often enough for metrics.
        .set("statistics.interval.ms", "2000");
}

fn partition_list(topic: &str, partitions: &[&Assignment]) -> Result<TopicPartitionList, SourceError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for assignment in partitions {
        let number = i32::from(assignment.partition.partition());
        if list.find_partition(topic, number).is_some() {
            return Err(SourceError::Client(format!("topic {topic} partition {number} is assigned twice")));
        }
        let start = i64::try_from(assignment.start).unwrap_or(i64::MAX);
        list.add_partition_offset(topic, number, Offset::Offset(start))
            .map_err(|error| SourceError::Client(format!("topic {topic} partition {number}: {error}")))?;
    }
    Ok(list)
}
