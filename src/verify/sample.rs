//! Recomputes a few keys and days, chosen at random, which is cheap on a large database.
//!
//! Customers are chosen by key, with some of their transactions. The hours, days and minutes of these are compared completely.

use super::check::Check;
use super::recomputation;
use anyhow::Result;
use postgres::Transaction;
use streamflow_medallion::recompute::{self, Sample};

/// Keys are dense, so almost every random number up to the last key is one.
const CUSTOMERS: &str = "SELECT customer_key FROM gold.dim_customer WHERE customer_key IN ( \
         SELECT 1 + floor(random() * (SELECT max(customer_key) FROM gold.dim_customer))::int4 \
         FROM generate_series(1, $1::int4))";

const TRANSACTIONS: &str = "SELECT transaction_at, date_key FROM silver.transactions \
     WHERE customer_key = ANY ($1) ORDER BY random() LIMIT $2";

/// Compares what belongs to up to `keys` customers and as many days, hours and minutes.
///
/// # Errors
/// What the server or the connection says.
pub fn from_silver(transaction: &mut Transaction<'_>, keys: u32) -> Result<Vec<Check>> {
    let sample = choose(transaction, i32::try_from(keys)?)?;
    let comparisons = recompute::compare_sample(transaction, &sample)?;
    Ok(comparisons.into_iter().map(recomputation::check_of).collect())
}

fn choose(transaction: &mut Transaction<'_>, keys: i32) -> Result<Sample> {
    let mut customers: Vec<i32> = Vec::new();
    for row in transaction.query(CUSTOMERS, &[&keys])? {
        customers.push(row.try_get(0)?);
    }
    let (mut days, mut times) = (Vec::new(), Vec::new());
    for row in transaction.query(TRANSACTIONS, &[&customers, &i64::from(keys)])? {
        times.push(row.try_get(0)?);
        days.push(row.try_get(1)?);
    }
    Ok(Sample { customers, days, times })
}
