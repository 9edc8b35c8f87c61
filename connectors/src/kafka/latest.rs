//! The newest record of a key: how a writer that keeps its progress in a compacted topic finds it again.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::client::Logging;
use super::consumer;
use super::error::KafkaError;
use super::settings::KafkaSettings;

const PARTITION: i32 = 0;
/// How far from the end to begin; where the key is not found, further back. Compaction may lie behind for
/// long.
const DISTANCES: [i64; 3] = [1_000, 100_000, i64::MAX];
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// The value of the last committed record of `key` in partition 0 of `topic`; `None` where there is none.
/// Everything that was committed before the call counts: it waits until transactions still open at the end
/// are decided. Takes at most about `within`.
///
/// # Errors
/// [`KafkaError::Unavailable`] also where it takes too long; [`KafkaError::MissingTopic`],
/// [`KafkaError::SeveralPartitions`], [`KafkaError::Refused`], [`KafkaError::Settings`], [`KafkaError::Client`].
pub fn latest_record(
    settings: &KafkaSettings,
    topic: &str,
    key: &[u8],
    within: Duration,
) -> Result<Option<Vec<u8>>, KafkaError> {
    let search = Search { topic, key, deadline: Instant::now() + within };
    // Once the end of what is committed is past the present end of all there is, nothing before that is
    // undecided.
    let end = search.offsets(&consumer::unassigned(settings, "read_uncommitted")?)?.end;
    let reader = consumer::unassigned(settings, "read_committed")?;
    search.check_partitions(&reader)?;
    let mut offsets = search.offsets(&reader)?;
    while offsets.end < end {
        std::thread::sleep(PAUSE);
        search.check_time(|| format!("waiting for the transactions that are open on {topic}"))?;
        offsets = search.offsets(&reader)?;
    }
    for distance in DISTANCES {
        let start = offsets.end.saturating_sub(distance).max(offsets.start);
        let found = search.read(&reader, start)?;
        if found.is_some() || start == offsets.start {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The first offset there is and the one past the last that the reader may see.
struct Offsets {
    start: i64,
    end: i64,
}

struct Search<'a> {
    topic: &'a str,
    key: &'a [u8],
    deadline: Instant,
}

impl Search<'_> {
    /// A record may be in any partition, and its place does not tell whether it is the last one.
    fn check_partitions(&self, consumer: &BaseConsumer<Logging>) -> Result<(), KafkaError> {
        let metadata =
            consumer.fetch_metadata(Some(self.topic), REQUEST_WITHIN).map_err(|cause| self.explain(cause))?;
        let found = metadata.topics().iter().find(|found| found.name() == self.topic);
        match found.map(|found| found.partitions().len()) {
            Some(partitions) if partitions > 1 => {
                Err(KafkaError::SeveralPartitions { topic: self.topic.to_owned(), partitions })
            }
            _ => Ok(()),
        }
    }

    fn offsets(&self, consumer: &BaseConsumer<Logging>) -> Result<Offsets, KafkaError> {
        let (start, end) = consumer
            .fetch_watermarks(self.topic, PARTITION, REQUEST_WITHIN)
            .map_err(|cause| self.explain(cause))?;
        Ok(Offsets { start, end })
    }

    /// The last record of the key from `start` to the end.
    fn read(&self, consumer: &BaseConsumer<Logging>, start: i64) -> Result<Option<Vec<u8>>, KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(self.topic, PARTITION, Offset::Offset(start))
            .and_then(|()| consumer.assign(&list))
            .map_err(KafkaError::Client)?;
        let mut found = None;
        loop {
            match consumer.poll(PAUSE) {
                Some(Ok(record)) if record.key() == Some(self.key) => {
                    found = record.payload().map(<[u8]>::to_vec);
                }
                Some(Err(ClientError::PartitionEOF(PARTITION))) => return Ok(found),
                Some(Err(cause)) => match self.explain(cause) {
                    // The client tries again by itself.
                    KafkaError::Unavailable { .. } => {}
                    error => return Err(error),
                },
                Some(Ok(_)) | None => {}
            }
            self.check_time(|| self.reading())?;
        }
    }

    fn check_time(&self, doing: impl FnOnce() -> String) -> Result<(), KafkaError> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        let cause = ClientError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
        Err(KafkaError::Unavailable { doing: doing(), cause })
    }

    fn reading(&self) -> String {
        format!("reading {}", self.topic)
    }

    fn explain(&self, cause: ClientError) -> KafkaError {
        let doing = self.reading();
        match cause.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition,
            ) => KafkaError::MissingTopic(self.topic.to_owned()),
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                KafkaError::Refused { doing, cause: cause.to_string() }
            }
            _ => KafkaError::Unavailable { doing, cause },
        }
    }
}
