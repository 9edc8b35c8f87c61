//! Where reading stands: offsets, partition times and the watermark, beside what the brokers say.

mod skip;

pub use skip::Leap;

use crate::config::Config;
use anyhow::{Context, Result, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use postgres::Client;
use serde::Serialize;
use std::fmt;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{BrokerClock, OffsetRange, TopicAdmin};
use streamflow_medallion::{Progress, Skipped};

/// A marker is acknowledged in milliseconds.
const CLOCK_WITHIN: Duration = Duration::from_secs(20);

/// What is committed, and what Kafka has.
#[derive(Debug, Serialize)]
pub struct Standing {
    /// All changes before it are in the tables.
    frontier: Option<DateTime<Utc>>,
    /// The smallest partition time.
    watermark: Option<DateTime<Utc>>,
    brokers_time: DateTime<Utc>,
    /// The watermark is after the brokers' time: every event is too late.
    is_ahead: bool,
    partitions: Vec<PartitionStanding>,
    /// What was passed without being read.
    skipped: Vec<SkippedStanding>,
}

#[derive(Debug, Serialize)]
struct SkippedStanding {
    topic: String,
    partition: u16,
    from: u64,
    to: u64,
    at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize)]
struct PartitionStanding {
    topic: String,
    partition: u16,
    /// The offset to read next; `None` before the first record.
    next: Option<u64>,
    earliest: u64,
    end: u64,
    /// The largest record time read.
    newest: Option<DateTime<Utc>>,
}

impl Standing {
    /// Asks the database and Kafka.
    ///
    /// # Errors
    /// Who cannot be reached, or refuses.
    pub fn look(config: &Config, client: &mut Client) -> Result<Self> {
        let progress = Progress::read(client)?;
        let kafka = TopicAdmin::connect(&config.kafka)?;
        let mut partitions = Vec::new();
        for (topic, _) in config.topics.roles() {
            for partition in 0..kafka.partitions(&topic)? {
                let OffsetRange { earliest, latest } = kafka.offsets(&topic, partition)?;
                let next = progress.next_offset(&topic, partition);
                let newest = progress.reference_times.get(&topic).and_then(|times| times.get(&partition));
                partitions.push(PartitionStanding {
                    topic: topic.clone(),
                    partition,
                    next,
                    earliest,
                    end: latest,
                    newest: newest.and_then(|time| DateTime::from_timestamp_micros(*time)),
                });
            }
        }
        let brokers_time = brokers_time(config)?;
        let watermark = progress.watermark.and_then(DateTime::from_timestamp_micros);
        let frontier = i64::try_from(progress.frontier).ok().filter(|frontier| *frontier > 0);
        Ok(Self {
            frontier: frontier.and_then(DateTime::from_timestamp_millis),
            watermark,
            brokers_time,
            is_ahead: watermark.is_some_and(|watermark| watermark > brokers_time),
            partitions,
            skipped: Skipped::read(client)?.into_iter().map(SkippedStanding::from).collect(),
        })
    }
}

impl From<Skipped> for SkippedStanding {
    fn from(Skipped { gap, at }: Skipped) -> Self {
        let at = DateTime::from_timestamp_micros(at);
        Self { topic: gap.topic, partition: gap.partition, from: gap.from, to: gap.to, at }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.partitions.iter().map(|partition| partition.topic.len()).max().unwrap_or(5);
        writeln!(
            f,
            "{:<width$}  partition          next      earliest           end        behind  newest record",
            "topic"
        )?;
        for PartitionStanding { topic, partition, next, earliest, end, newest } in &self.partitions {
            let behind = end.saturating_sub(next.unwrap_or(*earliest));
            let next = next.map_or_else(|| "-".to_owned(), |next| next.to_string());
            let newest = shown(*newest);
            writeln!(
                f,
                "{topic:<width$}  {partition:>9}  {next:>12}  {earliest:>12}  {end:>12}  {behind:>12}  {newest}"
            )?;
        }
        for SkippedStanding { topic, partition, from, to, at } in &self.skipped {
            let last = to.saturating_sub(1);
            writeln!(
                f,
                "skipped: {topic}, partition {partition}, offsets {from} to {last}, at {}",
                shown(*at)
            )?;
        }
        writeln!(f, "\ncommitted frontier  {}", shown(self.frontier))?;
        writeln!(f, "watermark           {}", shown(self.watermark))?;
        writeln!(f, "brokers' time       {}", shown(Some(self.brokers_time)))?;
        if self.is_ahead {
            writeln!(
                f,
                "\nThe watermark is ahead of the brokers' time: until they have caught up, every event is too late. \
                 See streamflow offsets mend."
            )?;
        }
        Ok(())
    }
}

fn shown(instant: Option<DateTime<Utc>>) -> String {
    instant.map_or_else(|| "-".to_owned(), |instant| instant.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// The time that a broker gives to a marker.
///
/// # Errors
/// That none answers.
pub fn brokers_time(config: &Config) -> Result<DateTime<Utc>> {
    let clock = BrokerClock::start(&config.kafka, &config.topics.clock)?;
    let (read, begun) = (clock.read(), Instant::now());
    loop {
        if let Some(reading) = read().and_then(|reading| i64::try_from(reading).ok()) {
            return DateTime::from_timestamp_millis(reading).context("the brokers' time is out of range");
        }
        if begun.elapsed() > CLOCK_WITHIN {
            bail!(
                "no broker stamps a marker on topic {}: does it exist, with LogAppendTime, and may this user write?",
                config.topics.clock
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sets the watermark back to `to`, and partition times after it; only with `really`. Returns the watermark
/// before; `None` where it was not after `to`.
///
/// # Errors
/// Those of the database.
pub fn set_back(
    config: &Config,
    client: &mut Client,
    to: DateTime<Utc>,
    really: bool,
) -> Result<Option<DateTime<Utc>>> {
    let watermark = Progress::read(client)?.watermark.and_then(DateTime::from_timestamp_micros);
    let Some(before) = watermark.filter(|watermark| *watermark > to) else { return Ok(None) };
    if really {
        let to = to.timestamp_micros();
        Progress::take_lease(client, config.time_zone)?.set_back(client, to, to)?;
    }
    Ok(Some(before))
}
