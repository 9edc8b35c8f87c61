//! The first records of partitions, from their beginning or from an offset on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::consumer;
use super::error::KafkaError;
use super::settings::KafkaSettings;
use super::unreadable::Damage;

const PAUSE: Duration = Duration::from_millis(20);

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPlace {
    /// Its offset.
    pub offset: u64,
    /// Its time, ms since 1970, if it has one.
    pub time: Option<i64>,
}

/// The time of the first record that a partition still has, ms since 1970; `None` where it has none, or one that
/// cannot be read. Records of transactions that are open or aborted count: later ones are not before them. Takes at
/// most about `within`.
///
/// # Errors
/// [`KafkaError::Unavailable`] also where it takes too long; [`KafkaError::Settings`], [`KafkaError::Client`].
pub fn first_record_time(
    settings: &KafkaSettings,
    topic: &str,
    partition: u16,
    within: Duration,
) -> Result<Option<i64>, KafkaError> {
    let found = first_records(settings, topic, &[(partition, Offset::Beginning)], within)?;
    Ok(found.get(&partition).and_then(|place| place.time))
}

/// By partition the first record at or after the offset that is named for it; none of those that have none, or one
/// that cannot be read. As [`first_record_time`] in all else.
///
/// # Errors
/// As [`first_record_time`].
pub fn records_from(
    settings: &KafkaSettings,
    topic: &str,
    offsets: &[(u16, u64)],
    within: Duration,
) -> Result<BTreeMap<u16, RecordPlace>, KafkaError> {
    let offset = |offset: u64| Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX));
    let starts: Vec<_> = offsets.iter().map(|(partition, from)| (*partition, offset(*from))).collect();
    first_records(settings, topic, &starts, within)
}

fn first_records(
    settings: &KafkaSettings,
    topic: &str,
    starts: &[(u16, Offset)],
    within: Duration,
) -> Result<BTreeMap<u16, RecordPlace>, KafkaError> {
    let consumer = consumer::unassigned(settings, "read_uncommitted")?;
    let mut list = TopicPartitionList::new();
    for (partition, offset) in starts {
        list.add_partition_offset(topic, i32::from(*partition), *offset).map_err(KafkaError::Client)?;
    }
    consumer.assign(&list).map_err(KafkaError::Client)?;
    let deadline = Instant::now() + within;
    let (mut found, mut ended) = (BTreeMap::new(), BTreeSet::new());
    let number = |partition: i32| u16::try_from(partition).unwrap_or_default();
    while found.len() + ended.len() < starts.len() {
        let outcome = consumer.poll(PAUSE);
        match outcome {
            Some(Ok(record)) => {
                let place = RecordPlace {
                    offset: u64::try_from(record.offset()).unwrap_or_default(),
                    time: record.timestamp().to_millis(),
                };
                found.entry(number(record.partition())).or_insert(place);
            }
            Some(Err(ClientError::PartitionEOF(partition))) => {
                let partition = number(partition);
                if !found.contains_key(&partition) {
                    ended.insert(partition);
                }
            }
            Some(Err(error)) if Damage::of(&error).is_some() => {
                // It does not say of which partition.
                let one_by_one = starts.iter().filter(|_| starts.len() > 1);
                let places = one_by_one.map(|start| first_records(settings, topic, &[*start], within));
                return places
                    .collect::<Result<Vec<_>, _>>()
                    .map(|places| places.into_iter().flatten().collect());
            }
            // The client tries again by itself.
            Some(Err(_)) | None if Instant::now() < deadline => {}
            outcome => {
                let timed_out = ClientError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
                let cause = outcome.and_then(Result::err).unwrap_or(timed_out);
                let doing = format!("reading the first records of {topic}");
                return Err(KafkaError::Unavailable { doing, cause });
            }
        }
    }
    Ok(found)
}
