//! Passing offsets whose records cannot be read.

use crate::config::Config;
use crate::database::take_free_lease;
use anyhow::{Result, bail};
use postgres::Client;
use std::fmt;
use std::time::Duration;
use streamflow_connectors::kafka::{OffsetRange, RecordPlace, TopicAdmin, records_from};
use streamflow_medallion::{Gap, Progress};

const RECORD_WITHIN: Duration = Duration::from_secs(10);

/// What would be passed, and what comes then.
pub struct Leap {
    gap: Gap,
    /// The first record behind the gap; `None` where there is none that can be read.
    next: Option<RecordPlace>,
}

impl Leap {
    /// From where reading stands to the offset `to`.
    ///
    /// # Errors
    /// No such topic, partition or offset; errors of Kafka and PostgreSQL.
    pub fn plan(config: &Config, client: &mut Client, topic: &str, partition: u16, to: u64) -> Result<Self> {
        let topics: Vec<String> = config.topics.roles().into_iter().map(|(topic, _)| topic).collect();
        if !topics.iter().any(|read| read == topic) {
            bail!("--topic: `{topic}` is not read; {} are", topics.join(", "));
        }
        let kafka = TopicAdmin::connect(&config.kafka)?;
        let partitions = kafka.partitions(topic)?;
        if partition >= partitions {
            bail!("--partition: {partition} is not allowed, topic {topic} has {partitions} from 0 on");
        }
        let OffsetRange { earliest, latest } = kafka.offsets(topic, partition)?;
        let from = Progress::read(client)?.next_offset(topic, partition).unwrap_or(earliest);
        if to <= from || to > latest {
            bail!(
                "--to: {to} is not allowed, only after {from}, where reading stands, up to the end at {latest}"
            );
        }
        let next = records_from(&config.kafka, topic, &[(partition, to)], RECORD_WITHIN).ok();
        let next = next.and_then(|found| found.get(&partition).copied());
        Ok(Self { gap: Gap { topic: topic.to_owned(), partition, from, to }, next })
    }

    /// Lets reading go on behind the gap, and keeps it in the books.
    ///
    /// # Errors
    /// A pipeline runs; errors of PostgreSQL.
    pub fn make(&self, config: &Config, client: &mut Client) -> Result<()> {
        let mut progress = take_free_lease(client, config.time_zone)?;
        let next = progress.next_offset(&self.gap.topic, self.gap.partition);
        if next.is_some_and(|next| next != self.gap.from) {
            bail!("reading has gone on meanwhile: nothing is skipped");
        }
        Ok(progress.skip(client, &self.gap)?)
    }
}

impl fmt::Display for Leap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Gap { topic, partition, from, to } = &self.gap;
        write!(f, "{} offsets of topic {topic}, partition {partition}: {from} to {}; ", to - from, to - 1)?;
        match self.next {
            Some(next) => write!(f, "the next record is at {}", next.offset),
            None => write!(f, "from {to} on there is no record that can be read"),
        }
    }
}
