//! The plan: topics, their partitions, and which worker reads which.

use crate::cluster::ProcessIndex;
use crate::config::{Config, PipelineSettings};
use crate::rules::require_order;
use anyhow::{Context, Result, bail};
use postgres::Client;
use std::sync::Arc;
use streamflow_connectors::kafka::{Assignment, KafkaError, KafkaSettings, OffsetRange, TopicAdmin};
use streamflow_connectors::postgres::PostgresSettings;
use streamflow_dataflow::controls::ControlChange;
use streamflow_dataflow::dimensions::Role;
use streamflow_dataflow::resume::Resume;
use streamflow_dataflow::rules::{RuleSet, RulesChange, SetName, Version};
use streamflow_dataflow::settings::Settings;
use streamflow_medallion::{Progress, hydration};
use streamflow_model::PartitionId;

pub struct Sources {
    pub kafka: TopicAdmin,
    /// The number of partitions by topic index.
    pub partitions: Vec<(String, u16)>,
}

impl Sources {
    /// Asks Kafka for all topics, which must exist; that of the rules is created.
    pub fn ask(config: &Config) -> Result<Self> {
        let kafka = TopicAdmin::connect(&config.kafka)?;
        let mut partitions = Vec::new();
        for (topic, role) in config.topics.roles() {
            let count = match kafka.partitions(&topic) {
                Err(KafkaError::MissingTopic(_)) if role == Role::Rules => {
                    kafka.create_missing(&[config.topics.rules_topic()])?;
                    1
                }
                count => count?,
            };
            if role.holds_watermark() && config.pipeline.require_log_append_time {
                kafka.require_log_append_time(&topic)?;
            }
            if role == Role::Rules {
                require_order(&topic, count)?;
            }
            partitions.push((topic, count));
        }
        Ok(Self { kafka, partitions })
    }
}

pub struct Plan {
    /// The settings on which results depend.
    pub settings: Settings,
    pub pipeline: PipelineSettings,
    pub kafka: KafkaSettings,
    pub postgres: PostgresSettings,
    /// Whether metrics or the status page need the operators' activity.
    pub observed: bool,
    /// All topics and their kinds, by index.
    pub topics: Vec<(String, Role)>,
    pub names: Arc<streamflow_medallion::Topics>,
    /// The progress row of the database.
    pub progress: Progress,
    /// The state that the graph restores.
    pub resume: Resume,
    /// Which of the processes this is.
    pub process: ProcessIndex,
    /// What the configuration changes of the rules that the database knows.
    pub rules_change: Option<RulesChange>,
    /// All partitions with the offsets at which reading begins.
    assignments: Vec<Assignment>,
}

impl Plan {
    /// Plans to read `sources` from the offsets of `progress`, whose lease was just taken. All processes make
    /// the same plan.
    pub fn make(
        config: &Config,
        client: &mut Client,
        progress: Progress,
        sources: &Sources,
        process: ProcessIndex,
    ) -> Result<Self> {
        let settings = config.graph_settings();
        let topics = config.topics.roles();
        let names = Arc::new(streamflow_medallion::Topics::new(topics.iter().map(|(name, _)| name.clone())));
        let resume = hydration::resume(client, &progress, &names, settings.correction_horizon)?;
        let mut assignments = Vec::new();
        for (number, (topic, partitions)) in sources.partitions.iter().enumerate() {
            for partition in 0..*partitions {
                let id = PartitionId::new(u16::try_from(number)?, partition);
                let id = id.with_context(|| {
                    format!(
                        "topic {topic}: more than {} partitions are not supported",
                        PartitionId::PARTITIONS
                    )
                })?;
                let stored = progress.next_offset(topic, partition);
                let start = start(topic, partition, stored, &sources.kafka.offsets(topic, partition)?)?;
                let waits = topics.get(number).is_some_and(|(_, role)| *role == Role::Transactions);
                let ahead = waits.then_some(i64::from(config.pipeline.alignment_seconds) * 1000);
                assignments.push(Assignment { topic: topic.clone(), partition: id, start, ahead });
            }
        }
        if assignments.is_empty() {
            bail!("the topics have no partitions");
        }
        Ok(Self {
            settings,
            pipeline: config.pipeline.clone(),
            kafka: config.kafka.clone(),
            postgres: config.postgres.clone(),
            observed: config.metrics.address().is_some(),
            topics,
            names,
            rules_change: rules_change(config, &resume),
            progress,
            process,
            resume,
            assignments,
        })
    }

    /// The kind of a partition's topic.
    pub fn role(&self, partition: PartitionId) -> Role {
        self.topics.get(usize::from(partition.topic())).map_or(Role::Transactions, |(_, role)| *role)
    }

    /// The partitions of one of `peers` workers, assigned round-robin.
    pub fn assignments(&self, index: usize, peers: usize) -> Vec<Assignment> {
        self.assignments.iter().skip(index).step_by(peers).cloned().collect()
    }
}

/// The offset at which to continue. If Kafka no longer has it, records would be lost: the operator has to
/// decide.
fn start(topic: &str, partition: u16, stored: Option<u64>, offsets: &OffsetRange) -> Result<u64> {
    let OffsetRange { earliest, latest } = *offsets;
    match stored {
        None => Ok(earliest),
        Some(stored) if stored < earliest => bail!(
            "topic {topic}, partition {partition}: read up to offset {stored}, but Kafka has deleted what lies before \
             {earliest}: {} events are lost; see the runbook, \"Offsets that Kafka no longer has\"",
            earliest - stored
        ),
        Some(stored) if stored > latest => bail!(
            "topic {topic}, partition {partition}: read up to offset {stored}, but it ends at {latest}: it was deleted \
             and created anew, or Kafka lost data; see the runbook, \"Offsets that Kafka no longer has\""
        ),
        Some(stored) => Ok(stored),
    }
}

/// What the configuration changes of the rules. The first ones apply to all transactions, later ones to those
/// that are not final, like a change of the blacklist. Once a set has been put, the configuration's rules are
/// only the first version.
fn rules_change(config: &Config, resume: &Resume) -> Option<RulesChange> {
    let known = resume.controls.iter().rev().find_map(|change| match change {
        ControlChange::Rules(change) if change.set == SetName::Live => Some(&change.version),
        _ => None,
    });
    let rules = RuleSet::from(config.rules.clone());
    let applies_from = match known {
        None => i64::MIN,
        Some(known) if known.rules == rules => return None,
        Some(known) if known.author != Version::CONFIGURATION => {
            tracing::info!(
                "the rules in force are those that {} has put, not those of the configuration",
                known.author
            );
            return None;
        }
        Some(_) => {
            tracing::info!("the rules have changed: what lies within the horizon is evaluated again");
            resume.settled(&config.graph_settings())
        }
    };
    Some(RulesChange { set: SetName::Live, applies_from, version: Version::configured(rules) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamflow_dataflow::rules::document;

    #[test]
    fn reading_goes_on_only_where_nothing_is_missing() {
        let offsets = OffsetRange { earliest: 10, latest: 20 };
        for (stored, expected) in [(None, Some(10)), (Some(10), Some(10)), (Some(20), Some(20))] {
            assert_eq!(start("t", 0, stored, &offsets).ok(), expected);
        }
        let lost = start("t", 3, Some(4), &offsets).unwrap_err().to_string();
        assert!(lost.contains("partition 3") && lost.contains("6 events are lost"), "{lost}");
        let recreated = start("t", 0, Some(21), &offsets).unwrap_err().to_string();
        assert!(recreated.contains("created anew"), "{recreated}");
    }

    #[test]
    fn only_other_rules_are_a_change() {
        let mut config = Config::default();
        let first = rules_change(&config, &Resume::default()).unwrap();
        assert_eq!(first.applies_from, i64::MIN);
        let watermark = 10_000_000_000;
        let resume =
            Resume { watermark, controls: vec![ControlChange::Rules(first.clone())], ..Resume::default() };
        assert_eq!(rules_change(&config, &resume), None);
        // As the database has it.
        let stored = document::write(&Version::configured(config.rules.clone().into()), None).to_string();
        let version = document::parse(stored.as_bytes()).unwrap();
        let stored = RulesChange { set: SetName::Live, applies_from: i64::MIN, version };
        let shadow = RulesChange { set: SetName::from_key("shadow:night").unwrap(), ..first };
        let controls = vec![ControlChange::Rules(stored), ControlChange::Rules(shadow)];
        assert_eq!(rules_change(&config, &Resume { controls, ..Resume::default() }), None);
        config.rules.velocity.limit += 1;
        let change = rules_change(&config, &resume).unwrap();
        assert_eq!(change.applies_from, watermark - 3_600_000_000);
        assert_eq!(change.version.rules, RuleSet::from(config.rules.clone()));
        let put = Version { author: "ana".to_owned(), ..change.version };
        let put = ControlChange::Rules(RulesChange { version: put, ..change });
        let resume = Resume { watermark, controls: vec![put], ..Resume::default() };
        config.rules.velocity.limit += 1;
        assert_eq!(rules_change(&config, &resume), None);
    }
}
