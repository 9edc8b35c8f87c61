//! A few keys and days, chosen at random, whose comparison is cheap on a large database.
//!
//! Customers are chosen by key, with some of their transactions. The hours, days and minutes of these are
//! compared completely.

use super::queries::By;
use crate::error::VerificationError;
use crate::snapshot::Snapshot;
use chrono::{DateTime, Utc};
use postgres::types::ToSql;

/// Keys are dense, so almost every random number up to the last key is one.
const CUSTOMERS: &str = "SELECT customer_key FROM gold.dim_customer WHERE customer_key IN ( \
         SELECT 1 + floor(random() * (SELECT max(customer_key) FROM gold.dim_customer))::int4 \
         FROM generate_series(1, $1::int8))";

const TRANSACTIONS: &str = "SELECT transaction_at, date_key FROM silver.transactions \
     WHERE customer_key = ANY ($1) ORDER BY random() LIMIT $2";

pub(super) struct Sample {
    customers: Vec<i32>,
    /// Local days, `YYYYMMDD`.
    days: Vec<i32>,
    /// Instants, whose hours and minutes are compared.
    times: Vec<DateTime<Utc>>,
}

impl Sample {
    /// Chooses up to `keys` customers and as many of their transactions.
    pub(super) fn choose(snapshot: &mut Snapshot<'_>, keys: u32) -> Result<Self, VerificationError> {
        let keys = i64::from(keys);
        let customers: Vec<i32> = snapshot.rows(CUSTOMERS, &[&keys], |row| Ok(row.try_get(0)?))?;
        let transactions: Vec<(DateTime<Utc>, i32)> =
            snapshot
                .rows(TRANSACTIONS, &[&customers, &keys], |row| Ok((row.try_get(0)?, row.try_get(1)?)))?;
        let (times, days) = transactions.into_iter().unzip();
        Ok(Self { customers, days, times })
    }

    /// The keys by which a query selects.
    pub(super) fn keys(&self, by: By) -> &(dyn ToSql + Sync) {
        match by {
            By::Customers => &self.customers,
            By::Days => &self.days,
            By::Hours | By::Minutes => &self.times,
        }
    }
}
