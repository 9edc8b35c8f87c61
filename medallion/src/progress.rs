//! The one row of `streamflow.progress`, and the lease that it carries.

use crate::changes::Changes;
use crate::encoding::Instant;
use crate::lease;
use crate::output::Output;
use crate::topics::Topics;
use chrono_tz::Tz;
use postgres::{Client, GenericClient, Row, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use streamflow_connectors::postgres::PostgresError;
use streamflow_model::timestamp::{DAY, MINUTE};

/// A value for each partition of each topic, by the topic's name.
pub type ByPartition<T> = BTreeMap<String, BTreeMap<u16, T>>;

/// The progress row: frontier, lease, offsets and counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// All changes of ingest times before it are committed, none from it on; ms since 1970.
    pub frontier: u64,
    /// Number of the lease.
    pub generation: i64,
    /// Offsets to read next.
    pub offsets: ByPartition<u64>,
    /// Largest record timestamps read, microseconds since 1970.
    pub reference_times: ByPartition<i64>,
    /// Events by topic and account; the account `read` has all of them.
    pub books: BTreeMap<String, BTreeMap<String, i64>>,
    /// Smallest partition time, microseconds since 1970.
    pub watermark: Option<i64>,
    /// Zone of local days and hours.
    pub time_zone: Option<String>,
    /// Number of the last row of `bronze.raw_fraud_alerts`.
    pub alert_changes: i64,
    /// Number of the last row of `bronze.dead_letters`.
    pub dead_letters: i64,
}

const COLUMNS: &str = "frontier, generation, offsets::text, reference_times::text, books::text, \
     (extract(epoch FROM watermark) * 1000000)::int8, time_zone, alert_changes, dead_letters";

const UPDATE: &str = "UPDATE streamflow.progress SET frontier = $2, offsets = $3::text::jsonb, \
     reference_times = $4::text::jsonb, books = $5::text::jsonb, watermark = $6, alert_changes = $7, \
     dead_letters = $8, committed_at = clock_timestamp() WHERE generation = $1";

impl Progress {
    /// The offset of a partition to read next; `None` where nothing of it has been read.
    pub fn next_offset(&self, topic: &str, partition: u16) -> Option<u64> {
        self.offsets.get(topic)?.get(&partition).copied()
    }

    /// Reads the row.
    ///
    /// # Errors
    /// Those of the server and the connection; the user migrates a database without the tables.
    pub fn read(client: &mut impl GenericClient) -> Result<Self, PostgresError> {
        let row = client.query_one(&format!("SELECT {COLUMNS} FROM streamflow.progress"), &[])?;
        Self::from_row(&row)
    }

    /// Reads the row and takes the lease: its previous holder can no longer commit. Waits for a commit in
    /// progress. The zone of local days and hours is fixed by the first one.
    ///
    /// # Errors
    /// [`PostgresError::Settings`] where the database was written in another time zone; else as
    /// [`Progress::read`].
    pub fn take_lease(client: &mut impl GenericClient, time_zone: Tz) -> Result<Self, PostgresError> {
        let mut transaction = client.transaction()?;
        let progress = Self::claim(&mut transaction, time_zone)?;
        transaction.commit()?;
        Ok(progress)
    }

    /// As [`Progress::take_lease`], but `None` while a session of its holder lives.
    ///
    /// # Errors
    /// As for [`Progress::take_lease`].
    pub fn take_free_lease(client: &mut Client, time_zone: Tz) -> Result<Option<Self>, PostgresError> {
        let mut transaction = client.transaction()?;
        let sql = "SELECT generation FROM streamflow.progress FOR UPDATE";
        let generation = transaction.query_one(sql, &[])?.try_get(0)?;
        if lease::is_held(&mut transaction, generation)? {
            return Ok(None);
        }
        let progress = Self::claim(&mut transaction, time_zone)?;
        transaction.commit()?;
        Ok(Some(progress))
    }

    /// Shows with this session, as long as it lives, that the holder of this lease does.
    ///
    /// # Errors
    /// Those of the server and the connection.
    pub fn hold_lease(&self, client: &mut Client) -> Result<(), PostgresError> {
        lease::hold(client, self.generation)
    }

    fn claim(transaction: &mut Transaction<'_>, time_zone: Tz) -> Result<Self, PostgresError> {
        check_zone(transaction, time_zone.name())?;
        let sql = format!(
            "UPDATE streamflow.progress SET generation = generation + 1, time_zone = coalesce(time_zone, $1) \
             RETURNING {COLUMNS}"
        );
        let row = transaction.query_one(&sql, &[&time_zone.name()])?;
        let progress = Self::from_row(&row)?;
        match &progress.time_zone {
            Some(zone) if zone != time_zone.name() => Err(PostgresError::Settings {
                key: "time_zone",
                problem: format!("`{time_zone}` is not possible, the database has local days of `{zone}`"),
            }),
            _ => Ok(progress),
        }
    }

    /// Sets the watermark back to `watermark`, microseconds since 1970, and partition times after `newest` to it:
    /// what has become final since is open again. Only for the holder of the lease before it commits anything.
    ///
    /// # Errors
    /// [`PostgresError::Fenced`] where the lease was taken; those of the server and the connection.
    pub fn set_back(
        &mut self,
        client: &mut impl GenericClient,
        watermark: i64,
        newest: i64,
    ) -> Result<(), PostgresError> {
        let mut set_back = self.clone();
        set_back.watermark = self.watermark.map(|known| known.min(watermark));
        let times = set_back.reference_times.values_mut().flat_map(BTreeMap::values_mut);
        times.for_each(|time| *time = (*time).min(newest));
        let rows = client.execute(
            "UPDATE streamflow.progress SET watermark = $2, reference_times = $3::text::jsonb \
             WHERE generation = $1",
            &[&set_back.generation, &set_back.watermark.map(Instant), &to_json(&set_back.reference_times)?],
        )?;
        if rows != 1 {
            return Err(fenced(self.generation));
        }
        *self = set_back;
        Ok(())
    }

    fn from_row(row: &Row) -> Result<Self, PostgresError> {
        Ok(Self {
            frontier: u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0),
            generation: row.try_get(1)?,
            offsets: from_json(row, 2)?,
            reference_times: from_json(row, 3)?,
            books: from_json(row, 4)?,
            watermark: row.try_get(5)?,
            time_zone: row.try_get(6)?,
            alert_changes: row.try_get(7)?,
            dead_letters: row.try_get(8)?,
        })
    }

    /// Applies the changes of progress and books.
    pub(crate) fn advance(&mut self, frontier: u64, changes: &Changes, topics: &Topics) {
        self.frontier = frontier;
        for progress in changes.partitions.values() {
            let topic = topics.name(progress.partition.topic());
            let partition = progress.partition.partition();
            self.offsets.entry(topic.to_owned()).or_default().insert(partition, progress.next_offset);
            if let Some(time) = progress.partition_time {
                self.reference_times.entry(topic.to_owned()).or_default().insert(partition, time);
            }
        }
        for (entry, events) in &changes.books {
            let accounts = self.books.entry(topics.name(entry.topic()).to_owned()).or_default();
            match events.value {
                Some(events) => accounts.insert(entry.as_str().to_owned(), events),
                None => accounts.remove(entry.as_str()),
            };
        }
        self.watermark = self.watermark.max(changes.watermark);
    }

    /// The first minute that `gold.realtime_metrics` keeps: 24 hours behind the watermark.
    pub(crate) fn first_minute(&self) -> Option<i64> {
        let watermark = self.watermark?;
        Some((watermark - watermark.rem_euclid(MINUTE)).saturating_sub(DAY))
    }

    /// Writes the row.
    pub(crate) fn write(&self, output: &mut Output<'_, '_>) -> Result<(), PostgresError> {
        let rows = output.execute(
            UPDATE,
            &[
                &self.generation,
                &i64::try_from(self.frontier).unwrap_or(i64::MAX),
                &to_json(&self.offsets)?,
                &to_json(&self.reference_times)?,
                &to_json(&self.books)?,
                &self.watermark.map(Instant),
                &self.alert_changes,
                &self.dead_letters,
            ],
        )?;
        if rows == 1 { Ok(()) } else { Err(fenced(self.generation)) }
    }
}

/// The first start stores the zone for good, and the tables' queries count days by it: so the server must know it,
/// whose list need not be that of this program.
fn check_zone(client: &mut impl GenericClient, zone: &str) -> Result<(), PostgresError> {
    let Err(error) = client.query_one("SELECT now() AT TIME ZONE $1::text", &[&zone]) else { return Ok(()) };
    match PostgresError::from(error) {
        refused @ PostgresError::Refused { .. } => Err(PostgresError::Settings {
            key: "time_zone",
            problem: format!("PostgreSQL does not know `{zone}`: {refused}"),
        }),
        error => Err(error),
    }
}

/// The error of a worker whose lease was taken.
pub(crate) fn fenced(generation: i64) -> PostgresError {
    PostgresError::Fenced(format!(
        "fenced by a newer worker: the lease of generation {generation} was taken over"
    ))
}

pub(crate) fn to_json(value: &impl Serialize) -> Result<String, PostgresError> {
    serde_json::to_string(value).map_err(|error| PostgresError::Rows(error.to_string()))
}

fn from_json<T: DeserializeOwned>(row: &Row, column: usize) -> Result<T, PostgresError> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text).map_err(|error| PostgresError::Fenced(format!("streamflow.progress: {error}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect};

    /// The server knows every zone of this program, so the refusal is that of one that neither knows.
    #[test]
    fn a_zone_that_the_server_does_not_know_is_named() {
        let mut server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
        let mut client = connect(&server.settings()).unwrap();
        check_zone(&mut client, Tz::America__Sao_Paulo.name()).unwrap();
        let error = check_zone(&mut client, "Mars/Base").unwrap_err();
        assert!(matches!(error, PostgresError::Settings { key: "time_zone", .. }), "{error}");
        let line = error.to_string();
        assert!(line.contains("does not know `Mars/Base`") && !line.contains('\n'), "{line}");
        server.kill().unwrap();
        // Not an answer about the zone.
        assert!(check_zone(&mut client, "Mars/Base").unwrap_err().is_retryable());
    }
}
