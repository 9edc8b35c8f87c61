//! How the domain's values become fields of PostgreSQL's rows.

pub(crate) use streamflow_connectors::postgres::{Column, Columns, Fields, Instant};

/// Microseconds since 1970 from ms.
pub(crate) fn micros(ms: u64) -> i64 {
    i64::try_from(ms).map_or(i64::MAX, |ms| ms.saturating_mul(1000))
}
