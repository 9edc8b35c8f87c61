//! Committed rows to be published: alert changes, dead letters and one-minute windows, in order.
//!
//! Law: rows come in an order that never changes behind a position once read. Alert changes and dead letters
//! are numbered densely in the order of commits. A window's position is the frontier of its last change, so
//! it moves to the end when it changes again; every window after a position is still after it, with its
//! latest row.

use crate::encoding::Instant;
use crate::progress::Progress;
use postgres::types::ToSql;
use postgres::{Client, GenericClient, IsolationLevel, Row, Transaction};
use serde::{Deserialize, Serialize};
use streamflow_connectors::postgres::PostgresError;

/// One snapshot of the tables.
pub struct Outbox<'a> {
    snapshot: Transaction<'a>,
    committed: Committed,
}

/// The progress of the snapshot's commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Number of the lease.
    pub generation: i64,
    /// All changes before it are in the tables, ms since 1970.
    pub frontier: i64,
    /// Number of the last alert change.
    pub alert_number: i64,
    /// Number of the last dead letter.
    pub dead_letter_number: i64,
    /// Smallest partition time, microseconds since 1970.
    pub watermark: Option<i64>,
}

impl From<&Progress> for Committed {
    fn from(progress: &Progress) -> Self {
        Self {
            generation: progress.generation,
            frontier: i64::try_from(progress.frontier).unwrap_or(i64::MAX),
            alert_number: progress.alert_changes,
            dead_letter_number: progress.dead_letters,
            watermark: progress.watermark,
        }
    }
}

/// Limits of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows at most.
    pub rows: i64,
    /// Bytes of keys and payloads at most; the last row may exceed it.
    pub bytes: i64,
}

impl Limits {
    /// No limits.
    pub const NONE: Self = Self { rows: i64::MAX, bytes: i64::MAX };
}

/// The next rows after a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// In order.
    pub rows: Vec<T>,
    /// The snapshot has more.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// No rows, and no more.
    #[must_use]
    pub fn empty() -> Self {
        Self { rows: Vec::new(), has_more: false }
    }
}

/// The rows of a table that are numbered densely, in the order of commits.
pub trait Numbered: Sized {
    /// The table.
    const TABLE: &'static str;
    /// Its column with the number.
    const NUMBER: &'static str;
    /// Size of a row in bytes, SQL.
    const BYTES: &'static str;
    /// What is read of a row, SQL; the number is first.
    const COLUMNS: &'static str;

    /// Converts a row of these columns.
    ///
    /// # Errors
    /// A column has another type.
    fn read(row: &Row) -> Result<Self, postgres::Error>;

    /// The number.
    fn number(&self) -> i64;

    /// Selects the rows for which `condition` holds, in order; its parameters are `parameters`, from $3 on.
    ///
    /// # Errors
    /// Those of the server and the connection.
    fn select(
        client: &mut impl GenericClient,
        limits: Limits,
        condition: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Self>, PostgresError> {
        let (table, number, bytes, columns) = (Self::TABLE, Self::NUMBER, Self::BYTES, Self::COLUMNS);
        let sql = format!(
            "SELECT {columns} FROM (SELECT *, sum(bytes) OVER (ORDER BY {number}) - bytes AS before FROM ( \
                 SELECT *, {bytes} AS bytes FROM {table} WHERE {condition} ORDER BY {number} LIMIT $1) AS next) AS sized \
             WHERE before < $2 ORDER BY {number}"
        );
        let limits: [&(dyn ToSql + Sync); 2] = [&limits.rows, &limits.bytes];
        let rows = client.query(&sql, &[&limits, parameters].concat())?;
        Ok(rows.iter().map(Self::read).collect::<Result<_, _>>()?)
    }
}

/// A row of `bronze.raw_fraud_alerts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAlertChange {
    /// Dense, in the order of commits.
    pub number: i64,
    /// Number among the changes of its alert, from 1 on.
    pub sequence: i64,
    /// `raised`, `revised` or `withdrawn`.
    pub change: String,
    /// Why: `transaction` where the alert's own event raised it.
    pub cause: String,
    /// The transaction that is alerted.
    pub transaction_id: String,
    /// Its customer.
    pub customer_id: String,
    /// When the change was found, microseconds since 1970.
    pub detected_at: i64,
    /// The message, JSON.
    pub payload: String,
    /// A customer was erased from it: what was published before differs.
    pub is_erased: bool,
}

impl Numbered for StoredAlertChange {
    const TABLE: &'static str = "bronze.raw_fraud_alerts";
    const NUMBER: &'static str = "number";
    const BYTES: &'static str = "octet_length(payload::text)";
    const COLUMNS: &'static str = "number, sequence, change, cause, transaction_id, customer_id, \
         (extract(epoch FROM detected_at) * 1000000)::int8, payload::text, erased_at IS NOT NULL";

    fn read(row: &Row) -> Result<Self, postgres::Error> {
        Ok(Self {
            number: row.try_get(0)?,
            sequence: row.try_get(1)?,
            change: row.try_get(2)?,
            cause: row.try_get(3)?,
            transaction_id: row.try_get(4)?,
            customer_id: row.try_get(5)?,
            detected_at: row.try_get(6)?,
            payload: row.try_get(7)?,
            is_erased: row.try_get(8)?,
        })
    }

    fn number(&self) -> i64 {
        self.number
    }
}

/// A row of `bronze.dead_letters`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredDeadLetter {
    /// Its `id`: dense, in the order of commits.
    pub number: i64,
    /// Kafka topic of the event.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Why it was not accepted.
    pub reason: String,
    /// Each violated field with its limit.
    pub message: String,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// The first 64 KiB of its value.
    pub payload: Option<Vec<u8>>,
    /// The value was longer than that.
    pub truncated: bool,
    /// Length of the value, bytes.
    pub full_length: i64,
    /// When it was read, microseconds since 1970.
    pub ingested_at: i64,
    /// Key, payload and message were erased, with the customer whom they named.
    pub is_erased: bool,
}

impl Numbered for StoredDeadLetter {
    const TABLE: &'static str = "bronze.dead_letters";
    const NUMBER: &'static str = "id";
    const BYTES: &'static str = "coalesce(octet_length(key), 0) + coalesce(octet_length(payload), 0)";
    const COLUMNS: &'static str = "id, source_topic, source_partition, source_offset, reason, message, \
         CASE WHEN key_is_base64 THEN decode(key, 'base64') ELSE convert_to(key, 'UTF8') END, \
         CASE WHEN payload_is_base64 THEN decode(payload, 'base64') ELSE convert_to(payload, 'UTF8') END, \
         truncated, full_length, (extract(epoch FROM ingested_at) * 1000000)::int8, erased_at IS NOT NULL";

    fn read(row: &Row) -> Result<Self, postgres::Error> {
        Ok(Self {
            number: row.try_get(0)?,
            topic: row.try_get(1)?,
            partition: row.try_get(2)?,
            offset: row.try_get(3)?,
            reason: row.try_get(4)?,
            message: row.try_get(5)?,
            key: row.try_get(6)?,
            payload: row.try_get(7)?,
            truncated: row.try_get(8)?,
            full_length: row.try_get(9)?,
            ingested_at: row.try_get(10)?,
            is_erased: row.try_get(11)?,
        })
    }

    fn number(&self) -> i64 {
        self.number
    }
}

/// The publisher's progress record: everything up to these numbers is in Kafka; the default is nothing.
/// Fields of later versions are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressRecord {
    /// Number of the last alert change.
    pub alert_number: i64,
    /// The number of the last dead letter.
    pub dead_letter_number: i64,
    /// The position of the last window.
    pub metrics: WindowPosition,
}

/// A row of `gold.realtime_metrics`, or a window that has been emptied: all zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Start of the minute, microseconds since 1970.
    pub start: i64,
    /// The store; `None` is all stores.
    pub store: Option<Store>,
    /// Currency of the amounts.
    pub currency: String,
    /// Current transactions.
    pub transaction_count: i64,
    /// Sum of their amounts, 2 decimals.
    pub total_amount: String,
    /// Their average, 2 decimals; `None` without any.
    pub avg_amount: Option<String>,
    /// Those alerted.
    pub alert_count: i64,
    /// Distinct customers; of all stores only.
    pub distinct_customers: Option<i64>,
    /// The committed frontier with which it last changed, ms since 1970.
    pub changed_frontier: i64,
}

/// A store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Surrogate key.
    pub key: i32,
    /// Identity.
    pub id: String,
}

/// A position among the windows; the default is before all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WindowPosition {
    /// It is after all windows that last changed before this frontier, ms since 1970.
    pub frontier: i64,
    /// It is after this window of that frontier; `None` is after all of them.
    pub window: Option<WindowKey>,
}

/// A window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WindowKey {
    /// Start of the minute, microseconds since 1970.
    pub start: i64,
    /// Key of the store; `None` is all stores.
    pub store_key: Option<i32>,
    /// The currency; empty in the records of versions that did not tell currencies apart, before all others.
    #[serde(default)]
    pub currency: String,
}

const COMMITTED: &str = "SELECT generation, frontier, alert_changes, dead_letters, \
     (extract(epoch FROM watermark) * 1000000)::int8 FROM streamflow.progress";

const WINDOWS: &str = "SELECT (extract(epoch FROM window_start) * 1000000)::int8, store_key, store_id, \
         currency, transaction_count, total_amount::text, avg_amount::text, alert_count, distinct_customers, \
         changed_frontier \
     FROM (SELECT window_start, store_key, currency, transaction_count, total_amount, avg_amount, alert_count, \
             distinct_customers, changed_frontier FROM gold.realtime_metrics WHERE window_start >= $1 \
         UNION ALL SELECT window_start, store_key, currency, 0, 0.00, NULL, 0, \
             CASE WHEN store_key IS NULL THEN 0 END, changed_frontier FROM streamflow.emptied_windows) AS windows \
     LEFT JOIN gold.dim_store USING (store_key) \
     WHERE (changed_frontier, window_start, coalesce(store_key, 0), currency) \
         > ($2::int8, $3::timestamptz, $4::int4, $5::text COLLATE \"C\") \
     ORDER BY changed_frontier, window_start, coalesce(store_key, 0), currency LIMIT $6";

impl<'a> Outbox<'a> {
    /// Takes a snapshot of what is committed.
    ///
    /// # Errors
    /// Those of the server and the connection, here and below.
    pub fn open(client: &'a mut Client) -> Result<Self, PostgresError> {
        let transaction =
            client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let mut snapshot = transaction.start()?;
        let row = snapshot.query_one(COMMITTED, &[])?;
        let committed = Committed {
            generation: row.try_get(0)?,
            frontier: row.try_get(1)?,
            alert_number: row.try_get(2)?,
            dead_letter_number: row.try_get(3)?,
            watermark: row.try_get(4)?,
        };
        Ok(Self { snapshot, committed })
    }

    /// The progress of the snapshot.
    #[must_use]
    pub fn committed(&self) -> &Committed {
        &self.committed
    }

    /// The alert changes after number `after`.
    ///
    /// # Errors
    /// As [`Outbox::open`].
    pub fn alert_changes(
        &mut self,
        after: i64,
        limits: Limits,
    ) -> Result<Page<StoredAlertChange>, PostgresError> {
        self.numbered(after, self.committed.alert_number, limits)
    }

    /// The dead letters after number `after`.
    ///
    /// # Errors
    /// As [`Outbox::open`].
    pub fn dead_letters(
        &mut self,
        after: i64,
        limits: Limits,
    ) -> Result<Page<StoredDeadLetter>, PostgresError> {
        self.numbered(after, self.committed.dead_letter_number, limits)
    }

    fn numbered<T: Numbered>(
        &mut self,
        after: i64,
        last: i64,
        limits: Limits,
    ) -> Result<Page<T>, PostgresError> {
        // Mostly nothing is new, which needs no query.
        if after >= last {
            return Ok(Page::empty());
        }
        let rows = T::select(&mut self.snapshot, limits, &format!("{} > $3", T::NUMBER), &[&after])?;
        let has_more = rows.last().is_some_and(|row| row.number() < last);
        Ok(Page { rows, has_more })
    }

    /// At most `limit` windows after a position. Those that begin before `oldest`, microseconds since 1970,
    /// are skipped: a caller that knows they have not changed need not read all of the last 24 hours.
    ///
    /// # Errors
    /// As [`Outbox::open`].
    pub fn windows(
        &mut self,
        after: &WindowPosition,
        oldest: Option<i64>,
        limit: i64,
    ) -> Result<Page<Window>, PostgresError> {
        let oldest = Instant(oldest.unwrap_or(i64::MIN));
        let (start, store_key, currency) = match &after.window {
            Some(window) => (window.start, window.store_key.unwrap_or(0), window.currency.as_str()),
            None => (i64::MAX, i32::MAX, ""),
        };
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&oldest, &after.frontier, &Instant(start), &store_key, &currency, &limit];
        let rows = self.snapshot.query(WINDOWS, &parameters)?;
        let has_more = i64::try_from(rows.len()).is_ok_and(|rows| rows >= limit);
        let rows = rows.iter().map(window).collect::<Result<_, _>>()?;
        Ok(Page { rows, has_more })
    }
}

impl Window {
    /// The position after it.
    #[must_use]
    pub fn position(&self) -> WindowPosition {
        let store_key = self.store.as_ref().map(|store| store.key);
        let window = Some(WindowKey { start: self.start, store_key, currency: self.currency.clone() });
        WindowPosition { frontier: self.changed_frontier, window }
    }
}

fn window(row: &Row) -> Result<Window, postgres::Error> {
    let store_key: Option<i32> = row.try_get(1)?;
    let store_id: Option<String> = row.try_get(2)?;
    Ok(Window {
        start: row.try_get(0)?,
        // Every key has its dimension row: they are written together.
        store: store_key.map(|key| Store { key, id: store_id.unwrap_or_default() }),
        currency: row.try_get(3)?,
        transaction_count: row.try_get(4)?,
        total_amount: row.try_get(5)?,
        avg_amount: row.try_get(6)?,
        alert_count: row.try_get(7)?,
        distinct_customers: row.try_get(8)?,
        changed_frontier: row.try_get(9)?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::migrations;
    use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect, migrate};

    fn start() -> (PrivatePostgres, Client) {
        let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
        let mut client = connect(&server.settings()).unwrap();
        migrate(&mut client, migrations()).unwrap();
        (server, client)
    }

    #[test]
    fn pages_end_at_the_first_limit_and_go_on_behind_it() {
        let (_server, mut client) = start();
        let rows = "INSERT INTO bronze.raw_fraud_alerts SELECT n, 'a', n, 'raised', 'void', 't', 'c' || n, 0.7, now(), \
                 '{\"x\":   1}' FROM generate_series(1, 10) AS n; \
             INSERT INTO bronze.dead_letters SELECT n, 't', 0, n, 'too_late', 'm', '/w==', true, 'AP8=', n = 1, \
                 false, 2, '2026-02-01T05:00:00.001Z' FROM generate_series(1, 10) AS n; \
             UPDATE streamflow.progress SET alert_changes = 10, dead_letters = 10";
        client.batch_execute(rows).unwrap();
        let mut outbox = Outbox::open(&mut client).unwrap();
        let mut numbers = |after, rows, bytes| {
            let page = outbox.alert_changes(after, Limits { rows, bytes }).unwrap();
            assert!(page.rows.iter().all(|change| change.payload == "{\"x\":   1}"));
            (page.rows.iter().map(|change| change.number).collect::<Vec<_>>(), page.has_more)
        };
        // A payload has 10 bytes.
        assert_eq!(numbers(0, 3, 1_000), (vec![1, 2, 3], true));
        assert_eq!(numbers(3, 100, 11), (vec![4, 5], true));
        assert_eq!(numbers(5, 100, 1), (vec![6], true));
        assert_eq!(numbers(6, 4, 1_000), (vec![7, 8, 9, 10], false));
        assert_eq!(numbers(10, 4, 1_000), (vec![], false));
        let letters = outbox.dead_letters(0, Limits { rows: 9, bytes: 13 }).unwrap();
        assert_eq!((letters.rows.len(), letters.has_more), (2, true));
        assert_eq!(letters.rows[0].payload.as_deref(), Some(&b"\0\xff"[..]));
        assert_eq!(letters.rows[1].payload.as_deref(), Some(&b"AP8="[..]));
        assert_eq!(letters.rows[1].key.as_deref(), Some(&b"\xff"[..]));
        assert_eq!(letters.rows[1].ingested_at, 1_769_922_000_001_000);
    }

    /// The windows after a position, as store, transactions and frontier.
    fn windows(client: &mut Client, after: &WindowPosition, limit: i64) -> Vec<(Option<i32>, i64, i64)> {
        let page = Outbox::open(client).unwrap().windows(after, None, limit).unwrap();
        let short = |window: Window| {
            (window.store.map(|store| store.key), window.transaction_count, window.changed_frontier)
        };
        page.rows.into_iter().map(short).collect()
    }

    #[test]
    fn windows_that_are_emptied_are_told_and_those_that_are_dropped_are_not() {
        let (_server, mut client) = start();
        let fill = "INSERT INTO gold.realtime_metrics (window_start, store_key, currency, transaction_count, \
                 total_amount, alert_count, changed_frontier) \
             SELECT '2026-02-01T05:00Z'::timestamptz - age, store_key, 'BRL', 1, 1.00, 0, 7 \
             FROM unnest('{0, 24:00, 24:01}'::interval[]) AS ages (age), unnest('{NULL, 1, 2}'::int4[]) AS s (store_key); \
             UPDATE streamflow.progress SET frontier = 7, watermark = '2026-02-01T05:00:10Z'";
        client.batch_execute(fill).unwrap();
        assert_eq!(windows(&mut client, &WindowPosition::default(), 100).len(), 9);
        let second = Outbox::open(&mut client).unwrap().windows(&WindowPosition::default(), None, 2).unwrap();
        let after = second.rows[1].position();
        assert_eq!(windows(&mut client, &after, 100).len(), 7);
        // The oldest minute is dropped; of the two others store 1 is emptied.
        let change = "BEGIN; DELETE FROM gold.realtime_metrics WHERE window_start < '2026-01-31T05:00Z'; \
             DELETE FROM gold.realtime_metrics WHERE store_key = 1; \
             UPDATE streamflow.progress SET frontier = 9; COMMIT";
        client.batch_execute(change).unwrap();
        let seven = WindowPosition { frontier: 7, window: None };
        assert_eq!(windows(&mut client, &seven, 100), [(Some(1), 0, 9), (Some(1), 0, 9)]);
        let refill = "INSERT INTO gold.realtime_metrics (window_start, store_key, currency, transaction_count, \
             total_amount, alert_count, changed_frontier) VALUES ('2026-02-01T05:00Z', 1, 'BRL', 3, 3.00, 0, 11)";
        client.batch_execute(refill).unwrap();
        assert_eq!(windows(&mut client, &seven, 100), [(Some(1), 0, 9), (Some(1), 0, 9), (Some(1), 3, 11)]);
        // Dropped rows take along their minutes' marks.
        let drop = "BEGIN; DELETE FROM gold.realtime_metrics WHERE window_start < '2026-02-01T05:00Z'; \
             UPDATE streamflow.progress SET watermark = '2026-02-02T05:00Z'; COMMIT";
        client.batch_execute(drop).unwrap();
        assert_eq!(windows(&mut client, &seven, 100), [(Some(1), 0, 9), (Some(1), 3, 11)]);
    }
}
