//! The books and the progress row.

use crate::error::unreadable;
use crate::snapshot::{Snapshot, instant_or_null, text};
use crate::topics::Topics;
use crate::{Comparison, VerificationError, comparison};
use chrono_tz::Tz;
use std::collections::BTreeMap;
use streamflow_model::Account;
use streamflow_oracle::Expected;

const TABLE: &str = "streamflow.progress";

/// Events by topic and account.
type Books = BTreeMap<(String, String), i64>;

/// The progress row and the books.
pub(crate) struct State {
    pub(crate) zone: Tz,
    /// Microseconds since 1970.
    pub(crate) watermark: Option<i64>,
    frontier: i64,
    alert_changes: i64,
    dead_letters: i64,
    books: Books,
}

impl State {
    pub(crate) fn read(snapshot: &mut Snapshot<'_>) -> Result<Self, VerificationError> {
        let row = snapshot.row(
            "SELECT streamflow.time_zone(), watermark, frontier, alert_changes, dead_letters FROM streamflow.progress",
        )?;
        let zone = text(&row, 0)?;
        let books = snapshot.rows("SELECT topic, account, events FROM streamflow.books", |row| {
            Ok(((text(row, 0)?, text(row, 1)?), row.try_get(2)?))
        })?;
        let state = Self {
            zone: zone.parse().map_err(|error| unreadable(TABLE, &format!("time zone {zone}: {error}")))?,
            watermark: instant_or_null(&row, 1)?,
            frontier: row.try_get(2)?,
            alert_changes: row.try_get(3)?,
            dead_letters: row.try_get(4)?,
            books: books.into_iter().collect(),
        };
        state.require_all_events(snapshot)?;
        Ok(state)
    }

    /// Whether rows may be missing because maintenance has dropped old ones: it keeps 30 days.
    fn require_all_events(&self, snapshot: &mut Snapshot<'_>) -> Result<(), VerificationError> {
        let accepted = self.books.iter().filter(|((_, account), _)| Account::names_transactions(account));
        let accepted = accepted.map(|(_, events)| events).sum();
        let row = snapshot.row(
            "SELECT count(*), streamflow.kept_from('bronze.raw_transactions') > '-infinity' \
             FROM bronze.raw_transactions",
        )?;
        let held: i64 = row.try_get(0)?;
        if held < accepted && row.try_get(1)? {
            return Err(VerificationError::Incomplete { held, accepted });
        }
        Ok(())
    }
}

/// Checks that read is the sum of all other accounts, that accepted ones are as many as the oracle counts, and refused ones as many
/// as `bronze.dead_letters` has.
pub(crate) fn compare_books(
    snapshot: &mut Snapshot<'_>,
    topics: &Topics,
    state: &State,
    recomputed: &Expected,
) -> Result<Comparison, VerificationError> {
    let mut expected = Books::new();
    for ((topic, account), events) in &recomputed.books {
        if Account::names_transactions(account) {
            expected.insert((topics.name(*topic).to_owned(), account.clone()), *events);
        }
    }
    let sql = "SELECT source_topic, reason, count(*) FROM bronze.dead_letters GROUP BY 1, 2";
    for (key, events) in snapshot.rows(sql, |row| Ok(((text(row, 0)?, text(row, 1)?), row.try_get(2)?)))? {
        expected.insert(key, events);
    }
    // Reference records leave no copies in bronze.
    let reference = state.books.iter().filter(|((_, account), _)| account == "reference");
    expected.extend(reference.map(|(key, events)| (key.clone(), *events)));
    let mut read = Books::new();
    for ((topic, _), events) in &expected {
        *read.entry((topic.clone(), "read".to_owned())).or_default() += events;
    }
    expected.extend(read);
    let opened = state.books.iter().filter(|(_, events)| **events != 0);
    let opened = opened.map(|(key, events)| (key.clone(), *events));
    Ok(comparison::equal("streamflow.books, from bronze", opened, expected))
}

/// Checks that the numbers of alert changes and dead letters end at the progress row's, that no row is beyond the frontier or
/// the offsets, and that no more was read than the offsets allow.
pub(crate) fn compare_progress(
    snapshot: &mut Snapshot<'_>,
    state: &State,
) -> Result<Comparison, VerificationError> {
    let row = snapshot.row(
        "SELECT coalesce((SELECT max(number) FROM bronze.raw_fraud_alerts), 0), \
             coalesce((SELECT max(id) FROM bronze.dead_letters), 0), \
             coalesce((SELECT (extract(epoch FROM max(ingested_at)) * 1000)::int8 FROM bronze.raw_transactions), 0)",
    )?;
    let mut stored = vec![
        ("number of the last alert change".to_owned(), state.alert_changes),
        ("number of the last dead letter".to_owned(), state.dead_letters),
        ("frontier".to_owned(), state.frontier),
    ];
    let last_ingested: i64 = row.try_get(2)?;
    let mut expected = vec![
        (stored[0].0.clone(), row.try_get(0)?),
        (stored[1].0.clone(), row.try_get(1)?),
        (stored[2].0.clone(), state.frontier.max(last_ingested + 1)),
    ];
    let sql = "SELECT format('next offset of %s-%s', source_topic, source_partition), \
             coalesce((SELECT offsets->source_topic->>source_partition::text FROM streamflow.progress)::int8, 0), \
             max(source_offset) + 1 \
         FROM (SELECT source_topic, source_partition, source_offset FROM bronze.raw_transactions \
               UNION ALL \
               SELECT source_topic, source_partition, source_offset FROM bronze.dead_letters) AS events \
         GROUP BY source_topic, source_partition";
    for (name, next, beyond_last) in
        snapshot.rows(sql, |row| Ok((text(row, 0)?, row.try_get(1)?, row.try_get(2)?)))?
    {
        stored.push((name.clone(), next));
        expected.push((name, i64::max(next, beyond_last)));
    }
    let sql = "SELECT format('events read of %s', topic), events, \
             (SELECT coalesce(sum(value::int8), 0)::int8 FROM jsonb_each_text(offsets->topic)) \
         FROM streamflow.books CROSS JOIN streamflow.progress WHERE account = 'read'";
    for (name, read, offsets) in
        snapshot.rows(sql, |row| Ok((text(row, 0)?, row.try_get(1)?, row.try_get(2)?)))?
    {
        stored.push((name.clone(), read));
        expected.push((name, i64::min(read, offsets)));
    }
    Ok(comparison::equal(TABLE, stored, expected))
}
