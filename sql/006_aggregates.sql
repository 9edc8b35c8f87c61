-- Aggregates of gold. Exact sums are stored, rounded columns derive from them.
-- Rows change at almost every commit: room in the pages keeps their updates off the indexes.

CREATE TABLE gold.customer_totals (
    first_seen        timestamptz NOT NULL,
    last_seen         timestamptz NOT NULL,
    transaction_count bigint NOT NULL,
    minute_sum        bigint NOT NULL,
    minute_square_sum bigint NOT NULL,
    alert_count       bigint NOT NULL,
    customer_key      integer PRIMARY KEY,
    total_amount      numeric NOT NULL
) WITH (fillfactor = 75);
COMMENT ON TABLE gold.customer_totals IS 'Exact sums behind gold.customer_profile';
COMMENT ON COLUMN gold.customer_totals.first_seen IS 'Event time of the first current transaction';
COMMENT ON COLUMN gold.customer_totals.last_seen IS 'Event time of the last current transaction';
COMMENT ON COLUMN gold.customer_totals.transaction_count IS 'Current transactions, voided ones left out';
COMMENT ON COLUMN gold.customer_totals.minute_sum IS 'Sum of their minutes of the local day, 0 to 1439 each';
COMMENT ON COLUMN gold.customer_totals.minute_square_sum IS 'Sum of the squares of their minutes of the local day';
COMMENT ON COLUMN gold.customer_totals.alert_count IS 'Those alerted';
COMMENT ON COLUMN gold.customer_totals.customer_key IS 'gold.dim_customer';
COMMENT ON COLUMN gold.customer_totals.total_amount IS 'Sum of their amounts, 2 decimals, exact';

CREATE VIEW gold.customer_profile AS
SELECT t.customer_key,
       c.customer_id,
       t.transaction_count,
       t.total_amount,
       streamflow.ratio(t.total_amount, t.transaction_count, 2) AS avg_amount,
       t.first_seen,
       t.last_seen,
       streamflow.ratio(t.minute_sum, 60 * t.transaction_count, 2) AS hour_mean,
       CASE WHEN t.transaction_count > 1 THEN
           -- Never negative, unless somebody wrote to the sums: then this must not fail, so that verifying can say so.
           round(sqrt(greatest(t.transaction_count::numeric * t.minute_square_sum
                                   - t.minute_sum::numeric * t.minute_sum, 0)::numeric(60, 20)
                      / (t.transaction_count::numeric * (t.transaction_count - 1) * 3600)), 2)
       END AS hour_std,
       t.alert_count,
       t.minute_sum,
       t.minute_square_sum
FROM gold.customer_totals AS t
LEFT JOIN gold.dim_customer AS c ON c.customer_key = t.customer_key;
COMMENT ON VIEW gold.customer_profile IS 'What each customer did so far; one row per customer with transactions';
COMMENT ON COLUMN gold.customer_profile.customer_key IS 'gold.dim_customer';
COMMENT ON COLUMN gold.customer_profile.customer_id IS 'The customer';
COMMENT ON COLUMN gold.customer_profile.transaction_count IS 'Current transactions, voided ones left out';
COMMENT ON COLUMN gold.customer_profile.total_amount IS 'Sum of their amounts, exact';
COMMENT ON COLUMN gold.customer_profile.avg_amount IS 'Their average amount, 2 decimals';
COMMENT ON COLUMN gold.customer_profile.first_seen IS 'Event time of the first one';
COMMENT ON COLUMN gold.customer_profile.last_seen IS 'Event time of the last one';
COMMENT ON COLUMN gold.customer_profile.hour_mean IS 'Mean local time of day in hours, 2 decimals';
COMMENT ON COLUMN gold.customer_profile.hour_std IS
    'Sample standard deviation of the local time of day in hours, 2 decimals; null below two transactions';
COMMENT ON COLUMN gold.customer_profile.alert_count IS 'Those alerted';
COMMENT ON COLUMN gold.customer_profile.minute_sum IS 'Sum of the minutes of the local day, exact';
COMMENT ON COLUMN gold.customer_profile.minute_square_sum IS 'Sum of their squares, exact';

CREATE TABLE gold.agg_hourly_sales (
    hour_timestamp    timestamptz NOT NULL,
    store_key         integer NOT NULL,
    transaction_count bigint NOT NULL,
    total_amount      numeric NOT NULL,
    avg_amount        numeric GENERATED ALWAYS AS (streamflow.ratio(total_amount, transaction_count, 2)) STORED,
    fraud_count       bigint NOT NULL,
    PRIMARY KEY (hour_timestamp, store_key)
) WITH (fillfactor = 50);
CREATE INDEX agg_hourly_sales_store ON gold.agg_hourly_sales (store_key, hour_timestamp);
COMMENT ON TABLE gold.agg_hourly_sales IS 'Sales by local hour and store';
COMMENT ON COLUMN gold.agg_hourly_sales.hour_timestamp IS 'Start of the local hour';
COMMENT ON COLUMN gold.agg_hourly_sales.store_key IS 'gold.dim_store';
COMMENT ON COLUMN gold.agg_hourly_sales.transaction_count IS 'Current transactions';
COMMENT ON COLUMN gold.agg_hourly_sales.total_amount IS 'Sum of their amounts, exact';
COMMENT ON COLUMN gold.agg_hourly_sales.avg_amount IS 'Their average amount, 2 decimals';
COMMENT ON COLUMN gold.agg_hourly_sales.fraud_count IS 'Those alerted';

CREATE TABLE gold.store_performance (
    date_key          integer NOT NULL,
    store_key         integer NOT NULL,
    transaction_count bigint NOT NULL,
    total_amount      numeric NOT NULL,
    avg_ticket        numeric GENERATED ALWAYS AS (streamflow.ratio(total_amount, transaction_count, 2)) STORED,
    alert_count       bigint NOT NULL,
    fraud_rate        numeric GENERATED ALWAYS AS (streamflow.ratio(alert_count, transaction_count, 4)) STORED,
    PRIMARY KEY (date_key, store_key)
) WITH (fillfactor = 50);
CREATE INDEX store_performance_store ON gold.store_performance (store_key, date_key);
COMMENT ON TABLE gold.store_performance IS 'Sales and fraud by local day and store';
COMMENT ON COLUMN gold.store_performance.date_key IS 'gold.dim_date: local day, YYYYMMDD';
COMMENT ON COLUMN gold.store_performance.store_key IS 'gold.dim_store';
COMMENT ON COLUMN gold.store_performance.transaction_count IS 'Current transactions';
COMMENT ON COLUMN gold.store_performance.total_amount IS 'Sum of their amounts, exact';
COMMENT ON COLUMN gold.store_performance.avg_ticket IS 'Their average amount, 2 decimals';
COMMENT ON COLUMN gold.store_performance.alert_count IS 'Those alerted';
COMMENT ON COLUMN gold.store_performance.fraud_rate IS 'Alerts / transactions, 4 decimals';

CREATE TABLE gold.agg_daily_fraud (
    date_key          integer PRIMARY KEY,
    total_txns        bigint NOT NULL,
    total_alerts      bigint NOT NULL,
    fraud_rate        numeric GENERATED ALWAYS AS (streamflow.ratio(total_alerts, total_txns, 4)) STORED,
    top_rule          text GENERATED ALWAYS AS (
        streamflow.top_rule(fr_001_alerts, fr_002_alerts, fr_003_alerts, fr_004_alerts, fr_005_alerts)) STORED,
    avg_score         numeric GENERATED ALWAYS AS (
        streamflow.ratio(score_thousandths, 1000 * total_alerts, 3)) STORED,
    score_thousandths bigint NOT NULL,
    fr_001_alerts     bigint NOT NULL,
    fr_002_alerts     bigint NOT NULL,
    fr_003_alerts     bigint NOT NULL,
    fr_004_alerts     bigint NOT NULL,
    fr_005_alerts     bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE gold.agg_daily_fraud IS 'Fraud by local day';
COMMENT ON COLUMN gold.agg_daily_fraud.date_key IS 'gold.dim_date: local day, YYYYMMDD';
COMMENT ON COLUMN gold.agg_daily_fraud.total_txns IS 'Current transactions';
COMMENT ON COLUMN gold.agg_daily_fraud.total_alerts IS 'Those alerted';
COMMENT ON COLUMN gold.agg_daily_fraud.fraud_rate IS 'Alerts / transactions, 4 decimals';
COMMENT ON COLUMN gold.agg_daily_fraud.top_rule IS
    'The rule in most of the alerts, the lowest id of several; null without alerts';
COMMENT ON COLUMN gold.agg_daily_fraud.avg_score IS 'Average score of the alerts, 3 decimals; null without alerts';
COMMENT ON COLUMN gold.agg_daily_fraud.score_thousandths IS 'Sum of the alerts'' scores in thousandths, exact';
COMMENT ON COLUMN gold.agg_daily_fraud.fr_001_alerts IS 'Alerts in which FR-001 took part';
COMMENT ON COLUMN gold.agg_daily_fraud.fr_002_alerts IS 'Alerts in which FR-002 took part';
COMMENT ON COLUMN gold.agg_daily_fraud.fr_003_alerts IS 'Alerts in which FR-003 took part';
COMMENT ON COLUMN gold.agg_daily_fraud.fr_004_alerts IS 'Alerts in which FR-004 took part';
COMMENT ON COLUMN gold.agg_daily_fraud.fr_005_alerts IS 'Alerts in which FR-005 took part';

CREATE TABLE gold.rule_performance (
    date_key          integer NOT NULL,
    rule_id           text NOT NULL,
    hits              bigint NOT NULL,
    alerts            bigint NOT NULL,
    alerts_alone      bigint NOT NULL,
    avg_score         numeric GENERATED ALWAYS AS (streamflow.ratio(score_thousandths, 1000 * hits, 3)) STORED,
    score_thousandths bigint NOT NULL,
    PRIMARY KEY (date_key, rule_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE gold.rule_performance IS 'What each rule found, by local day';
COMMENT ON COLUMN gold.rule_performance.date_key IS 'gold.dim_date: local day, YYYYMMDD';
COMMENT ON COLUMN gold.rule_performance.rule_id IS 'FR-001 to FR-005';
COMMENT ON COLUMN gold.rule_performance.hits IS 'Transactions in which it triggered';
COMMENT ON COLUMN gold.rule_performance.alerts IS 'Alerts in which it took part';
COMMENT ON COLUMN gold.rule_performance.alerts_alone IS 'Alerts in which no other rule took part';
COMMENT ON COLUMN gold.rule_performance.avg_score IS 'Average score of its hits, 3 decimals';
COMMENT ON COLUMN gold.rule_performance.score_thousandths IS 'Sum of its hits'' scores in thousandths, exact';

CREATE TABLE gold.realtime_metrics (
    window_start       timestamptz NOT NULL,
    store_key          integer,
    transaction_count  bigint NOT NULL,
    total_amount       numeric NOT NULL,
    avg_amount         numeric GENERATED ALWAYS AS (streamflow.ratio(total_amount, transaction_count, 2)) STORED,
    alert_count        bigint NOT NULL,
    distinct_customers bigint,
    changed_frontier   bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (window_start, store_key)
) WITH (fillfactor = 50);
COMMENT ON TABLE gold.realtime_metrics IS
    'One-minute windows on event time; kept for 24 hours behind streamflow.progress.watermark';
COMMENT ON COLUMN gold.realtime_metrics.window_start IS 'Start of the minute';
COMMENT ON COLUMN gold.realtime_metrics.store_key IS 'gold.dim_store; null = all stores';
COMMENT ON COLUMN gold.realtime_metrics.transaction_count IS 'Current transactions';
COMMENT ON COLUMN gold.realtime_metrics.total_amount IS 'Sum of their amounts, exact';
COMMENT ON COLUMN gold.realtime_metrics.avg_amount IS 'Their average amount, 2 decimals';
COMMENT ON COLUMN gold.realtime_metrics.alert_count IS 'Those alerted';
COMMENT ON COLUMN gold.realtime_metrics.distinct_customers IS 'Distinct customers; null in the rows of single stores';
COMMENT ON COLUMN gold.realtime_metrics.changed_frontier IS 'The committed frontier with which the row last changed, ms';
