//! The books and the progress row.

use crate::comparison::{self, Comparison};
use crate::error::VerificationError;
use crate::refused::REFUSED;
use crate::snapshot::{Snapshot, text};
use std::collections::BTreeMap;
use streamflow_medallion::{Progress, Topics};
use streamflow_model::Account;
use streamflow_oracle::Expected;

/// Events by topic and account.
type Books = BTreeMap<(String, String), i64>;

/// Checks whether rows may be missing because maintenance has dropped old ones: of events it keeps 30 days, of
/// transactions what it is told to.
///
/// # Errors
/// [`VerificationError::Incomplete`], [`VerificationError::Removed`].
pub(super) fn require_all_events(
    snapshot: &mut Snapshot<'_>,
    progress: &Progress,
) -> Result<(), VerificationError> {
    let accounts = progress.books.values().flatten();
    let accepted = accounts.filter(|(account, _)| Account::names_transactions(account));
    let accepted = accepted.map(|(_, events)| events).sum();
    let sql = "SELECT count(*), streamflow.kept_from('bronze.raw_transactions') > '-infinity', \
             streamflow.kept_from('silver.transactions') > '-infinity' \
         FROM bronze.raw_transactions";
    let row = snapshot.row(sql, &[])?;
    let held: i64 = row.try_get(0)?;
    if held < accepted && row.try_get(1)? {
        return Err(VerificationError::Incomplete { held, accepted });
    }
    if row.try_get(2)? {
        return Err(VerificationError::Removed);
    }
    Ok(())
}

/// Checks that read is the sum of all other accounts, that accepted ones are as many as the oracle counts,
/// and refused ones as many as `bronze.dead_letters` has and had.
pub(super) fn compare_books(
    snapshot: &mut Snapshot<'_>,
    topics: &Topics,
    progress: &Progress,
    recomputed: &Expected,
) -> Result<Comparison, VerificationError> {
    let mut expected = Books::new();
    for ((topic, account), events) in &recomputed.books {
        if Account::names_transactions(account) {
            expected.insert((topics.name(*topic).to_owned(), account.clone()), *events);
        }
    }
    let refused: Books =
        snapshot.rows(REFUSED, &[], |row| Ok(((text(row, 0)?, text(row, 1)?), row.try_get(2)?)))?;
    expected.extend(refused);
    let accounts = progress.books.iter().flat_map(|(topic, accounts)| {
        accounts.iter().map(|(account, events)| ((topic.clone(), account.clone()), *events))
    });
    let opened: Books = accounts.filter(|(_, events)| *events != 0).collect();
    // Reference records leave no copies in bronze.
    let reference = opened.iter().filter(|((_, account), _)| account == "reference");
    expected.extend(reference.map(|(key, events)| (key.clone(), *events)));
    expected.extend(pending(snapshot)?);
    expected.extend(skipped(snapshot)?);
    let mut read = Books::new();
    for ((topic, _), events) in &expected {
        *read.entry((topic.clone(), "read".to_owned())).or_default() += events;
    }
    expected.extend(read);
    Ok(comparison::equal("streamflow.books, from bronze", opened, expected))
}

/// The events that wait to be decided.
fn pending(snapshot: &mut Snapshot<'_>) -> Result<Books, VerificationError> {
    let sql = "SELECT source_topic, count(*) FROM streamflow.pending_events GROUP BY 1";
    let account = Account::Pending.as_str();
    snapshot.rows(sql, &[], |row| Ok(((text(row, 0)?, account.to_owned()), row.try_get(1)?)))
}

/// The offsets that an operator has passed.
fn skipped(snapshot: &mut Snapshot<'_>) -> Result<Books, VerificationError> {
    let sql = "SELECT source_topic, sum(to_offset - from_offset)::bigint FROM streamflow.skipped_offsets GROUP BY 1";
    let account = Account::Skipped.as_str();
    snapshot.rows(sql, &[], |row| Ok(((text(row, 0)?, account.to_owned()), row.try_get(1)?)))
}

/// Checks that the numbers of alert changes and dead letters end at the progress row's, that no row is beyond
/// the frontier or the offsets, and that no more was read than the offsets allow.
pub(super) fn compare_progress(
    snapshot: &mut Snapshot<'_>,
    progress: &Progress,
) -> Result<Comparison, VerificationError> {
    let sql = "SELECT coalesce((SELECT max(number) FROM bronze.raw_fraud_alerts), 0), \
             coalesce((SELECT max(id) FROM bronze.dead_letters), 0), \
             coalesce((SELECT (extract(epoch FROM max(ingested_at)) * 1000)::int8 FROM bronze.raw_transactions), 0)";
    let row = snapshot.row(sql, &[])?;
    let (frontier, last_ingested) = (i64::try_from(progress.frontier)?, row.try_get::<_, i64>(2)?);
    let mut stored = vec![
        ("number of the last alert change".to_owned(), progress.alert_changes),
        ("number of the last dead letter".to_owned(), progress.dead_letters),
        ("frontier".to_owned(), frontier),
    ];
    let mut expected = vec![
        (stored[0].0.clone(), row.try_get(0)?),
        (stored[1].0.clone(), row.try_get(1)?),
        (stored[2].0.clone(), frontier.max(last_ingested + 1)),
    ];
    let sql = "SELECT format('next offset of %s-%s', source_topic, source_partition), \
             coalesce((SELECT offsets->source_topic->>source_partition::text FROM streamflow.progress)::int8, 0), \
             max(source_offset) + 1 \
         FROM (SELECT source_topic, source_partition, source_offset FROM bronze.raw_transactions \
               UNION ALL \
               SELECT source_topic, source_partition, source_offset FROM bronze.dead_letters) AS events \
         GROUP BY source_topic, source_partition";
    snapshot.for_each(sql, &[], |row| {
        let (name, next, beyond_last) = (text(row, 0)?, row.try_get(1)?, row.try_get(2)?);
        stored.push((name.clone(), next));
        expected.push((name, i64::max(next, beyond_last)));
        Ok(())
    })?;
    let sql = "SELECT format('events read of %s', topic), events, \
             (SELECT coalesce(sum(value::int8), 0)::int8 FROM jsonb_each_text(offsets->topic)) \
         FROM streamflow.books CROSS JOIN streamflow.progress WHERE account = 'read'";
    snapshot.for_each(sql, &[], |row| {
        let (name, read, offsets) = (text(row, 0)?, row.try_get(1)?, row.try_get(2)?);
        stored.push((name.clone(), read));
        expected.push((name, i64::min(read, offsets)));
        Ok(())
    })?;
    Ok(comparison::equal("streamflow.progress", stored, expected))
}
