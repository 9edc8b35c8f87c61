//! Checks that the topics hold each row of the outbox and of the dead letters once, in order, with the same
//! bytes.
//!
//! Law: Kafka's ends were read before the snapshot was taken. So every record up to there has a row in the
//! snapshot, and every row up to the published number has its record there, unless it is too old for Kafka's
//! retention.

mod alerts;
mod dead_letters;
mod published_rows;

use super::Deployment;
use super::brokers::{Brokers, CommittedRecord, REQUEST_WITHIN, Ranges};
use super::report::{Check, Outcome};
use crate::error::{VerificationError, unreadable};
use crate::snapshot::Snapshot;
use chrono::Utc;
use published_rows::{PublishedRows, Row};
use streamflow_connectors::kafka::{KafkaError, latest_record};
use streamflow_medallion::outbox::ProgressRecord;

/// Reads the progress record; without one nothing is published.
///
/// # Errors
/// Kafka's, and where the record cannot be understood.
fn published(deployment: &Deployment) -> Result<ProgressRecord, VerificationError> {
    let Deployment { kafka, progress, publisher, .. } = deployment;
    let record = match latest_record(kafka, progress, publisher.as_bytes(), REQUEST_WITHIN) {
        Err(KafkaError::MissingTopic(_)) => None,
        record => record?,
    };
    let progress = record.as_deref().map(serde_json::from_slice).transpose();
    let progress = progress.map_err(|error| unreadable("the publisher's progress record", &error))?;
    Ok(progress.unwrap_or_default())
}

/// The state of Kafka before the snapshot.
pub struct Before {
    published: ProgressRecord,
    /// What was written by then; `None` where there is no topic.
    alerts: Option<Ranges>,
    dead_letters: Option<Ranges>,
}

impl Before {
    /// Asks Kafka.
    ///
    /// # Errors
    /// Errors of Kafka; the publisher's record cannot be decoded.
    pub fn ask(brokers: &Brokers, deployment: &Deployment) -> Result<Self, VerificationError> {
        // In this order: what was published by then was written by then.
        Ok(Self {
            published: published(deployment)?,
            alerts: brokers.written(&deployment.alerts)?,
            dead_letters: brokers.written(&deployment.dead_letters)?,
        })
    }
}

/// The row of each record.
type LookUp = fn(&mut Snapshot<'_>, &[CommittedRecord]) -> Result<Vec<Option<Row>>, VerificationError>;

/// One of the topics, and the rows that it must hold.
struct Kind<'a> {
    /// The kind of its rows, for messages.
    noun: &'static str,
    topic: &'a str,
    /// A query for the numbers of the rows, in order.
    numbers: &'static str,
    rows: LookUp,
    /// What was written before the snapshot; `None` where there is no topic.
    written: Option<&'a Ranges>,
    /// The published number before the snapshot.
    published: i64,
    /// The number of the last row.
    committed: i64,
    /// The published number after the snapshot.
    published_now: i64,
}

/// Checks both topics.
pub fn check(
    snapshot: &mut Snapshot<'_>,
    brokers: &Brokers,
    deployment: &Deployment,
    before: &Before,
    progress: &streamflow_medallion::Progress,
) -> Result<Vec<Check>, VerificationError> {
    let now = published(deployment)?;
    let kinds = [
        Kind {
            noun: "alert change",
            topic: &deployment.alerts,
            numbers: "SELECT number FROM bronze.raw_fraud_alerts ORDER BY number",
            rows: alerts::rows,
            written: before.alerts.as_ref(),
            published: before.published.alert_number,
            committed: progress.alert_changes,
            published_now: now.alert_number,
        },
        Kind {
            noun: "dead letter",
            topic: &deployment.dead_letters,
            numbers: "SELECT id FROM bronze.dead_letters ORDER BY id",
            rows: dead_letters::rows,
            written: before.dead_letters.as_ref(),
            published: before.published.dead_letter_number,
            committed: progress.dead_letters,
            published_now: now.dead_letter_number,
        },
    ];
    let check = |kind: &Kind<'_>| Ok(kind.check(snapshot, brokers)?.of(format!("published {}", kind.topic)));
    kinds.iter().map(check).collect()
}

const BATCH: usize = 500;

impl Kind<'_> {
    fn check(&self, snapshot: &mut Snapshot<'_>, brokers: &Brokers) -> Result<Outcome, VerificationError> {
        if self.published > self.committed {
            return Ok(Outcome::fail(
                format!("Kafka has {} {}, the database only {}", self.noun, self.published, self.committed),
                "an older database was restored, or a new one has the name of another: publisher.transactional_id",
            ));
        }
        let Some(written) = self.written else {
            return Ok(Outcome::warn("there is no topic to compare with", "see the check of the topic"));
        };
        let mut seen = self.read(snapshot, brokers, written)?;
        let truncated = written.iter().filter(|(_, range)| range.earliest > 0);
        let truncated: Vec<i32> = truncated.map(|(partition, _)| i32::from(*partition)).collect();
        self.find_unpublished(snapshot, &mut seen, &truncated)?;
        Ok(self.outcome(seen))
    }

    /// What the topic tells, in batches.
    fn read(
        &self,
        snapshot: &mut Snapshot<'_>,
        brokers: &Brokers,
        written: &Ranges,
    ) -> Result<PublishedRows, VerificationError> {
        let now = Utc::now().timestamp_millis();
        let (mut seen, mut batch) = (PublishedRows::default(), Vec::with_capacity(BATCH));
        let mut look_up = |batch: &mut Vec<CommittedRecord>| -> Result<(), VerificationError> {
            let rows = (self.rows)(snapshot, batch)?;
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
        snapshot: &mut Snapshot<'_>,
        seen: &mut PublishedRows,
        truncated: &[i32],
    ) -> Result<(), VerificationError> {
        let complete_from = seen.complete_from(truncated);
        let mut last: Option<i64> = None;
        snapshot.for_each(self.numbers, &[], |row| {
            let number: i64 = row.try_get(0)?;
            if let Some(last) = last.filter(|last| last + 1 < number) {
                seen.cases.add(|| format!("rows {} to {} are missing", last + 1, number - 1));
            }
            last = Some(number);
            if number > self.published || seen.has(number) {
                return Ok(());
            }
            if number < complete_from {
                seen.expired += 1;
            } else {
                seen.cases.add(|| format!("number {number} is not in the topic"));
            }
            Ok(())
        })?;
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
