//! The time of a partition's first record.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::consumer;
use super::error::KafkaError;
use super::settings::KafkaSettings;

const PAUSE: Duration = Duration::from_millis(20);

/// The time of the first record that a partition still has, ms since 1970; `None` where it has none. Records of
/// transactions that are open or aborted count: later ones are not before them. Takes at most about `within`.
///
/// # Errors
/// [`KafkaError::Unavailable`] also where it takes too long; [`KafkaError::Settings`], [`KafkaError::Client`].
pub fn first_record_time(
    settings: &KafkaSettings,
    topic: &str,
    partition: u16,
    within: Duration,
) -> Result<Option<i64>, KafkaError> {
    let consumer = consumer::unassigned(settings, "read_uncommitted")?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, i32::from(partition), Offset::Beginning)
        .and_then(|()| consumer.assign(&list))
        .map_err(KafkaError::Client)?;
    let deadline = Instant::now() + within;
    loop {
        match consumer.poll(PAUSE) {
            Some(Ok(record)) => return Ok(record.timestamp().to_millis()),
            Some(Err(ClientError::PartitionEOF(_))) => return Ok(None),
            // The client tries again by itself.
            Some(Err(_)) | None if Instant::now() < deadline => {}
            outcome => {
                let timed_out = ClientError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
                let cause = outcome.and_then(Result::err).unwrap_or(timed_out);
                let doing = format!("reading the first record of {topic} partition {partition}");
                return Err(KafkaError::Unavailable { doing, cause });
            }
        }
    }
}
