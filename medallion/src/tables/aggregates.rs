//! The aggregates of gold that grow with history: their exact sums.

use super::view::{Rows, View};
use crate::changes::Changes;
use crate::encoding::{Columns, Fields};
use crate::keys::{Dimensions, Keys};
use crate::output::Output;
use postgres::types::Type;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::views::rows::{
    DailyFraud, Profile, RuleDay, RulePerformance, Sales, StoreDay, StoreHour,
};
use streamflow_model::Id;
use streamflow_model::calendar::date_key;

const CUSTOMER_TOTALS: View = View {
    table: "gold.customer_profile",
    key: &[Type::INT4],
    values: &[
        Type::TIMESTAMPTZ,
        Type::TIMESTAMPTZ,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::NUMERIC,
    ],
    upsert: "INSERT INTO gold.customer_totals (customer_key, first_seen, last_seen, transaction_count, \
         minute_sum, minute_square_sum, alert_count, total_amount) \
         SELECT * FROM unnest($1::int4[], $2::timestamptz[], $3::timestamptz[], $4::int8[], $5::int8[], \
             $6::int8[], $7::int8[], $8::numeric[]) \
         ON CONFLICT (customer_key) DO UPDATE SET first_seen = excluded.first_seen, \
             last_seen = excluded.last_seen, transaction_count = excluded.transaction_count, \
             minute_sum = excluded.minute_sum, minute_square_sum = excluded.minute_square_sum, \
             alert_count = excluded.alert_count, total_amount = excluded.total_amount",
    delete: "DELETE FROM gold.customer_totals WHERE customer_key = ANY ($1::int4[])",
};

const HOURLY_SALES: View = View {
    table: "gold.agg_hourly_sales",
    key: &[Type::TIMESTAMPTZ, Type::INT4],
    values: &[Type::INT8, Type::NUMERIC, Type::INT8],
    upsert: "INSERT INTO gold.agg_hourly_sales (hour_timestamp, store_key, transaction_count, total_amount, \
         fraud_count) \
         SELECT * FROM unnest($1::timestamptz[], $2::int4[], $3::int8[], $4::numeric[], $5::int8[]) \
         ON CONFLICT (hour_timestamp, store_key) DO UPDATE SET \
             transaction_count = excluded.transaction_count, total_amount = excluded.total_amount, \
             fraud_count = excluded.fraud_count",
    delete: "DELETE FROM gold.agg_hourly_sales AS a \
         USING unnest($1::timestamptz[], $2::int4[]) AS k (hour_timestamp, store_key) \
         WHERE a.hour_timestamp = k.hour_timestamp AND a.store_key = k.store_key",
};

const STORE_PERFORMANCE: View = View {
    table: "gold.store_performance",
    key: &[Type::INT4, Type::INT4],
    values: &[Type::INT8, Type::NUMERIC, Type::INT8],
    upsert: "INSERT INTO gold.store_performance (date_key, store_key, transaction_count, total_amount, \
         alert_count) \
         SELECT * FROM unnest($1::int4[], $2::int4[], $3::int8[], $4::numeric[], $5::int8[]) \
         ON CONFLICT (date_key, store_key) DO UPDATE SET transaction_count = excluded.transaction_count, \
             total_amount = excluded.total_amount, alert_count = excluded.alert_count",
    delete: "DELETE FROM gold.store_performance AS a \
         USING unnest($1::int4[], $2::int4[]) AS k (date_key, store_key) \
         WHERE a.date_key = k.date_key AND a.store_key = k.store_key",
};

const DAILY_FRAUD: View = View {
    table: "gold.agg_daily_fraud",
    key: &[Type::INT4],
    values: &[Type::INT8, Type::INT8, Type::INT8, Type::INT8, Type::INT8, Type::INT8, Type::INT8, Type::INT8],
    upsert: "INSERT INTO gold.agg_daily_fraud (date_key, total_txns, total_alerts, score_thousandths, \
         fr_001_alerts, fr_002_alerts, fr_003_alerts, fr_004_alerts, fr_005_alerts) \
         SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], \
             $7::int8[], $8::int8[], $9::int8[]) \
         ON CONFLICT (date_key) DO UPDATE SET total_txns = excluded.total_txns, \
             total_alerts = excluded.total_alerts, score_thousandths = excluded.score_thousandths, \
             fr_001_alerts = excluded.fr_001_alerts, fr_002_alerts = excluded.fr_002_alerts, \
             fr_003_alerts = excluded.fr_003_alerts, fr_004_alerts = excluded.fr_004_alerts, \
             fr_005_alerts = excluded.fr_005_alerts",
    delete: "DELETE FROM gold.agg_daily_fraud WHERE date_key = ANY ($1::int4[])",
};

const RULE_PERFORMANCE: View = View {
    table: "gold.rule_performance",
    key: &[Type::INT4, Type::TEXT],
    values: &[Type::INT8, Type::INT8, Type::INT8, Type::INT8],
    upsert: "INSERT INTO gold.rule_performance (date_key, rule_id, hits, alerts, alerts_alone, \
         score_thousandths) \
         SELECT * FROM unnest($1::int4[], $2::text[], $3::int8[], $4::int8[], $5::int8[], $6::int8[]) \
         ON CONFLICT (date_key, rule_id) DO UPDATE SET hits = excluded.hits, alerts = excluded.alerts, \
             alerts_alone = excluded.alerts_alone, score_thousandths = excluded.score_thousandths",
    delete: "DELETE FROM gold.rule_performance AS a \
         USING unnest($1::int4[], $2::text[]) AS k (date_key, rule_id) \
         WHERE a.date_key = k.date_key AND a.rule_id = k.rule_id",
};

/// Brings the aggregates to their latest sums.
pub(crate) fn write(
    output: &mut Output<'_, '_>,
    changes: &Changes,
    dimensions: &mut Dimensions,
) -> Result<(), PostgresError> {
    CUSTOMER_TOTALS.write(output, &changes.profiles, Customers(&mut dimensions.customers))?;
    HOURLY_SALES.write(output, &changes.hourly_sales, Stores(&mut dimensions.stores))?;
    STORE_PERFORMANCE.write(output, &changes.store_performance, Stores(&mut dimensions.stores))?;
    DAILY_FRAUD.write(output, &changes.daily_fraud, Days)?;
    RULE_PERFORMANCE.write(output, &changes.rule_performance, Days)
}

struct Customers<'a>(&'a mut Keys);

impl Rows<Id, Profile> for Customers<'_> {
    fn place(&mut self, customer: &Id) -> i32 {
        self.0.of(customer)
    }

    fn key(&mut self, columns: &mut Columns, customer: &Id) {
        columns.begin();
        columns.int4(self.0.of(customer));
    }

    fn values(&mut self, columns: &mut Columns, profile: &Profile, _: u64) {
        columns.instant(profile.first_seen);
        columns.instant(profile.last_seen);
        columns.count(profile.sums.count);
        columns.count(profile.sums.minutes);
        columns.count(profile.sums.squared_minutes);
        columns.count(profile.alerts);
        columns.money(profile.sums.cents);
    }
}

struct Stores<'a>(&'a mut Keys);

impl Rows<StoreHour, Sales> for Stores<'_> {
    fn key(&mut self, columns: &mut Columns, key: &StoreHour) {
        columns.begin();
        columns.instant(key.hour_start);
        columns.int4(self.0.of(&key.store));
    }

    fn values(&mut self, columns: &mut Columns, sales: &Sales, _: u64) {
        push_sales(columns, sales);
    }
}

impl Rows<StoreDay, Sales> for Stores<'_> {
    fn key(&mut self, columns: &mut Columns, key: &StoreDay) {
        columns.begin();
        columns.int4(date_key(key.day));
        columns.int4(self.0.of(&key.store));
    }

    fn values(&mut self, columns: &mut Columns, sales: &Sales, _: u64) {
        push_sales(columns, sales);
    }
}

/// Count, amount, alerts.
pub(super) fn push_sales(columns: &mut Columns, sales: &Sales) {
    columns.int8(sales.transactions);
    columns.money(sales.cents);
    columns.int8(sales.alerts);
}

struct Days;

impl Rows<i32, DailyFraud> for Days {
    fn key(&mut self, columns: &mut Columns, day: &i32) {
        columns.begin();
        columns.int4(date_key(*day));
    }

    fn values(&mut self, columns: &mut Columns, fraud: &DailyFraud, _: u64) {
        columns.int8(fraud.transactions);
        columns.int8(fraud.alerts);
        columns.int8(fraud.score_thousandths);
        for alerts in fraud.alerts_by_rule {
            columns.int8(alerts);
        }
    }
}

impl Rows<RuleDay, RulePerformance> for Days {
    fn key(&mut self, columns: &mut Columns, key: &RuleDay) {
        columns.begin();
        columns.int4(date_key(key.day));
        columns.text(key.rule.id());
    }

    fn values(&mut self, columns: &mut Columns, performance: &RulePerformance, _: u64) {
        columns.int8(performance.hits);
        columns.int8(performance.alerts);
        columns.int8(performance.alone);
        columns.int8(performance.score_thousandths);
    }
}
