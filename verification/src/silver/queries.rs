//! What each table should hold: the catalogue of comparisons.
//!
//! A query reads `{transactions}`, those of `silver.transactions` that are not voided, and `{filter}` selects
//! the rows of the table that are compared: all of them, or those of the keys in `$1`. Days, hours and minutes of which
//! maintenance has removed the transactions are not compared; it removes whole local days.

use crate::refused::REFUSED;
use crate::views::conditions;
use std::borrow::Cow;
use std::convert::Infallible;
use streamflow_dataflow::views::{View, Visit};
use streamflow_medallion::tables::view::{Aggregate, Value};
use streamflow_medallion::tables::{Tables, tables};
use streamflow_model::timestamp::HOUR;

/// How rows are selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// `customer_key`.
    Customers,
    /// `date_key`.
    Days,
    /// The local hours of instants.
    Hours,
    /// The minutes of instants.
    Minutes,
}

/// A table's rows and their recomputation, with the same columns.
pub(super) struct Query {
    pub(super) table: &'static str,
    /// `None` where only all rows can be compared.
    pub(super) by: Option<By>,
    stored: Cow<'static, str>,
    expected: &'static str,
}

impl Query {
    /// Stored and expected, of all rows.
    pub(super) fn all(&self) -> (String, String) {
        let Whole { rows, transactions } = self.by.map(By::whole).unwrap_or_default();
        self.of(
            rows,
            &format!(
                "(SELECT * FROM silver.transactions WHERE NOT voided AND {transactions}) AS transactions"
            ),
        )
    }

    /// Stored and expected, of the rows of the keys, days or instants in `$1`.
    pub(super) fn chosen(&self, by: By) -> (String, String) {
        let (column, start, length) = match by {
            By::Customers => ("customer_key", "", ""),
            By::Days => ("date_key", "", ""),
            By::Hours => ("hour_timestamp", "date_trunc('hour', time, streamflow.time_zone())", "1 hour"),
            By::Minutes => ("window_start", "date_trunc('minute', time)", "1 minute"),
        };
        let Whole { rows, transactions } = by.whole();
        if start.is_empty() {
            let keys = format!("{column} = ANY ($1)");
            return self.of(
                &format!("{keys} AND {rows}"),
                &format!(
                    "(SELECT * FROM silver.transactions WHERE NOT voided AND {keys} AND {transactions}) AS transactions"
                ),
            );
        }
        let starts = format!("SELECT DISTINCT {start} AS start FROM unnest($1::timestamptz[]) AS time");
        self.of(
            &format!("{column} IN ({starts}) AND {rows}"),
            &format!(
                "(SELECT t.* FROM ({starts}) AS starts JOIN silver.transactions AS t \
                     ON t.transaction_at >= start AND t.transaction_at < start + interval '{length}' \
                     WHERE NOT t.voided AND {transactions}) AS transactions"
            ),
        )
    }

    fn of(&self, filter: &str, transactions: &str) -> (String, String) {
        let expected = self.expected.replace("{transactions}", transactions).replace("{filter}", filter);
        (self.stored.replace("{filter}", filter), expected)
    }
}

/// Conditions, SQL, for what is compared of a table: buckets whose transactions are all there.
struct Whole {
    rows: &'static str,
    transactions: &'static str,
}

impl Default for Whole {
    fn default() -> Self {
        Self { rows: "true", transactions: "true" }
    }
}

impl By {
    fn whole(self) -> Whole {
        let rows = match self {
            // What was removed of a customer is in sums that are added.
            Self::Customers => return Whole::default(),
            Self::Days => {
                "date_key NOT IN (SELECT date_key FROM gold.dim_date WHERE full_date < \
                     (SELECT (streamflow.kept_from('silver.transactions') AT TIME ZONE streamflow.time_zone())::date))"
            }
            Self::Hours => "hour_timestamp >= (SELECT streamflow.kept_from('silver.transactions'))",
            Self::Minutes => "window_start >= (SELECT streamflow.kept_from('silver.transactions'))",
        };
        let transactions = "transaction_at >= (SELECT streamflow.kept_from('silver.transactions'))";
        Whole { rows, transactions }
    }
}

/// All comparisons, from the keys of transactions to the books.
pub(super) fn queries() -> Vec<Query> {
    let mut queries = vec![TRANSACTIONS, CUSTOMER_PROFILE];
    let Ok(()) = tables().visit(&mut Aggregates(&mut queries));
    queries.extend([
        CURRENT_ALERTS,
        ALERT_HISTORY,
        DIM_CUSTOMER,
        DIM_STORE,
        DIM_PRODUCT,
        BOOKS,
        RECEIVED,
        DEAD_LETTERS,
        PENDING_EVENTS,
        SKIPPED_OFFSETS,
    ]);
    queries
}

/// The queries of the views over facts.
struct Aggregates<'a>(&'a mut Vec<Query>);

impl Visit<Tables> for Aggregates<'_> {
    type Error = Infallible;

    fn visit<V: View>(&mut self, aggregate: &&'static Aggregate<V::Key, V::Sum>) -> Result<(), Infallible> {
        let table = &aggregate.table;
        let by = match table.key.first().map(|column| &column.value) {
            Some(Value::Day(_)) => By::Days,
            _ if aggregate.bucket == HOUR => By::Hours,
            _ => By::Minutes,
        };
        let mut columns: Vec<&str> = table.key.iter().map(|column| column.name).collect();
        let recomputed = table
            .values
            .iter()
            .filter(|column| !matches!(column.value, Value::ChangedAt | Value::ChangedFrontier));
        columns.extend(recomputed.map(|column| column.name));
        let (columns, conditions) = (columns.join(", "), conditions(table.key));
        let stored = format!("SELECT {columns} FROM {} WHERE {{filter}} AND {conditions}", table.shown);
        self.0.push(Query {
            table: table.shown,
            by: Some(by),
            stored: stored.into(),
            expected: aggregate.expected,
        });
        Ok(())
    }
}

/// Every key exists, and the day is that of the event time in the zone of local days.
const TRANSACTIONS: Query = Query {
    table: "gold.fact_transactions",
    by: None,
    stored: Cow::Borrowed(
        "SELECT transaction_id, date_key, customer_key, store_key, product_key FROM silver.transactions",
    ),
    expected: "SELECT t.transaction_id, d.date_key, c.customer_key, s.store_key, p.product_key \
         FROM silver.transactions AS t \
         JOIN gold.dim_date AS d \
             ON d.full_date = (t.transaction_at AT TIME ZONE (SELECT streamflow.time_zone()))::date \
         JOIN gold.dim_customer AS c ON c.customer_key = t.customer_key \
         JOIN gold.dim_store AS s ON s.store_key = t.store_key \
         LEFT JOIN gold.dim_product AS p ON p.product_key = t.product_key",
};

const CUSTOMER_PROFILE: Query = Query {
    table: "gold.customer_profile",
    by: Some(By::Customers),
    stored: Cow::Borrowed(
        "SELECT customer_id, currency, transaction_count, total_amount, avg_amount, first_seen, last_seen, hour_mean, hour_std, alert_count, minute_sum, minute_square_sum FROM gold.customer_profile WHERE {filter}",
    ),
    expected: "SELECT c.customer_id, currency, sum(number)::bigint, sum(cents) / 100, \
             round(sum(cents) / sum(number) / 100, 2), min(first_at), max(last_at), \
             round(sum(minutes) / sum(number) / 60, 2), \
             CASE WHEN sum(number) > 1 THEN \
                 round(sqrt((sum(number) * sum(squares) - sum(minutes) * sum(minutes)) \
                     / (sum(number) * (sum(number) - 1))) / 60, 2) END, \
             sum(alerts)::bigint, sum(minutes)::bigint, sum(squares)::bigint \
         FROM (SELECT customer_key, currency, 1::bigint AS number, amount_cents::numeric AS cents, \
                   transaction_at AS first_at, transaction_at AS last_at, minute AS minutes, \
                   minute * minute AS squares, is_fraud::integer::bigint AS alerts \
               FROM (SELECT *, (extract(hour FROM local) * 60 + extract(minute FROM local))::bigint AS minute \
                     FROM (SELECT *, transaction_at AT TIME ZONE (SELECT streamflow.time_zone()) AS local \
                           FROM {transactions}) AS l) AS m \
               UNION ALL \
               SELECT customer_key, currency, transaction_count, amount_cents, first_seen, last_seen, minute_sum, \
                   minute_square_sum, alert_count \
               FROM streamflow.removed_transactions WHERE {filter}) AS t \
         JOIN gold.dim_customer AS c ON c.customer_key = t.customer_key \
         GROUP BY c.customer_id, currency",
};

const CURRENT_ALERTS: Query = Query {
    table: "gold.fact_fraud_alerts",
    by: Some(By::Customers),
    stored: Cow::Borrowed(
        "SELECT alert_id, transaction_id, date_key, customer_key, store_key, fraud_score, rules_triggered, ARRAY(SELECT json_object_keys(rule_details) COLLATE \"C\" ORDER BY 1), transaction_amount, currency, transaction_at FROM gold.fact_fraud_alerts WHERE {filter}",
    ),
    expected: "SELECT 'alert-' || transaction_id, transaction_id, date_key, customer_key, store_key, \
             score_thousandths / 1000.0, rules, rules, amount_cents / 100.0, currency, transaction_at \
         FROM {transactions} \
         CROSS JOIN LATERAL streamflow.rules_triggered(rule_scores) AS rules \
         WHERE is_fraud",
};

/// Only of data that maintenance has not touched.
const ALERT_HISTORY: Query = Query {
    table: "gold.fraud_alert_history",
    by: None,
    stored: Cow::Borrowed(
        "SELECT alert_id, raised_sequence, raised_at, revised_at, withdrawn_at, causes, last_score FROM gold.fraud_alert_history WHERE raised_at >= greatest(streamflow.kept_from('gold.fraud_alert_history'), streamflow.kept_from('bronze.raw_fraud_alerts'))",
    ),
    expected: "SELECT alert_id, min(sequence), min(detected_at), \
             max(detected_at) FILTER (WHERE change = 'revised'), \
             max(detected_at) FILTER (WHERE change = 'withdrawn'), array_agg(cause ORDER BY number), \
             (array_agg(fraud_score ORDER BY number DESC))[1] \
         FROM (SELECT *, count(*) FILTER (WHERE change = 'raised') \
                   OVER (PARTITION BY transaction_id ORDER BY number) AS episode \
               FROM bronze.raw_fraud_alerts) AS changes \
         WHERE episode > 0 GROUP BY alert_id, episode \
         HAVING min(detected_at) >= greatest(streamflow.kept_from('gold.fraud_alert_history'), \
             streamflow.kept_from('bronze.raw_fraud_alerts'))",
};

const DIM_CUSTOMER: Query = Query {
    table: "gold.dim_customer",
    by: None,
    stored: Cow::Borrowed(
        "SELECT customer_id, name, email, city, state, risk_profile, registered_at, inferred FROM gold.dim_customer",
    ),
    expected: "SELECT customer_id, name, email, city, state, risk_profile, registered_at, updated_at IS NULL \
         FROM (SELECT customer_id FROM gold.dim_customer UNION SELECT customer_id FROM silver.customers) AS ids \
         LEFT JOIN silver.customers USING (customer_id)",
};

const DIM_STORE: Query = Query {
    table: "gold.dim_store",
    by: None,
    stored: Cow::Borrowed(
        "SELECT store_id, name, city, state, category, channel, latitude, longitude, inferred FROM gold.dim_store",
    ),
    expected: "SELECT store_id, name, city, state, category, channel, latitude, longitude, updated_at IS NULL \
         FROM (SELECT store_id FROM gold.dim_store UNION SELECT store_id FROM silver.stores) AS ids \
         LEFT JOIN silver.stores USING (store_id)",
};

const DIM_PRODUCT: Query = Query {
    table: "gold.dim_product",
    by: None,
    stored: Cow::Borrowed("SELECT product_id, name, category, price, inferred FROM gold.dim_product"),
    expected: "SELECT product_id, name, category, price, updated_at IS NULL \
         FROM (SELECT product_id FROM gold.dim_product UNION SELECT product_id FROM silver.products) AS ids \
         LEFT JOIN silver.products USING (product_id)",
};

/// Every event read ended in an account.
const BOOKS: Query = Query {
    table: "streamflow.books",
    by: None,
    stored: Cow::Borrowed("SELECT topic, events FROM streamflow.books WHERE account = 'read'"),
    expected: "SELECT topic, sum(events) FILTER (WHERE account <> 'read')::bigint \
         FROM streamflow.books GROUP BY topic",
};

/// Every event that is no dead letter is in bronze; only while maintenance has dropped nothing of it.
const RECEIVED: Query = Query {
    table: "bronze.raw_transactions",
    by: None,
    stored: Cow::Borrowed(
        "SELECT source_topic AS topic, count(*) AS events FROM bronze.raw_transactions WHERE streamflow.kept_from('bronze.raw_transactions') = '-infinity' GROUP BY 1",
    ),
    expected: "SELECT topic, sum(events)::bigint FROM streamflow.books \
         WHERE account IN ('new', 'correcting', 'voiding', 'duplicate', 'superseded') AND events > 0 \
             AND streamflow.kept_from('bronze.raw_transactions') = '-infinity' \
         GROUP BY topic",
};

const DEAD_LETTERS: Query = Query {
    table: "bronze.dead_letters",
    by: None,
    stored: Cow::Borrowed(REFUSED),
    expected: "SELECT topic, account, events FROM streamflow.books \
         WHERE account NOT IN \
                 ('read', 'new', 'correcting', 'voiding', 'duplicate', 'superseded', 'reference', 'pending', 'skipped') \
             AND events > 0",
};

const PENDING_EVENTS: Query = Query {
    table: "streamflow.pending_events",
    by: None,
    stored: Cow::Borrowed(
        "SELECT source_topic AS topic, count(*) AS events FROM streamflow.pending_events GROUP BY 1",
    ),
    expected: "SELECT topic, events FROM streamflow.books WHERE account = 'pending' AND events > 0",
};

const SKIPPED_OFFSETS: Query = Query {
    table: "streamflow.skipped_offsets",
    by: None,
    stored: Cow::Borrowed(
        "SELECT source_topic AS topic, sum(to_offset - from_offset)::bigint AS events \
         FROM streamflow.skipped_offsets GROUP BY 1",
    ),
    expected: "SELECT topic, events FROM streamflow.books WHERE account = 'skipped' AND events > 0",
};
