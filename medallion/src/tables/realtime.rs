//! `gold.realtime_metrics`: the minutes of the last 24 hours.

use super::aggregates::push_sales;
use crate::changes::Changes;
use crate::encoding::{Columns, Fields, Instant};
use crate::keys::Dimensions;
use crate::output::Output;
use crate::progress::Progress;
use postgres::types::Type;
use streamflow_connectors::postgres::PostgresError;

const TABLE: &str = "gold.realtime_metrics";

const KEY: [Type; 2] = [Type::TIMESTAMPTZ, Type::INT4];

const COLUMNS: [Type; 7] =
    [Type::TIMESTAMPTZ, Type::INT4, Type::INT8, Type::NUMERIC, Type::INT8, Type::INT8, Type::INT8];

const UPSERT: &str = "INSERT INTO gold.realtime_metrics (window_start, store_key, transaction_count, \
     total_amount, alert_count, distinct_customers, changed_frontier) \
     SELECT * FROM unnest($1::timestamptz[], $2::int4[], $3::int8[], $4::numeric[], $5::int8[], $6::int8[], \
         $7::int8[]) \
     ON CONFLICT (window_start, store_key) DO UPDATE SET transaction_count = excluded.transaction_count, \
         total_amount = excluded.total_amount, alert_count = excluded.alert_count, \
         distinct_customers = excluded.distinct_customers, changed_frontier = excluded.changed_frontier";

const DELETE: &str = "DELETE FROM gold.realtime_metrics AS m \
     USING unnest($1::timestamptz[], $2::int4[]) AS k (window_start, store_key) \
     WHERE m.window_start = k.window_start AND m.store_key IS NOT DISTINCT FROM k.store_key";

const EXPIRE: &str = "DELETE FROM gold.realtime_metrics WHERE window_start < $1";

/// Brings the windows to their latest rows and drops those that have fallen behind.
pub(crate) fn write(
    output: &mut Output<'_, '_>,
    changes: &Changes,
    dimensions: &mut Dimensions,
    committed: &Progress,
    pending: &Progress,
) -> Result<(), PostgresError> {
    let first = pending.first_minute();
    if let Some(minute) = first.filter(|_| first != committed.first_minute()) {
        output.execute(EXPIRE, &[&Instant(minute)])?;
    }
    let is_kept = |minute: i64| first.is_none_or(|first| minute >= first);
    let frontier = i64::try_from(pending.frontier).unwrap_or(i64::MAX);
    let mut kept = Columns::new(&COLUMNS);
    let mut removed = Columns::new(&KEY);
    for (minute, change) in changes.minutes.iter().filter(|(minute, _)| is_kept(**minute)) {
        let rows = if change.value.is_some() { &mut kept } else { &mut removed };
        rows.begin();
        rows.instant(*minute);
        rows.null();
        if let Some(window) = &change.value {
            push_sales(rows, &window.sales);
            rows.int8(window.customers);
            rows.int8(frontier);
        }
    }
    for (key, change) in changes.store_minutes.iter().filter(|(key, _)| is_kept(key.minute_start)) {
        let rows = if change.value.is_some() { &mut kept } else { &mut removed };
        rows.begin();
        rows.instant(key.minute_start);
        rows.int4(dimensions.stores.of(&key.store));
        if let Some(sales) = &change.value {
            push_sales(rows, sales);
            rows.null();
            rows.int8(frontier);
        }
    }
    output.write(TABLE, UPSERT, &kept)?;
    output.write(TABLE, DELETE, &removed)
}
