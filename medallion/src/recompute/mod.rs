//! Recomputation of tables in plain SQL, to be compared with what the dataflow maintains.
//!
//! Every query starts from the stored transactions (or from the outbox, for the history of alerts) and shares
//! nothing with the code that maintains the tables: averages come from `avg`, days from the time zone.

mod queries;

use chrono::{DateTime, Utc};
use postgres::types::ToSql;
use postgres::{Client, IsolationLevel, Transaction};
pub use queries::By;
use queries::queries;
use streamflow_connectors::postgres::PostgresError;

/// How a table compares with its recomputation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The table or view, with its schema.
    pub table: &'static str,
    /// Rows stored.
    pub rows: i64,
    /// Rows that only one of both sides has; a row that differs counts on either side.
    pub differing: i64,
    /// Up to four of these, `stored (...)` or `expected (...)`.
    pub sample: Vec<String>,
}

/// Compares all tables, in one snapshot. Reads every transaction several times: some fifteen seconds for a million.
///
/// # Errors
/// Those of the server and the connection; the user grants the right to read all schemas.
pub fn compare(client: &mut Client) -> Result<Vec<Comparison>, PostgresError> {
    let mut transaction =
        client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start()?;
    transaction.batch_execute(
        "SET LOCAL statement_timeout = 0; SET LOCAL work_mem = '128MB'; SET LOCAL jit = off",
    )?;
    let mut comparisons = Vec::new();
    for query in queries() {
        let (stored, expected) = query.all();
        let comparison = compare_one(&mut transaction, query.table, &difference(&stored, &expected), &[])?;
        add(&mut comparisons, comparison);
    }
    Ok(comparisons)
}

/// A sample of a large database's keys.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Keys of customers.
    pub customers: Vec<i32>,
    /// Local days, `YYYYMMDD`.
    pub days: Vec<i32>,
    /// Instants, whose hours and minutes are compared.
    pub times: Vec<DateTime<Utc>>,
}

/// Compares the rows of the keys in a sample, in the tables that allow it.
///
/// # Errors
/// Those of the server and the connection.
pub fn compare_sample(
    transaction: &mut Transaction<'_>,
    sample: &Sample,
) -> Result<Vec<Comparison>, PostgresError> {
    let mut comparisons = Vec::new();
    for query in queries() {
        let Some(by) = query.by else { continue };
        let (stored, expected) = query.chosen(by);
        let keys: &(dyn ToSql + Sync) = match by {
            By::Customers => &sample.customers,
            By::Days => &sample.days,
            By::Hours | By::Minutes => &sample.times,
        };
        let sql = difference(&stored, &expected);
        add(&mut comparisons, compare_one(transaction, query.table, &sql, &[keys])?);
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
    transaction: &mut Transaction<'_>,
    table: &'static str,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Comparison, PostgresError> {
    let row = transaction.query_one(sql, parameters)?;
    Ok(Comparison { table, rows: row.try_get(0)?, differing: row.try_get(1)?, sample: row.try_get(2)? })
}

/// So many differing rows are shown.
const SAMPLE: usize = 4;

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
