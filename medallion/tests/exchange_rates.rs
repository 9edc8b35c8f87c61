//! Views that convert amounts by the rates that users fill in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use postgres::Client;
use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect, migrate};
use streamflow_medallion::migrations;

/// Two local days of sales in three currencies, late in the evening: by UTC they are a day later.
const SALES: &str = "UPDATE streamflow.progress SET time_zone = 'America/Sao_Paulo'; \
     INSERT INTO gold.agg_hourly_sales (hour_timestamp, store_key, currency, transaction_count, total_amount, \
         fraud_count, distinct_customers) VALUES \
         ('2026-02-02T02:00Z', 1, 'BRL', 2, 10.00, 0, 2), ('2026-02-02T02:00Z', 1, 'USD', 1, 0.10, 1, 1), \
         ('2026-02-03T02:00Z', 1, 'USD', 3, 0.01, 0, 1), ('2026-02-03T02:00Z', 2, 'JPY', 1, 350.00, 0, 1); \
     INSERT INTO gold.store_performance (date_key, store_key, currency, transaction_count, total_amount, alert_count) \
         SELECT to_char(hour_timestamp AT TIME ZONE 'America/Sao_Paulo', 'YYYYMMDD')::integer, store_key, currency, \
             transaction_count, total_amount, fraud_count FROM gold.agg_hourly_sales; \
     INSERT INTO gold.payment_performance (date_key, payment_method, currency, transaction_count, total_amount, \
         alert_count) SELECT date_key, 'pix', currency, sum(transaction_count), sum(total_amount), sum(alert_count) \
             FROM gold.store_performance GROUP BY 1, 3; \
     INSERT INTO gold.realtime_metrics (window_start, store_key, currency, transaction_count, total_amount, \
         alert_count, changed_frontier) SELECT hour_timestamp, NULL, currency, sum(transaction_count), \
             sum(total_amount), sum(fraud_count), 0 FROM gold.agg_hourly_sales GROUP BY 1, 3";

fn start() -> (PrivatePostgres, Client) {
    let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
    let mut client = connect(&server.settings()).unwrap();
    migrate(&mut client, migrations()).unwrap();
    client.batch_execute(SALES).unwrap();
    (server, client)
}

fn texts(client: &mut Client, sql: &str) -> Vec<String> {
    client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

fn load(client: &mut Client, rates: &str) {
    let sql = format!(
        "SET ROLE streamflow_loader; INSERT INTO gold.exchange_rates (currency, valid_from, rate) VALUES {rates}; \
         RESET ROLE"
    );
    client.batch_execute(&sql).unwrap();
}

const HOURLY: &str = "SELECT concat_ws(' ', to_char(hour_timestamp AT TIME ZONE 'UTC', 'DD'), store_key, \
     reporting_currency, transaction_count, coalesce(total_amount::text, '-'), coalesce(avg_amount::text, '-'), \
     fraud_count, missing_rates) FROM gold.hourly_sales_converted ORDER BY hour_timestamp, store_key, 1";

#[test]
fn without_a_rate_there_is_no_sum() {
    let (_server, mut client) = start();
    let expected = ["02 1 BRL 3 - - 1 {USD}", "03 1 BRL 3 - - 0 {USD}", "03 2 BRL 1 - - 0 {JPY}"];
    assert_eq!(texts(&mut client, HOURLY), expected);
}

#[test]
fn the_latest_rate_up_to_the_local_day_holds() {
    let (_server, mut client) = start();
    // The second would hold on the first evening if days were those of UTC.
    load(&mut client, "('USD', '2026-02-01', 5.5), ('USD', '2026-02-02', 6), ('JPY', '2026-02-03', 0.035)");
    let expected = ["02 1 BRL 3 10.55 3.52 1 {}", "03 1 BRL 3 0.06 0.02 0 {}", "03 2 BRL 1 - - 0 {JPY}"];
    assert_eq!(texts(&mut client, HOURLY), expected);
    let stores = "SELECT concat_ws(' ', date_key, store_key, transaction_count, coalesce(total_amount::text, '-'), \
         coalesce(avg_ticket::text, '-'), alert_count, fraud_rate, missing_rates) FROM gold.store_performance_converted \
         ORDER BY date_key, store_key";
    let expected = [
        "20260201 1 3 10.55 3.52 1 0.3333 {}",
        "20260202 1 3 0.06 0.02 0 0.0000 {}",
        "20260202 2 1 - - 0 0.0000 {JPY}",
    ];
    assert_eq!(texts(&mut client, stores), expected);
    let payments = "SELECT concat_ws(' ', date_key, payment_method, transaction_count, coalesce(total_amount::text, '-'), \
         alert_count, fraud_rate, missing_rates) FROM gold.payment_performance_converted ORDER BY date_key";
    let expected = ["20260201 pix 3 10.55 1 0.3333 {}", "20260202 pix 4 - 0 0.0000 {JPY}"];
    assert_eq!(texts(&mut client, payments), expected);
    let minutes = "SELECT concat_ws(' ', transaction_count, coalesce(total_amount::text, '-'), \
         coalesce(avg_amount::text, '-'), alert_count, missing_rates) FROM gold.realtime_metrics_converted \
         WHERE store_key IS NULL ORDER BY window_start";
    assert_eq!(texts(&mut client, minutes), ["3 10.55 3.52 1 {}", "4 - - 0 {JPY}"]);
}

#[test]
fn sums_are_rounded_once_half_away_from_zero() {
    let (_server, mut client) = start();
    // 10.00 + 0.10 * 0.05 = 10.005 exactly.
    load(&mut client, "('USD', '2026-01-01', 0.05), ('JPY', '2026-01-01', 0.000000000001)");
    let first = texts(&mut client, HOURLY).remove(0);
    assert_eq!(first, "02 1 BRL 3 10.01 3.34 1 {}");
}

#[test]
fn there_can_be_several_reporting_currencies() {
    let (_server, mut client) = start();
    load(&mut client, "('USD', '2026-01-01', 5), ('JPY', '2026-01-01', 0.03)");
    let rates = "INSERT INTO gold.exchange_rates VALUES ('USD', 'BRL', '2026-01-01', 0.2)";
    client.batch_execute(rates).unwrap();
    let expected = [
        "02 1 BRL 3 10.50 3.50 1 {}",
        "02 1 USD 3 2.10 0.70 1 {}",
        "03 1 BRL 3 0.05 0.02 0 {}",
        "03 1 USD 3 0.01 0.00 0 {}",
        "03 2 BRL 1 10.50 10.50 0 {}",
        "03 2 USD 1 - - 0 {JPY}",
    ];
    assert_eq!(texts(&mut client, HOURLY), expected);
}

#[test]
fn transactions_are_converted_exactly() {
    let (_server, mut client) = start();
    load(&mut client, "('USD', '2026-02-01', 5.123456)");
    let transactions = "INSERT INTO streamflow.topics (topic) VALUES ('t'); \
         INSERT INTO silver.transactions (transaction_at, amount_cents, source_offset, revision, customer_key, \
             store_key, date_key, topic_key, source_partition, score_thousandths, is_fraud, voided, currency, \
             transaction_id) \
         SELECT '2026-02-02T02:00Z', 1, n, 0, 1, 1, 20260201, 1, 0, 0, false, false, currency, currency \
         FROM unnest('{BRL, USD, JPY}'::text[]) WITH ORDINALITY AS c (currency, n)";
    client.batch_execute(transactions).unwrap();
    let converted = "SELECT concat_ws(' ', currency, amount, coalesce(rate::text, '-'), coalesce(converted_amount::text, '-')) \
         FROM gold.fact_transactions_converted ORDER BY currency";
    assert_eq!(
        texts(&mut client, converted),
        ["BRL 0.01 1 0.01", "JPY 0.01 - -", "USD 0.01 5.123456 0.05123456"]
    );
}

#[test]
fn impossible_rates_are_refused_and_only_loaders_write() {
    let (_server, mut client) = start();
    let mut insert = |role: &str, values: &str| {
        let sql = format!(
            "SET ROLE {role}; INSERT INTO gold.exchange_rates (currency, valid_from, rate) VALUES ({values})"
        );
        let result = client.batch_execute(&sql);
        client.batch_execute("RESET ROLE").unwrap();
        result.map_err(|error| error.code().unwrap().code().to_owned())
    };
    for rate in ["0", "-1", "'NaN'", "'Infinity'", "0.0000000000001"] {
        assert_eq!(
            insert("streamflow_loader", &format!("'USD', '2026-01-01', {rate}")),
            Err("23514".to_owned())
        );
    }
    for currency in ["usd", "US", "USDX", "BRL"] {
        let values = format!("'{currency}', '2026-01-01', 1");
        assert_eq!(insert("streamflow_loader", &values), Err("23514".to_owned()), "{currency}");
    }
    for role in ["streamflow_writer", "streamflow_reader", "streamflow_maintainer"] {
        assert_eq!(insert(role, "'USD', '2026-01-01', 5"), Err("42501".to_owned()), "{role}");
    }
    assert_eq!(insert("streamflow_loader", "'USD', '2026-01-01', 5"), Ok(()));
    assert_eq!(insert("streamflow_loader", "'USD', '2026-01-01', 6"), Err("23505".to_owned()));
    client.batch_execute("SET ROLE streamflow_reader").unwrap();
    assert_eq!(texts(&mut client, HOURLY).len(), 3);
}
