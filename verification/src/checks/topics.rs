//! Checks that each configured topic exists with the settings and partitions that it needs.

use super::Deployment;
use super::brokers::Brokers;
use super::report::{Check, Outcome};
use crate::error::VerificationError;
use std::collections::BTreeMap;
use streamflow_connectors::kafka::{KafkaError, TimestampType};
use streamflow_medallion::Progress;

/// Checks each topic that is read or written. `progress` is the database's progress for those that are read.
pub fn check(
    brokers: &Brokers,
    deployment: &Deployment,
    progress: Option<&Progress>,
) -> Result<Vec<Check>, VerificationError> {
    let mut checks = Vec::new();
    for (topic, role) in &deployment.inputs {
        let timed = role.holds_watermark() && deployment.require_log_append_time;
        let known = progress.and_then(|progress| progress.offsets.get(topic));
        let outcome = match brokers.topics().partitions(topic) {
            Err(KafkaError::MissingTopic(_)) => missing(topic),
            Err(error) => return Err(error.into()),
            Ok(_) if timed && has_producers_clocks(brokers, topic)? => producers_clocks(),
            Ok(partitions) => {
                let records = records(brokers, topic, known)?;
                compare_partitions(partitions, known, &records)
            }
        };
        checks.push(outcome.of(format!("topic {topic}")));
    }
    let Deployment { alerts, metrics, dead_letters, progress, clock, .. } = deployment;
    for topic in [alerts, metrics, dead_letters, progress, clock] {
        let timed = topic == clock && deployment.require_log_append_time;
        let outcome = match brokers.topics().partitions(topic) {
            Err(KafkaError::MissingTopic(_)) => missing(topic),
            Err(error) => return Err(error.into()),
            Ok(_) if timed && has_producers_clocks(brokers, topic)? => producers_clocks(),
            Ok(_) if topic == progress && !brokers.topics().is_compacted(topic)? => Outcome::fail(
                "cleanup.policy is not compact: the publisher's position will be deleted",
                "kafka-configs.sh --alter --add-config cleanup.policy=compact",
            ),
            Ok(partitions) if topic == progress && partitions > 1 => Outcome::fail(
                format!(
                    "{} instead of one: the publisher's position is not found",
                    count(partitions.into(), "partition")
                ),
                "runbook, \"The progress topic has several partitions\"",
            ),
            Ok(partitions) => Outcome::pass(count(partitions.into(), "partition")),
        };
        checks.push(outcome.of(format!("topic {topic}")));
    }
    Ok(checks)
}

fn has_producers_clocks(brokers: &Brokers, topic: &str) -> Result<bool, VerificationError> {
    Ok(brokers.topics().timestamp_type(topic)? == TimestampType::CreateTime)
}

fn producers_clocks() -> Outcome {
    Outcome::fail(
        "message.timestamp.type is CreateTime: records carry the producers' clocks",
        "set LogAppendTime (setup guide, \"Kafka\")",
    )
}

fn missing(topic: &str) -> Outcome {
    let advice = format!(
        "create {topic} or correct `topics`; was it deleted? runbook, \"Offsets that Kafka no longer has\""
    );
    Outcome::fail("does not exist", advice)
}

/// Offset to read next, by partition.
type Offsets = BTreeMap<u16, u64>;

/// Records in the partitions that the database does not know.
fn records(
    brokers: &Brokers,
    topic: &str,
    known: Option<&Offsets>,
) -> Result<BTreeMap<u16, u64>, VerificationError> {
    let unknown = brokers.ranges(topic)?.into_iter();
    let unknown = unknown.filter(|(partition, _)| known.is_none_or(|known| !known.contains_key(partition)));
    Ok(unknown.map(|(partition, range)| (partition, range.latest - range.earliest)).collect())
}

/// A partition is known once a record of it is committed.
fn compare_partitions(partitions: u16, known: Option<&Offsets>, unread: &BTreeMap<u16, u64>) -> Outcome {
    let highest = known.and_then(|known| known.keys().next_back().copied());
    if let Some(highest) = highest.filter(|highest| *highest >= partitions) {
        return Outcome::fail(
            format!("{}, but partition {highest} was read before", count(partitions.into(), "partition")),
            "it was created anew with fewer: runbook, \"Offsets that Kafka no longer has\"",
        );
    }
    let unread: Vec<String> = unread
        .iter()
        .filter(|(_, records)| **records > 0)
        .map(|(partition, records)| format!("partition {partition}: {records} records"))
        .collect();
    if unread.is_empty() {
        return Outcome::pass(count(partitions.into(), "partition"));
    }
    Outcome::warn(
        format!("{} of {} never read", unread.len(), count(partitions.into(), "partition")),
        "partitions that are added are read from the next start of `streamflow run` on",
    )
    .with_details(unread)
}

/// Formats a number with its noun.
fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::report::Grade;

    #[test]
    fn partitions_are_those_that_were_read() {
        let known = Offsets::from([(0, 7), (2, 9)]);
        let grade = |partitions, known, unread: &[(u16, u64)]| {
            compare_partitions(partitions, known, &unread.iter().copied().collect()).grade
        };
        assert_eq!(grade(3, Some(&known), &[(1, 0)]), Grade::Pass);
        assert_eq!(grade(3, Some(&known), &[(1, 4)]), Grade::Warn);
        assert_eq!(grade(2, Some(&known), &[(1, 0)]), Grade::Fail);
        assert_eq!(grade(1, None, &[(0, 0)]), Grade::Pass);
        assert_eq!(grade(1, None, &[(0, 1)]), Grade::Warn);
    }
}
