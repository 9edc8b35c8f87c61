//! Topics: which partitions and offsets there are, whose clock stamps the records, and creating what is
//! missing.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::thread;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode};
use serde::Deserialize;

use super::diagnosis::{Diagnosing, Diagnosis};
use super::error::KafkaError;
use super::settings::KafkaSettings;

const REQUEST_WITHIN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(1);
/// Together about half a minute, long enough for a broker that restarts.
const ATTEMPTS: u32 = 6;
/// A client reports events one by one, with each poll; so many polls suffice for the events of a few failed
/// connections.
const POLLS: u32 = 100;
/// Together ten seconds.
const KNOWN_CHECKS: u32 = 100;
const KNOWN_PAUSE: Duration = Duration::from_millis(100);

/// Whose clock a topic's records carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's.
    LogAppendTime,
}

/// The offsets of one partition, `earliest..latest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRange {
    /// The first record there is.
    pub earliest: u64,
    /// One past the last record there is.
    pub latest: u64,
}

/// A topic to be created where it is missing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicSettings {
    /// Its name.
    pub name: String,
    /// Number of partitions.
    pub partitions: u16,
    /// Copies of each record; -1 for the brokers' default.
    #[serde(default = "brokers_default")]
    pub replication: i32,
    /// Kafka's topic configuration, such as `cleanup.policy: compact`.
    #[serde(default)]
    pub configs: BTreeMap<String, String>,
}

fn brokers_default() -> i32 {
    -1
}

/// Describes topics and creates them. Every request is tried for about half a minute.
pub struct TopicAdmin {
    consumer: BaseConsumer<Diagnosing>,
    admin: AdminClient<Diagnosing>,
    diagnosing: Diagnosing,
}

impl TopicAdmin {
    /// Creates the client without connecting.
    ///
    /// # Errors
    /// [`KafkaError::Settings`], [`KafkaError::Client`].
    pub fn connect(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        let mut config = settings.client_config()?;
        // A broker that closes the connection at once expects another protocol.
        config.set("log.connection.close", "true").set_log_level(RDKafkaLogLevel::Info);
        let diagnosing = Diagnosing::default();
        Ok(Self {
            consumer: config.create_with_context(diagnosing.clone()).map_err(KafkaError::creating)?,
            admin: config.create_with_context(diagnosing.clone()).map_err(KafkaError::creating)?,
            diagnosing,
        })
    }

    /// The number of partitions of `topic`, which are 0 to that.
    ///
    /// # Errors
    /// [`KafkaError::MissingTopic`], [`KafkaError::Refused`], [`KafkaError::Unavailable`].
    pub fn partitions(&self, topic: &str) -> Result<u16, KafkaError> {
        let doing = format!("listing the partitions of {topic}");
        self.retry(&doing, || {
            let metadata = self.consumer.fetch_metadata(Some(topic), REQUEST_WITHIN)?;
            let found = metadata.topics().iter().find(|found| found.name() == topic);
            let Some(found) = found else { return Ok(Err(KafkaError::MissingTopic(topic.to_owned()))) };
            match found.error().map(RDKafkaErrorCode::from) {
                Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                    Ok(Err(KafkaError::MissingTopic(topic.to_owned())))
                }
                // A leader is being elected.
                Some(code @ RDKafkaErrorCode::LeaderNotAvailable) => Err(ClientError::MetadataFetch(code)),
                Some(code) => Ok(Err(refused(&doing, code))),
                None => Ok(u16::try_from(found.partitions().len())
                    .map_err(|_| refused(&doing, "more than 65,535 partitions"))),
            }
        })?
    }

    /// The offsets of one partition.
    ///
    /// # Errors
    /// [`KafkaError::Unavailable`], also where there is no such partition.
    pub fn offsets(&self, topic: &str, partition: u16) -> Result<OffsetRange, KafkaError> {
        let doing = format!("asking for the offsets of {topic} partition {partition}");
        let (earliest, latest) = self
            .retry(&doing, || self.consumer.fetch_watermarks(topic, i32::from(partition), REQUEST_WITHIN))?;
        let offset = |raw: i64| u64::try_from(raw).map_err(|_| refused(&doing, "a negative offset"));
        Ok(OffsetRange { earliest: offset(earliest)?, latest: offset(latest)? })
    }

    /// Whose clock stamps the records of `topic`. The embedded broker does not support it.
    ///
    /// # Errors
    /// [`KafkaError::MissingTopic`], [`KafkaError::Refused`], [`KafkaError::Unavailable`].
    pub fn timestamp_type(&self, topic: &str) -> Result<TimestampType, KafkaError> {
        match self.configuration(topic, "message.timestamp.type")?.as_str() {
            "LogAppendTime" => Ok(TimestampType::LogAppendTime),
            "CreateTime" => Ok(TimestampType::CreateTime),
            other => Err(refused(&asking(topic), format!("message.timestamp.type is {other}"))),
        }
    }

    /// Whether `topic` keeps the latest record of each key for ever. The embedded broker does not support it.
    ///
    /// # Errors
    /// As [`TopicAdmin::timestamp_type`].
    pub fn is_compacted(&self, topic: &str) -> Result<bool, KafkaError> {
        let policies = self.configuration(topic, "cleanup.policy")?;
        Ok(policies.split(',').any(|policy| policy.trim() == "compact"))
    }

    fn configuration(&self, topic: &str, key: &str) -> Result<String, KafkaError> {
        let doing = asking(topic);
        let asked = ResourceSpecifier::Topic(topic);
        let answers = self
            .retry(&doing, || pollster::block_on(self.admin.describe_configs([&asked], &admin_options())))?;
        let answer = answers.into_iter().next().ok_or_else(|| refused(&doing, "no answer"))?;
        let config = answer.map_err(|code| match code {
            RDKafkaErrorCode::UnknownTopicOrPartition => KafkaError::MissingTopic(topic.to_owned()),
            code => refused(&doing, code),
        })?;
        let value = config.get(key).and_then(|entry| entry.value.clone());
        let Some(value) = value else {
            // The client library hides why a broker returns nothing.
            self.partitions(topic)?;
            return Err(refused(&doing, "this client may lack the right to describe configurations"));
        };
        Ok(value)
    }

    /// Makes sure that the broker's clock stamps the records of `topic`, on which partition times depend.
    ///
    /// # Errors
    /// [`KafkaError::NotLogAppendTime`], and those of [`TopicAdmin::timestamp_type`].
    pub fn require_log_append_time(&self, topic: &str) -> Result<(), KafkaError> {
        match self.timestamp_type(topic)? {
            TimestampType::LogAppendTime => Ok(()),
            TimestampType::CreateTime => Err(KafkaError::NotLogAppendTime(topic.to_owned())),
        }
    }

    /// Creates those topics that do not exist and gives their names; the others stay as they are.
    ///
    /// # Errors
    /// [`KafkaError::Refused`], [`KafkaError::Unavailable`].
    pub fn create_missing(&self, topics: &[TopicSettings]) -> Result<Vec<String>, KafkaError> {
        let wanted: Vec<NewTopic<'_>> = topics.iter().map(TopicSettings::to_new_topic).collect();
        let results = self.retry("creating topics", || {
            pollster::block_on(self.admin.create_topics(&wanted, &admin_options()))
        })?;
        let mut created = Vec::new();
        for result in results {
            match result {
                Ok(name) => created.push(name),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => return Err(refused(&format!("creating topic {name}"), code)),
            }
        }
        for name in &created {
            self.wait_until_known(name)?;
        }
        Ok(created)
    }

    /// Deletes topics; those that do not exist are none.
    ///
    /// # Errors
    /// [`KafkaError::Refused`], [`KafkaError::Unavailable`].
    pub fn delete(&self, topics: &[String]) -> Result<(), KafkaError> {
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let results = self.retry("deleting topics", || {
            pollster::block_on(self.admin.delete_topics(&names, &admin_options()))
        })?;
        for result in results {
            match result {
                Ok(_)
                | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)) => {}
                Err((name, code)) => return Err(refused(&format!("deleting topic {name}"), code)),
            }
        }
        Ok(())
    }

    /// A broker learns of a new topic a little after it has been created.
    fn wait_until_known(&self, topic: &str) -> Result<(), KafkaError> {
        for _ in 0..KNOWN_CHECKS {
            match self.partitions(topic) {
                Err(KafkaError::MissingTopic(_)) => thread::sleep(KNOWN_PAUSE),
                known => return known.map(drop),
            }
        }
        Err(KafkaError::MissingTopic(topic.to_owned()))
    }

    /// Whether brokers do anything else but keep this client out.
    fn let_in(&self, attempt: u32) -> Result<(), KafkaError> {
        for _ in 0..POLLS {
            // Gives nothing where it was a line for the log.
            let _ = self.consumer.poll(Duration::ZERO);
        }
        match self.diagnosing.last() {
            Some(Diagnosis { settings, problem, is_certain }) if is_certain || attempt > 1 => {
                Err(KafkaError::Unfit { settings, problem })
            }
            _ => Ok(()),
        }
    }

    fn retry<T>(&self, doing: &str, request: impl Fn() -> KafkaResult<T>) -> Result<T, KafkaError> {
        let mut attempt = 1;
        loop {
            match request() {
                Ok(answer) => return Ok(answer),
                Err(cause) if attempt == ATTEMPTS => {
                    self.let_in(attempt)?;
                    return Err(KafkaError::Unavailable { doing: doing.to_owned(), cause });
                }
                Err(cause) => {
                    self.let_in(attempt)?;
                    tracing::warn!(%cause, attempt, of = ATTEMPTS, "no answer from Kafka while {doing}");
                }
            }
            attempt += 1;
            thread::sleep(PAUSE);
        }
    }
}

impl TopicSettings {
    fn to_new_topic(&self) -> NewTopic<'_> {
        let replication = TopicReplication::Fixed(self.replication);
        let topic = NewTopic::new(&self.name, i32::from(self.partitions), replication);
        self.configs.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
    }
}

fn asking(topic: &str) -> String {
    format!("asking for the configuration of {topic}")
}

fn admin_options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST_WITHIN)).operation_timeout(Some(REQUEST_WITHIN))
}

fn refused(doing: &str, cause: impl Display) -> KafkaError {
    KafkaError::Refused { doing: doing.to_owned(), cause: cause.to_string() }
}
