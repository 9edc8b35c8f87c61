//! Reads topics, offsets and committed records from Kafka.

use crate::error::VerificationError;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{Message, Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{Damage, KafkaError, KafkaSettings, OffsetRange, TopicAdmin};

pub const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// How long to wait for a record that must come: longer than a broker keeps the transaction of a crashed
/// publisher open.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(50);

/// A committed record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommittedRecord {
    /// Where it stands.
    pub partition: i32,
    pub offset: i64,
    /// The record's timestamp, ms since 1970, if it has one.
    pub time: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: BTreeMap<String, Vec<u8>>,
}

/// Offsets by partition.
pub type Ranges = BTreeMap<u16, OffsetRange>;

/// Clients that only read. They write nothing and join no group.
pub struct Brokers {
    settings: KafkaSettings,
    topics: TopicAdmin,
}

impl Brokers {
    /// Connects by requesting `topic`, which need not exist. Also returns the number of brokers.
    ///
    /// # Errors
    /// The settings are refused, or no broker answers.
    pub fn connect(settings: &KafkaSettings, topic: &str) -> Result<(Self, usize), VerificationError> {
        let consumer: BaseConsumer = settings.client_config()?.create().map_err(KafkaError::Client)?;
        // To ask for no topic is to ask for all.
        let metadata = consumer
            .fetch_metadata(Some(topic), REQUEST_WITHIN)
            .map_err(|cause| unavailable(format!("asking {}", settings.brokers.join(",")), cause))?;
        let brokers = metadata.brokers().len();
        let topics = TopicAdmin::connect(settings)?;
        Ok((Self { settings: settings.clone(), topics }, brokers))
    }

    pub fn topics(&self) -> &TopicAdmin {
        &self.topics
    }

    /// The offsets of all partitions, as consumers with `read_committed` see them.
    ///
    /// # Errors
    /// Errors of Kafka; the topic does not exist.
    pub fn ranges(&self, topic: &str) -> Result<Ranges, VerificationError> {
        let partitions = 0..self.topics.partitions(topic)?;
        partitions.map(|partition| Ok((partition, self.topics.offsets(topic, partition)?))).collect()
    }

    /// The offsets of all partitions, records of open transactions included; `None` where there is no such
    /// topic.
    pub fn written(&self, topic: &str) -> Result<Option<Ranges>, VerificationError> {
        let partitions = match self.topics.partitions(topic) {
            Err(KafkaError::MissingTopic(_)) => return Ok(None),
            partitions => 0..partitions?,
        };
        let mut settings = self.settings.client_config()?;
        let consumer: BaseConsumer =
            settings.set("isolation.level", "read_uncommitted").create().map_err(KafkaError::Client)?;
        let range = |partition: u16| -> Result<(u16, OffsetRange), VerificationError> {
            let (earliest, latest) =
                consumer
                    .fetch_watermarks(topic, i32::from(partition), REQUEST_WITHIN)
                    .map_err(|cause| unavailable(format!("asking for the offsets of {topic}"), cause))?;
            let range = OffsetRange { earliest: u64::try_from(earliest)?, latest: u64::try_from(latest)? };
            Ok((partition, range))
        };
        partitions.map(range).collect::<Result<_, _>>().map(Some)
    }

    /// Calls `each` with all committed records before `ends`, in order for each partition.
    ///
    /// # Errors
    /// Kafka's, and those of `each`; where a transaction is not decided in time.
    pub fn read(
        &self,
        topic: &str,
        ends: &Ranges,
        mut each: impl FnMut(CommittedRecord) -> Result<(), VerificationError>,
    ) -> Result<(), VerificationError> {
        self.wait_until_decided(topic, ends)?;
        let open = ends.iter().filter(|(_, range)| range.latest > range.earliest);
        let mut open: BTreeSet<i32> = open.map(|(partition, _)| i32::from(*partition)).collect();
        let consumer = self.consumer()?;
        assign(&consumer, topic, open.iter().map(|partition| (*partition, Offset::Beginning)))?;
        while !open.is_empty() {
            match poll(&consumer, topic)? {
                Polled::Record(message) => {
                    let partition = u16::try_from(message.partition())?;
                    let end = ends.get(&partition).map_or(0, |range| range.latest);
                    if u64::try_from(message.offset())? >= end {
                        open.remove(&message.partition());
                    } else {
                        each(committed_record(&message))?;
                    }
                }
                Polled::End(partition) => {
                    open.remove(&partition);
                }
                Polled::Unreadable(error) => {
                    return Err(unavailable(format!("reading {topic}"), error).into());
                }
            }
        }
        Ok(())
    }

    /// The offset of the first committed record from `offset` on, if there is one that can be read: nobody has read
    /// another.
    pub fn first_from(
        &self,
        topic: &str,
        partition: u16,
        offset: u64,
    ) -> Result<Option<u64>, VerificationError> {
        let consumer = self.consumer()?;
        assign(&consumer, topic, [(i32::from(partition), Offset::Offset(i64::try_from(offset)?))])?;
        match poll(&consumer, topic)? {
            Polled::Record(message) => Ok(Some(u64::try_from(message.offset())?)),
            Polled::End(_) | Polled::Unreadable(_) => Ok(None),
        }
    }

    fn consumer(&self) -> Result<BaseConsumer, VerificationError> {
        let mut settings = self.settings.client_config()?;
        settings
            // Required to assign partitions; no group is joined.
            .set("group.id", "streamflow-verify")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            // What is damaged is no record.
            .set("check.crcs", "true")
            // Markers of transactions have offsets and are no records: only this tells that the end is
            // reached.
            .set("enable.partition.eof", "true")
            // What has been deleted at the beginning meanwhile is not missed.
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "10");
        Ok(settings.create().map_err(KafkaError::Client)?)
    }

    /// Waits until the last stable offset has passed what was written, because the reader would stop too
    /// early before that.
    fn wait_until_decided(&self, topic: &str, ends: &Ranges) -> Result<(), VerificationError> {
        let begun = Instant::now();
        for (partition, range) in ends {
            while self.topics.offsets(topic, *partition)?.latest < range.latest {
                if begun.elapsed() > PATIENCE {
                    return Err(unavailable(
                        format!("waiting for the transaction that is open on {topic} partition {partition}"),
                        TIMED_OUT,
                    )
                    .into());
                }
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }
}

const TIMED_OUT: ClientError = ClientError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);

fn unavailable(doing: String, cause: ClientError) -> KafkaError {
    KafkaError::Unavailable { doing, cause }
}

enum Polled<'a> {
    Record(BorrowedMessage<'a>),
    /// The end offset of a partition.
    End(i32),
    /// Records that cannot be read.
    Unreadable(ClientError),
}

fn assign(
    consumer: &BaseConsumer,
    topic: &str,
    partitions: impl IntoIterator<Item = (i32, Offset)>,
) -> Result<(), VerificationError> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in partitions {
        list.add_partition_offset(topic, partition, offset).map_err(KafkaError::Client)?;
    }
    Ok(consumer.assign(&list).map_err(KafkaError::Client)?)
}

/// The next event of the client, which recovers from interruptions by itself.
fn poll<'a>(consumer: &'a BaseConsumer, topic: &str) -> Result<Polled<'a>, VerificationError> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match consumer.poll(PAUSE) {
            Some(Ok(message)) => return Ok(Polled::Record(message)),
            Some(Err(ClientError::PartitionEOF(partition))) => return Ok(Polled::End(partition)),
            Some(Err(error)) if Damage::of(&error).is_some() => return Ok(Polled::Unreadable(error)),
            Some(Err(error)) if is_final(&error) => {
                return Err(unavailable(format!("reading {topic}"), error).into());
            }
            Some(Err(_)) | None => {}
        }
    }
    Err(unavailable(format!("reading {topic}"), TIMED_OUT).into())
}

fn is_final(error: &ClientError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::UnknownTopicOrPartition
                | Code::UnknownTopic
                | Code::UnknownPartition
                | Code::TopicAuthorizationFailed
                | Code::Authentication
        )
    )
}

fn committed_record(message: &BorrowedMessage<'_>) -> CommittedRecord {
    let headers = message.headers().map(|headers| {
        let owned = |header: rdkafka::message::Header<'_, &[u8]>| {
            (header.key.to_owned(), header.value.unwrap_or_default().to_vec())
        };
        headers.iter().map(owned).collect()
    });
    CommittedRecord {
        partition: message.partition(),
        offset: message.offset(),
        time: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}
