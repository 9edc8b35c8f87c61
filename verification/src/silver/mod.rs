//! Compares gold with its recomputation from silver in plain SQL.
//!
//! Every query starts from the stored transactions (or from the outbox, for the history of alerts) and shares
//! nothing with the code that maintains the tables: days come from the time zone, averages from what is averaged. What
//! maintenance has removed is in sums of its own.

mod queries;
mod sample;

use crate::comparison::{Comparison, SAMPLE};
use crate::error::VerificationError;
use crate::snapshot::Snapshot;
use postgres::types::ToSql;
use queries::queries;
use sample::Sample;

/// Compares all tables.
pub(crate) fn compare(snapshot: &mut Snapshot<'_>) -> Result<Vec<Comparison>, VerificationError> {
    let mut comparisons = Vec::new();
    for query in queries() {
        let (stored, expected) = query.all();
        add(&mut comparisons, compare_one(snapshot, query.table, &difference(&stored, &expected), &[])?);
    }
    Ok(comparisons)
}

/// Compares what belongs to up to `keys` customers and as many days, hours and minutes, in the tables that
/// allow it.
pub(crate) fn compare_sample(
    snapshot: &mut Snapshot<'_>,
    keys: u32,
) -> Result<Vec<Comparison>, VerificationError> {
    let sample = Sample::choose(snapshot, keys)?;
    let mut comparisons = Vec::new();
    for query in queries() {
        let Some(by) = query.by else { continue };
        let (stored, expected) = query.chosen(by);
        let sql = difference(&stored, &expected);
        add(&mut comparisons, compare_one(snapshot, query.table, &sql, &[sample.keys(by)])?);
    }
    Ok(comparisons)
}

/// Adds a comparison; two of one table, whose rows come from two views, become one.
fn add(comparisons: &mut Vec<Comparison>, comparison: Comparison) {
    match comparisons.iter_mut().find(|known| known.table == comparison.table) {
        Some(known) => {
            known.rows += comparison.rows;
            known.differing += comparison.differing;
            known.sample.extend(comparison.sample);
            known.sample.truncate(SAMPLE);
        }
        None => comparisons.push(comparison),
    }
}

fn compare_one(
    snapshot: &mut Snapshot<'_>,
    table: &str,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Comparison, VerificationError> {
    let row = snapshot.row(sql, parameters)?;
    let (rows, differing, sample) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(Comparison { table: table.to_owned(), rows, differing, sample })
}

fn difference(stored: &str, expected: &str) -> String {
    format!(
        "WITH stored AS MATERIALIZED ({stored}), expected AS MATERIALIZED ({expected}), differing AS ( \
             SELECT 'stored ' || s::text AS line FROM (TABLE stored EXCEPT ALL TABLE expected) AS s \
             UNION ALL \
             SELECT 'expected ' || e::text FROM (TABLE expected EXCEPT ALL TABLE stored) AS e \
         ) \
         SELECT (SELECT count(*) FROM stored), count(*), \
             coalesce((array_agg(line ORDER BY split_part(line, '(', 2), line))[1:{SAMPLE}], '{{}}') \
         FROM differing"
    )
}
