//! A database of an earlier version shows after its migration what it showed before, and a pipeline can go on
//! with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use chrono_tz::America::Sao_Paulo;
use postgres::Client;
use std::collections::{BTreeMap, BTreeSet};
use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect, migrate};
use streamflow_dataflow::settings::Settings;
use streamflow_medallion::hydration::{Hydration, Row, Share, resume};
use streamflow_medallion::{Progress, Topics, migrations};
use streamflow_verification::against_silver;

/// The migrations that the database of the dump has.
const APPLIED: usize = 13;
const DUMP: &str = include_str!("dumps/013.sql");
const TOPICS: [&str; 5] =
    ["transactions.raw", "reference.customers", "reference.stores", "reference.products", "fraud.blacklist"];

const TRANSACTIONS: &str = "SELECT (transaction_id, customer_id, store_id, amount, fraud_score, rules_triggered, is_fraud, \
     voided, revision, source_offset)::text FROM silver.clean_transactions ORDER BY transaction_id";
const DAILY_FRAUD: &str = "SELECT (date_key, total_txns, total_alerts, fraud_rate, top_rule, avg_score, \
     score_thousandths)::text FROM gold.agg_daily_fraud ORDER BY date_key";

struct OldDatabase {
    client: Client,
    _server: PrivatePostgres,
}

impl OldDatabase {
    fn load() -> Self {
        Self::load_from(DUMP)
    }

    /// As if everything had happened ten months earlier.
    fn load_older() -> Self {
        Self::load_from(&DUMP.replace("2026-11-27", "2026-01-27").replace("20261127", "20260127"))
    }

    fn load_from(dump: &str) -> Self {
        let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
        let mut client = connect(&server.settings()).unwrap();
        migrate(&mut client, &migrations()[..APPLIED]).unwrap();
        client.batch_execute(dump).unwrap();
        Self { client, _server: server }
    }

    fn migrate(&mut self) {
        let applied = migrate(&mut self.client, migrations()).unwrap();
        assert_eq!(applied.len(), migrations().len() - APPLIED);
    }

    fn texts(&mut self, sql: &str) -> Vec<String> {
        self.client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
    }

    fn count(&mut self, table: &str) -> i64 {
        self.client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).unwrap().get(0)
    }

    /// Every table is what silver gives, and all but two have rows: nothing waits in a database that old, and nothing
    /// was skipped.
    fn check_recomputation(&mut self) {
        for comparison in against_silver(&mut self.client).unwrap() {
            let may_be_empty = ["streamflow.pending_events", "streamflow.skipped_offsets"];
            let has_rows = comparison.rows > 0 || may_be_empty.contains(&comparison.table.as_str());
            assert!(has_rows && comparison.differing == 0, "{comparison:#?}");
        }
    }

    /// The sums of customers as a pipeline reads them back.
    fn hydrate_customers(&mut self) -> BTreeSet<String> {
        let (_, rows) = self.hydrate();
        let customer = |row| match row {
            Row::Customer(customer) => Some(format!("{customer:?}")),
            _ => None,
        };
        rows.into_iter().filter_map(customer).collect()
    }

    fn hydrate(&mut self) -> (Progress, Vec<Row>) {
        let topics = Topics::new(TOPICS);
        let progress = Progress::take_lease(&mut self.client, Sao_Paulo).unwrap();
        let resume = resume(&mut self.client, &progress, &topics, 3_600_000_000).unwrap();
        let mut rows = Vec::new();
        Hydration::new(&Settings::default(), &resume, &progress, &topics)
            .read(&mut self.client, Share { index: 0, of: 1 }, |row| rows.push(row))
            .unwrap();
        (progress, rows)
    }
}

#[test]
fn views_show_what_they_showed_before() {
    let mut database = OldDatabase::load();
    let transactions = database.texts(TRANSACTIONS);
    let daily_fraud = database.texts(DAILY_FRAUD);
    for rule in ["{FR-001}", "{FR-002}", "{FR-003}", "{FR-004}", "{FR-005}", "FR-001,FR-003", "{}"] {
        assert!(transactions.iter().any(|row| row.contains(rule)), "{rule} is missing in {transactions:#?}");
    }
    database.migrate();
    assert_eq!(database.texts(TRANSACTIONS), transactions);
    assert_eq!(database.texts(DAILY_FRAUD), daily_fraud);
}

#[test]
fn tables_equal_their_recomputation() {
    let mut database = OldDatabase::load();
    database.migrate();
    database.check_recomputation();
}

/// The rows of sums that hold money, by what they had in their key before they had a currency.
const SUMS: [&str; 4] = [
    "SELECT (customer_key, transaction_count, total_amount, first_seen, last_seen, alert_count, minute_sum, \
         minute_square_sum)::text FROM gold.customer_totals ORDER BY 1",
    "SELECT (hour_timestamp, store_key, transaction_count, total_amount, fraud_count)::text \
         FROM gold.agg_hourly_sales ORDER BY 1",
    "SELECT (date_key, store_key, transaction_count, total_amount, alert_count)::text FROM gold.store_performance ORDER BY 1",
    "SELECT (window_start, store_key, transaction_count, total_amount, alert_count, distinct_customers, \
         changed_frontier)::text FROM gold.realtime_metrics ORDER BY 1",
];

#[test]
fn with_one_currency_sums_stay_as_they_are() {
    let mut database = OldDatabase::load();
    let before = SUMS.map(|sql| database.texts(sql));
    database.migrate();
    assert_eq!(SUMS.map(|sql| database.texts(sql)), before);
    let other = "SELECT currency FROM gold.customer_totals UNION SELECT currency FROM gold.agg_hourly_sales \
         UNION SELECT currency FROM gold.store_performance UNION SELECT currency FROM gold.realtime_metrics \
         UNION SELECT currency FROM streamflow.emptied_windows";
    assert_eq!(database.texts(other), ["BRL"]);
}

#[test]
fn sums_that_mixed_currencies_are_split() {
    let mut database = OldDatabase::load();
    let mixed = "UPDATE silver.transactions SET currency = (ARRAY['BRL', 'USD', 'JPY'])[1 + source_offset % 3]; \
         UPDATE silver.transactions SET currency = 'EUR' WHERE customer_key = (SELECT min(customer_key) FROM silver.transactions)";
    database.client.batch_execute(mixed).unwrap();
    database.migrate();
    database.check_recomputation();
    let currencies = "SELECT DISTINCT currency FROM gold.customer_profile ORDER BY 1";
    assert_eq!(database.texts(currencies), ["BRL", "EUR", "JPY", "USD"]);
}

#[test]
fn what_silver_no_longer_has_stays_counted_in_the_default_currency() {
    let mut database = OldDatabase::load();
    let mixed = "UPDATE silver.transactions SET currency = 'USD'; \
         UPDATE gold.store_performance SET transaction_count = transaction_count + 1, total_amount = total_amount + 7";
    database.client.batch_execute(mixed).unwrap();
    database.migrate();
    let rest = "SELECT DISTINCT (transaction_count, total_amount, alert_count)::text FROM gold.store_performance \
         WHERE currency = 'BRL'";
    assert_eq!(database.texts(rest), ["(1,7.00,0)"]);
}

#[test]
fn every_row_is_read_back() {
    let mut database = OldDatabase::load();
    let with_hits = "SELECT transaction_id FROM silver.clean_transactions WHERE rules_triggered <> '{}'";
    let with_hits: BTreeSet<String> = database.texts(with_hits).into_iter().collect();
    database.migrate();
    let (progress, rows) = database.hydrate();
    let mut read: BTreeMap<&str, i64> = BTreeMap::new();
    rows.iter().for_each(|row| *read.entry(row.table()).or_default() += 1);
    let books = read.remove("streamflow.progress");
    assert_eq!(books, Some(progress.books.values().map(|accounts| accounts.len() as i64).sum()));
    // No event waited in a database that old.
    let others = ["streamflow.progress", "streamflow.pending_events"];
    let tables = Row::tables().into_iter().filter(|table| !others.contains(table));
    let stored: BTreeMap<&str, i64> = tables.map(|table| (table, database.count(table))).collect();
    assert_eq!(read, stored);
    let restored_with_hits = rows.iter().filter_map(|row| match row {
        Row::Transaction(restored) if restored.hit => Some(restored.transaction.id.to_string()),
        _ => None,
    });
    assert_eq!(restored_with_hits.collect::<BTreeSet<_>>(), with_hits);
}

#[test]
fn old_transactions_go_and_every_sum_stays() {
    let mut database = OldDatabase::load_older();
    database.migrate();
    let later = "UPDATE streamflow.progress SET watermark = watermark + interval '60 days'";
    database.client.batch_execute(later).unwrap();
    let sums = SUMS.map(|sql| database.texts(sql));
    let customers = database.hydrate_customers();

    let remove = "SELECT row_count FROM streamflow.delete_old_transactions( \
         (SELECT watermark - interval '31 days' FROM streamflow.progress), 0, 10000)";
    let remove =
        |database: &mut OldDatabase| -> i64 { database.client.query_one(remove, &[]).unwrap().get(0) };
    let told = database.count("(SELECT DISTINCT transaction_id FROM gold.fraud_alert_history) AS told");
    let all = database.count("silver.transactions");
    assert!(told > 0 && remove(&mut database) == all - told, "those of which the history tells stay");
    assert_eq!(
        database.count("gold.fact_fraud_alerts f JOIN silver.transactions t USING (transaction_id)"),
        database.count("gold.fact_fraud_alerts"),
        "and their alerts"
    );
    database
        .client
        .batch_execute("DELETE FROM gold.fraud_alert_history; DELETE FROM bronze.raw_fraud_alerts")
        .unwrap();
    assert_eq!(remove(&mut database), told);
    assert_eq!((database.count("silver.transactions"), database.count("gold.fact_fraud_alerts")), (0, 0));

    assert_eq!(SUMS.map(|sql| database.texts(sql)), sums);
    assert_eq!(database.hydrate_customers(), customers);
    let differing = |database: &mut OldDatabase| -> Vec<String> {
        let comparisons = against_silver(&mut database.client).unwrap();
        comparisons.into_iter().filter(|table| table.differing > 0).map(|table| table.table).collect()
    };
    assert_eq!(differing(&mut database), [""; 0]);
    let damage = "UPDATE streamflow.removed_transactions SET amount_cents = amount_cents + 1";
    database.client.batch_execute(damage).unwrap();
    assert_eq!(differing(&mut database), ["gold.customer_profile"]);
}
