//! What each table should hold.

/// A table's rows and their recomputation, with the same columns.
pub(super) struct Query {
    pub(super) table: &'static str,
    pub(super) stored: &'static str,
    pub(super) expected: &'static str,
}

/// All comparisons, from the keys of transactions to the books.
pub(super) const QUERIES: &[Query] = &[
    TRANSACTIONS,
    CUSTOMER_PROFILE,
    HOURLY_SALES,
    STORE_PERFORMANCE,
    DAILY_FRAUD,
    RULE_PERFORMANCE,
    REALTIME_METRICS,
    CURRENT_ALERTS,
    ALERT_HISTORY,
    DIM_CUSTOMER,
    DIM_STORE,
    DIM_PRODUCT,
    BOOKS,
    RECEIVED,
    DEAD_LETTERS,
];

/// Every key exists, and the day is that of the event time in the zone of local days.
const TRANSACTIONS: Query = Query {
    table: "gold.fact_transactions",
    stored: "SELECT transaction_id, date_key, customer_key, store_key, product_key FROM silver.transactions",
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
    stored: "SELECT customer_id, transaction_count, total_amount, avg_amount, first_seen, last_seen, \
             hour_mean, hour_std, alert_count, minute_sum, minute_square_sum \
         FROM gold.customer_profile",
    expected: "SELECT c.customer_id, count(*), sum(amount_cents) / 100, round(avg(amount_cents) / 100, 2), \
             min(transaction_at), max(transaction_at), round(avg(minute) / 60, 2), \
             round(sqrt(var_samp(minute)) / 60, 2), count(*) FILTER (WHERE is_fraud), \
             sum(minute)::bigint, sum(minute * minute)::bigint \
         FROM (SELECT *, (extract(hour FROM local) * 60 + extract(minute FROM local))::bigint AS minute \
               FROM (SELECT *, transaction_at AT TIME ZONE (SELECT streamflow.time_zone()) AS local \
                     FROM silver.transactions WHERE NOT voided) AS l) AS t \
         JOIN gold.dim_customer AS c ON c.customer_key = t.customer_key \
         GROUP BY c.customer_id",
};

const HOURLY_SALES: Query = Query {
    table: "gold.agg_hourly_sales",
    stored: "SELECT hour_timestamp, store_key, transaction_count, total_amount, avg_amount, fraud_count \
         FROM gold.agg_hourly_sales",
    expected: "SELECT date_trunc('hour', transaction_at, (SELECT streamflow.time_zone())), store_key, count(*), \
             sum(amount_cents) / 100, round(avg(amount_cents) / 100, 2), count(*) FILTER (WHERE is_fraud) \
         FROM silver.transactions WHERE NOT voided GROUP BY 1, 2",
};

const STORE_PERFORMANCE: Query = Query {
    table: "gold.store_performance",
    stored: "SELECT date_key, store_key, transaction_count, total_amount, avg_ticket, alert_count, fraud_rate \
         FROM gold.store_performance",
    expected: "SELECT date_key, store_key, count(*), sum(amount_cents) / 100, \
             round(avg(amount_cents) / 100, 2), count(*) FILTER (WHERE is_fraud), \
             round(count(*) FILTER (WHERE is_fraud) / count(*)::numeric, 4) \
         FROM silver.transactions WHERE NOT voided GROUP BY 1, 2",
};

const DAILY_FRAUD: Query = Query {
    table: "gold.agg_daily_fraud",
    stored: "SELECT date_key, total_txns, total_alerts, fraud_rate, top_rule, avg_score FROM gold.agg_daily_fraud",
    expected: "SELECT date_key, count(*), count(*) FILTER (WHERE is_fraud), \
             round(count(*) FILTER (WHERE is_fraud) / count(*)::numeric, 4), min(top.rule), \
             round(avg(score_thousandths) FILTER (WHERE is_fraud) / 1000, 3) \
         FROM silver.transactions \
         LEFT JOIN (SELECT DISTINCT ON (date_key) date_key, rule \
                    FROM (SELECT date_key, unnest(streamflow.rules_triggered(fr_001, fr_002, fr_003, fr_004, \
                              fr_005)) AS rule FROM silver.transactions WHERE is_fraud AND NOT voided) AS hits \
                    GROUP BY date_key, rule ORDER BY date_key, count(*) DESC, rule) AS top USING (date_key) \
         WHERE NOT voided GROUP BY date_key",
};

const RULE_PERFORMANCE: Query = Query {
    table: "gold.rule_performance",
    stored: "SELECT date_key, rule_id, hits, alerts, alerts_alone, avg_score FROM gold.rule_performance",
    expected: "SELECT date_key, rule, count(*), count(*) FILTER (WHERE is_fraud), \
             count(*) FILTER (WHERE is_fraud AND num_nonnulls(fr_001, fr_002, fr_003, fr_004, fr_005) = 1), \
             round(avg(score) / 1000, 3) \
         FROM silver.transactions \
         CROSS JOIN LATERAL (VALUES ('FR-001', fr_001), ('FR-002', fr_002), ('FR-003', fr_003), \
             ('FR-004', fr_004), ('FR-005', fr_005)) AS hit (rule, score) \
         WHERE NOT voided AND score IS NOT NULL GROUP BY 1, 2",
};

const REALTIME_METRICS: Query = Query {
    table: "gold.realtime_metrics",
    stored: "SELECT window_start, store_key, transaction_count, total_amount, avg_amount, alert_count, \
             distinct_customers \
         FROM gold.realtime_metrics",
    expected: "SELECT date_trunc('minute', transaction_at), store_key, count(*), sum(amount_cents) / 100, \
             round(avg(amount_cents) / 100, 2), count(*) FILTER (WHERE is_fraud), \
             CASE WHEN grouping(store_key) = 1 THEN count(DISTINCT customer_key) END \
         FROM silver.transactions \
         WHERE NOT voided AND transaction_at >= coalesce( \
             (SELECT date_trunc('minute', watermark) - interval '24 hours' FROM streamflow.progress), '-infinity') \
         GROUP BY GROUPING SETS ((1, 2), (1))",
};

const CURRENT_ALERTS: Query = Query {
    table: "gold.fact_fraud_alerts",
    stored: "SELECT alert_id, transaction_id, date_key, customer_key, store_key, fraud_score, rules_triggered, \
             ARRAY(SELECT json_object_keys(rule_details) COLLATE \"C\" ORDER BY 1), transaction_amount, \
             transaction_at \
         FROM gold.fact_fraud_alerts",
    expected: "SELECT 'alert-' || transaction_id, transaction_id, date_key, customer_key, store_key, \
             score_thousandths / 1000.0, rules, rules, amount_cents / 100.0, transaction_at \
         FROM silver.transactions \
         CROSS JOIN LATERAL streamflow.rules_triggered(fr_001, fr_002, fr_003, fr_004, fr_005) AS rules \
         WHERE is_fraud AND NOT voided",
};

/// Only of what maintenance has left whole.
const ALERT_HISTORY: Query = Query {
    table: "gold.fraud_alert_history",
    stored: "SELECT alert_id, raised_sequence, raised_at, revised_at, withdrawn_at, causes, last_score \
         FROM gold.fraud_alert_history \
         WHERE raised_at >= greatest(streamflow.kept_from('gold.fraud_alert_history'), \
             streamflow.kept_from('bronze.raw_fraud_alerts'))",
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
    stored: "SELECT customer_id, name, email, city, state, risk_profile, registered_at, inferred \
         FROM gold.dim_customer",
    expected: "SELECT customer_id, name, email, city, state, risk_profile, registered_at, updated_at IS NULL \
         FROM (SELECT customer_id FROM gold.dim_customer UNION SELECT customer_id FROM silver.customers) AS ids \
         LEFT JOIN silver.customers USING (customer_id)",
};

const DIM_STORE: Query = Query {
    table: "gold.dim_store",
    stored: "SELECT store_id, name, city, state, category, channel, latitude, longitude, inferred \
         FROM gold.dim_store",
    expected: "SELECT store_id, name, city, state, category, channel, latitude, longitude, updated_at IS NULL \
         FROM (SELECT store_id FROM gold.dim_store UNION SELECT store_id FROM silver.stores) AS ids \
         LEFT JOIN silver.stores USING (store_id)",
};

const DIM_PRODUCT: Query = Query {
    table: "gold.dim_product",
    stored: "SELECT product_id, name, category, price, inferred FROM gold.dim_product",
    expected: "SELECT product_id, name, category, price, updated_at IS NULL \
         FROM (SELECT product_id FROM gold.dim_product UNION SELECT product_id FROM silver.products) AS ids \
         LEFT JOIN silver.products USING (product_id)",
};

/// Every event read ended somewhere.
const BOOKS: Query = Query {
    table: "streamflow.books",
    stored: "SELECT topic, events FROM streamflow.books WHERE account = 'read'",
    expected: "SELECT topic, sum(events) FILTER (WHERE account <> 'read')::bigint \
         FROM streamflow.books GROUP BY topic",
};

/// Every event that is no dead letter is in bronze; only while maintenance has dropped nothing.
const RECEIVED: Query = Query {
    table: "bronze.raw_transactions",
    stored: "SELECT source_topic AS topic, count(*) AS events FROM bronze.raw_transactions \
         WHERE streamflow.kept_from('bronze.raw_transactions') = '-infinity' GROUP BY 1",
    expected: "SELECT topic, sum(events)::bigint FROM streamflow.books \
         WHERE account IN ('new', 'correcting', 'voiding', 'duplicate', 'superseded') AND events > 0 \
             AND streamflow.kept_from('bronze.raw_transactions') = '-infinity' \
         GROUP BY topic",
};

const DEAD_LETTERS: Query = Query {
    table: "bronze.dead_letters",
    stored: "SELECT source_topic AS topic, reason, count(*) AS events FROM bronze.dead_letters GROUP BY 1, 2",
    expected: "SELECT topic, account, events FROM streamflow.books \
         WHERE account NOT IN ('read', 'new', 'correcting', 'voiding', 'duplicate', 'superseded', 'reference') \
             AND events > 0",
};
