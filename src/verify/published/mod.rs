//! Checks that the topics hold each row of the outbox and of the dead letters once, in order, with the same bytes.
//!
//! Law: Kafka's ends were read before the snapshot was taken. So every record up to there has a row in the snapshot,
//! and every row up to the published number has its record there, unless it is too old for Kafka's retention.

mod alerts;
mod dead_letters;
mod published_rows;

use super::brokers::{Brokers, CommittedRecord, Ranges};
use super::check::{Check, Outcome};
use crate::config::Config;
use anyhow::Result;
use chrono::Utc;
use postgres::Transaction;
use postgres::fallible_iterator::FallibleIterator;
use published_rows::{PublishedRows, Row};
use streamflow_medallion::outbox::ProgressRecord;

/// Reads the progress record; without one nothing is published.
///
/// # Errors
/// Kafka's, and where the record cannot be understood.
fn published(brokers: &Brokers, config: &Config) -> Result<ProgressRecord> {
    if !brokers.has(&config.topics.progress)? {
        return Ok(ProgressRecord::default());
    }
    let record = brokers.latest(&config.topics.progress, &config.publisher.transactional_id)?;
    Ok(record.as_deref().map(serde_json::from_slice).transpose()?.unwrap_or_default())
}

/// The state of Kafka before the snapshot.
pub struct Before {
    published: ProgressRecord,
    /// What was written by then; `None` where there is no topic.
    alerts: Option<Ranges>,
    dead_letters: Option<Ranges>,
}

impl Before {
    ///
    /// # Errors
    /// Errors of Kafka; the publisher's record cannot be decoded.
    pub fn ask(brokers: &Brokers, config: &Config) -> Result<Self> {
        // In this order: what was published by then was written by then.
        let published = published(brokers, config)?;
        let written = |topic: &str| {
            Ok::<_, anyhow::Error>(if brokers.has(topic)? { Some(brokers.written(topic)?) } else { None })
        };
        let (alerts, dead_letters) = (written(&config.topics.alerts)?, written(&config.topics.dead_letters)?);
        Ok(Self { published, alerts, dead_letters })
    }
}

/// The row of each record.
type LookUp = fn(&mut Transaction<'_>, &[CommittedRecord]) -> Result<Vec<Option<Row>>>;

/// One of the topics, and the rows that it must hold.
struct Kind<'a> {
    /// The kind of its rows, for messages.
    noun: &'static str,
    topic: &'a str,
    /// A query for the numbers of the rows from $1 on, in order.
    numbers: &'static str,
    rows: LookUp,
    /// The published number before the snapshot.
    written: Option<&'a Ranges>,
    published: i64,
    /// The number of the last row.
    committed: i64,
    /// The published number after the snapshot.
    published_now: i64,
}

/// Checks both topics.
pub fn check(
    transaction: &mut Transaction<'_>,
    brokers: &Brokers,
    config: &Config,
    before: &Before,
    progress: &streamflow_medallion::Progress,
) -> Result<Vec<Check>> {
    let now = published(brokers, config)?;
    let kinds = [
        Kind {
            noun: "alert change",
            topic: &config.topics.alerts,
            numbers: "SELECT number FROM bronze.raw_fraud_alerts ORDER BY number",
            rows: alerts::rows,
            written: before.alerts.as_ref(),
            published: before.published.alert_number,
            committed: progress.alert_changes,
            published_now: now.alert_number,
        },
        Kind {
            noun: "dead letter",
            topic: &config.topics.dead_letters,
            numbers: "SELECT id FROM bronze.dead_letters ORDER BY id",
            rows: dead_letters::rows,
            written: before.dead_letters.as_ref(),
            published: before.published.dead_letter_number,
            committed: progress.dead_letters,
            published_now: now.dead_letter_number,
        },
    ];
    let check =
        |kind: &Kind<'_>| Ok(kind.check(transaction, brokers)?.of(format!("published {}", kind.topic)));
    kinds.iter().map(check).collect()
}

const BATCH: usize = 500;

impl Kind<'_> {
    fn check(&self, transaction: &mut Transaction<'_>, brokers: &Brokers) -> Result<Outcome> {
        if self.published > self.committed {
            return Ok(Outcome::fail(
                format!("Kafka has {} {}, the database only {}", self.noun, self.published, self.committed),
                "an older database was restored, or a new one has the name of another: publisher.transactional_id",
            ));
        }
        let Some(written) = self.written else {
            return Ok(Outcome::warn("there is no topic to compare with", "see the check of the topic"));
        };
        let mut seen = self.read(transaction, brokers, written)?;
        let truncated = written.iter().filter(|(_, range)| range.earliest > 0);
        let truncated: Vec<i32> = truncated.map(|(partition, _)| i32::from(*partition)).collect();
        self.find_unpublished(transaction, &mut seen, &truncated)?;
        Ok(self.outcome(seen))
    }

    /// What the topic tells, in batches.
    fn read(
        &self,
        transaction: &mut Transaction<'_>,
        brokers: &Brokers,
        written: &Ranges,
    ) -> Result<PublishedRows> {
        let now = Utc::now().timestamp_millis();
        let (mut seen, mut batch) = (PublishedRows::default(), Vec::with_capacity(BATCH));
        let mut look_up = |batch: &mut Vec<CommittedRecord>| -> Result<()> {
            let rows = (self.rows)(transaction, batch)?;
            batch.iter().zip(rows).for_each(|(record, row)| seen.add(record, row, now));
            batch.clear();
            Ok(())
        };
        brokers.read(self.topic, written, |record| {
            batch.push(record);
            if batch.len() == BATCH { look_up(&mut batch) } else { Ok(()) }
        })?;
        look_up(&mut batch)?;
        Ok(seen)
    }

    /// Rows without a record, and numbers without a row.
    fn find_unpublished(
        &self,
        transaction: &mut Transaction<'_>,
        seen: &mut PublishedRows,
        truncated: &[i32],
    ) -> Result<()> {
        let complete_from = seen.complete_from(truncated);
        let no_parameters: [&str; 0] = [];
        let mut rows = transaction.query_raw(self.numbers, no_parameters)?;
        let mut last: Option<i64> = None;
        while let Some(row) = rows.next()? {
            let number: i64 = row.try_get(0)?;
            if let Some(last) = last.filter(|last| last + 1 < number) {
                seen.cases.add(|| format!("rows {} to {} are missing", last + 1, number - 1));
            }
            last = Some(number);
            if number > self.published || seen.has(number) {
                continue;
            }
            if number < complete_from {
                seen.expired += 1;
            } else {
                seen.cases.add(|| format!("number {number} is not in the topic"));
            }
        }
        if let Some(last) = last.filter(|last| *last != self.committed) {
            seen.cases.add(|| format!("the last row is {last}, and {} by the progress row", self.committed));
        }
        Ok(())
    }

    fn outcome(&self, seen: PublishedRows) -> Outcome {
        let PublishedRows { records, older, expired, cases, .. } = seen;
        let mut found = format!("{records} {}s told, each once, as committed", self.noun);
        for (number, what) in [
            (expired, "older rows, beyond Kafka's retention"),
            (older, "older records, beyond the rows that are kept"),
        ] {
            if number > 0 {
                found.push_str(&format!("; {number} {what}"));
            }
        }
        let behind = self.committed - self.published_now;
        if cases.count > 0 {
            let advice = "consumers see something else than the tables: keep topic and database, and report it; \
                 did another program write to the topic?";
            Outcome::fail(format!("{} differences from the rows", cases.count), advice)
                .with_details(cases.sample)
        } else if behind > 0 {
            let advice = "runbook, \"Alerts do not reach Kafka\", if that goes on";
            Outcome::warn(format!("{found}; the publisher is {behind} behind"), advice)
        } else {
            Outcome::pass(found)
        }
    }
}
