//! The sums as their tables in gold show them, by the names of their columns.

use crate::expected::{CustomerSalesRow, DailyFraudRow, Expected, ProfileRow, RulePerformanceRow, SalesRow};
use crate::instant::rfc3339;
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Expected {
    /// The rows of the view of this name, by column: keys of dimensions as ids, times in RFC 3339; money,
    /// rates and means as text. `None` for one that is not computed here.
    pub fn rows(&self, view: &str) -> Option<Vec<Value>> {
        Some(match view {
            "agg_daily_fraud" => self.daily_fraud.iter().map(daily_fraud).collect(),
            "agg_hourly_sales" => {
                let key = |(hour, store, currency): &(i64, String, String)| json!({"hour_timestamp": rfc3339(*hour), "store_id": store, "currency": currency});
                customer_sales(&self.hourly, key, &["avg_amount", "fraud_count"])
            }
            "customer_profile" => self.profiles.iter().map(profile).collect(),
            "payment_performance" => {
                let key = |(day, method, currency): &(i32, String, String)| json!({"date_key": day, "payment_method": method, "currency": currency});
                sales(&self.payments, key, &["alert_count", "fraud_rate"])
            }
            "realtime_metrics" => {
                let key = |(start, currency): &(i64, String)| json!({"window_start": rfc3339(*start), "store_id": null, "currency": currency});
                customer_sales(&self.minutes, key, &["avg_amount", "alert_count"])
            }
            "realtime_store_metrics" => {
                let key = |(start, store, currency): &(i64, String, String)| json!({"window_start": rfc3339(*start), "store_id": store, "currency": currency, "distinct_customers": null});
                sales(&self.store_minutes, key, &["avg_amount", "alert_count"])
            }
            "rule_performance" => self.rule_performance.iter().map(rule_performance).collect(),
            "store_performance" => {
                let key = |(day, store, currency): &(i32, String, String)| json!({"date_key": day, "store_id": store, "currency": currency});
                sales(&self.store_days, key, &["avg_ticket", "alert_count", "fraud_rate"])
            }
            _ => return None,
        })
    }
}

fn daily_fraud((day, row): (&i32, &DailyFraudRow)) -> Value {
    json!({
        "date_key": day, "total_txns": row.transactions, "total_alerts": row.alerts, "top_rule": row.top_rule,
        "fraud_rate": ratio(row.alerts.into(), row.transactions, 4),
        "avg_score": mean_score(row.score, row.alerts), "score_thousandths": row.score,
    })
}

fn rule_performance(((day, set, rule), row): (&(i32, String, String), &RulePerformanceRow)) -> Value {
    json!({
        "date_key": day, "rule_set": set, "rule_id": rule, "hits": row.hits, "alerts": row.alerts, "alerts_alone": row.alone,
        "avg_score": mean_score(row.score, row.hits), "score_thousandths": row.score,
    })
}

fn profile(((customer, currency), row): (&(String, String), &ProfileRow)) -> Value {
    let (count, minutes) = (row.transactions, i128::from(row.minutes));
    let spread = i128::from(count) * i128::from(row.squared_minutes) - minutes * minutes;
    let hours = (spread as f64 / (count as f64 * (count - 1) as f64)).sqrt() / 60.0;
    json!({
        "customer_id": customer, "currency": currency, "transaction_count": count, "total_amount": decimal(row.cents, 2),
        "avg_amount": mean_money(row.cents, count), "first_seen": rfc3339(row.first_seen),
        "last_seen": rfc3339(row.last_seen), "hour_mean": ratio(minutes, count * 60, 2),
        "hour_std": (count > 1).then(|| decimal((hours * 100.0).round() as i128, 2)),
        "alert_count": row.alerts, "minute_sum": row.minutes, "minute_square_sum": row.squared_minutes,
    })
}

fn customer_sales<K>(
    rows: &BTreeMap<K, CustomerSalesRow>,
    key: impl Fn(&K) -> Value,
    columns: &[&'static str],
) -> Vec<Value> {
    let row = |(of, row): (&K, &CustomerSalesRow)| {
        let mut shown = with_sales(key(of), &row.sales, columns);
        shown["distinct_customers"] = json!(row.customers);
        shown
    };
    rows.iter().map(row).collect()
}

fn sales<K>(rows: &BTreeMap<K, SalesRow>, key: impl Fn(&K) -> Value, columns: &[&'static str]) -> Vec<Value> {
    rows.iter().map(|(of, row)| with_sales(key(of), row, columns)).collect()
}

/// Adds transactions and amount, and those of the derived columns that the table has.
fn with_sales(mut row: Value, sales: &SalesRow, columns: &[&'static str]) -> Value {
    row["transaction_count"] = json!(sales.transactions);
    row["total_amount"] = json!(decimal(sales.cents, 2));
    for column in columns {
        row[column] = match *column {
            "avg_amount" | "avg_ticket" => json!(mean_money(sales.cents, sales.transactions)),
            "fraud_rate" => json!(ratio(sales.alerts.into(), sales.transactions, 4)),
            _ => json!(sales.alerts),
        };
    }
    row
}

/// A number of units of the last of `places` decimals.
fn decimal(units: i128, places: usize) -> String {
    let scale = 10_i128.pow(places as u32);
    format!("{}.{:0places$}", units / scale, units % scale)
}

/// numerator / denominator, rounded half up: neither is negative.
fn ratio(numerator: i128, denominator: i64, places: usize) -> String {
    let (scale, denominator) = (10_i128.pow(places as u32), i128::from(denominator));
    decimal((2 * numerator * scale + denominator) / (2 * denominator), places)
}

fn mean_money(cents: i128, count: i64) -> String {
    ratio(cents, count * 100, 2)
}

fn mean_score(thousandths: i64, count: i64) -> Option<String> {
    (count > 0).then(|| ratio(thousandths.into(), count * 1000, 3))
}
