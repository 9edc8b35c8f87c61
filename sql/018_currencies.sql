-- Amounts of different currencies are never added: sums that hold money are by currency.
--
-- A row of before holds the sums of all currencies. What silver has in others than BRL is taken out of it into rows
-- of their own; the rest is BRL's. So nobody's sums change who has BRL alone, and what silver no longer has (the
-- transaction of an id that was used again) stays counted where it was, in BRL.

-- Sales by local hour and store.

ALTER TABLE gold.agg_hourly_sales ADD COLUMN currency text COLLATE "C" NOT NULL DEFAULT 'BRL';
ALTER TABLE gold.agg_hourly_sales
    ALTER COLUMN currency DROP DEFAULT,
    DROP CONSTRAINT agg_hourly_sales_pkey,
    ADD PRIMARY KEY (hour_timestamp, store_key, currency);
COMMENT ON TABLE gold.agg_hourly_sales IS 'Sales by local hour, store and currency';
COMMENT ON COLUMN gold.agg_hourly_sales.currency IS 'ISO 4217 code of the amounts';
COMMENT ON COLUMN gold.agg_hourly_sales.distinct_customers IS
    'Distinct customers who paid in this currency: who paid in two counts in both rows, so they cannot be added over currencies';

WITH facts AS (
    SELECT date_trunc('hour', transaction_at, streamflow.time_zone()) AS hour_timestamp, store_key, currency,
           count(*) AS transactions, sum(amount_cents) * 0.01 AS amount, count(*) FILTER (WHERE is_fraud) AS alerts,
           count(DISTINCT customer_key) AS customers
    FROM silver.transactions WHERE NOT voided GROUP BY 1, 2, 3
), others AS (
    SELECT * FROM facts WHERE currency <> 'BRL'
), rest AS (
    UPDATE gold.agg_hourly_sales AS a
    SET transaction_count = a.transaction_count - o.transactions,
        total_amount = a.total_amount - o.amount,
        fraud_count = a.fraud_count - o.alerts,
        distinct_customers = coalesce((SELECT f.customers FROM facts AS f WHERE f.hour_timestamp = a.hour_timestamp
                                           AND f.store_key = a.store_key AND f.currency = 'BRL'), 0)
    FROM (SELECT hour_timestamp, store_key, sum(transactions) AS transactions, sum(amount) AS amount,
                 sum(alerts) AS alerts FROM others GROUP BY 1, 2) AS o
    WHERE a.hour_timestamp = o.hour_timestamp AND a.store_key = o.store_key
)
INSERT INTO gold.agg_hourly_sales
    (hour_timestamp, store_key, currency, transaction_count, total_amount, fraud_count, distinct_customers)
SELECT hour_timestamp, store_key, currency, transactions, amount, alerts, customers FROM others;
DELETE FROM gold.agg_hourly_sales WHERE transaction_count = 0;

-- Sales and fraud by local day and store.

ALTER TABLE gold.store_performance ADD COLUMN currency text COLLATE "C" NOT NULL DEFAULT 'BRL';
ALTER TABLE gold.store_performance
    ALTER COLUMN currency DROP DEFAULT,
    DROP CONSTRAINT store_performance_pkey,
    ADD PRIMARY KEY (date_key, store_key, currency);
COMMENT ON TABLE gold.store_performance IS 'Sales and fraud by local day, store and currency';
COMMENT ON COLUMN gold.store_performance.currency IS 'ISO 4217 code of the amounts';

WITH others AS (
    SELECT date_key, store_key, currency, count(*) AS transactions, sum(amount_cents) * 0.01 AS amount,
           count(*) FILTER (WHERE is_fraud) AS alerts
    FROM silver.transactions WHERE NOT voided AND currency <> 'BRL' GROUP BY 1, 2, 3
), rest AS (
    UPDATE gold.store_performance AS p
    SET transaction_count = p.transaction_count - o.transactions,
        total_amount = p.total_amount - o.amount,
        alert_count = p.alert_count - o.alerts
    FROM (SELECT date_key, store_key, sum(transactions) AS transactions, sum(amount) AS amount,
                 sum(alerts) AS alerts FROM others GROUP BY 1, 2) AS o
    WHERE p.date_key = o.date_key AND p.store_key = o.store_key
)
INSERT INTO gold.store_performance (date_key, store_key, currency, transaction_count, total_amount, alert_count)
SELECT date_key, store_key, currency, transactions, amount, alerts FROM others;
DELETE FROM gold.store_performance WHERE transaction_count = 0;

-- Customers.

ALTER TABLE gold.customer_totals ADD COLUMN currency text COLLATE "C" NOT NULL DEFAULT 'BRL';
ALTER TABLE gold.customer_totals
    ALTER COLUMN currency DROP DEFAULT,
    DROP CONSTRAINT customer_totals_pkey,
    ADD PRIMARY KEY (customer_key, currency);
COMMENT ON COLUMN gold.customer_totals.currency IS 'ISO 4217 code of the amounts';

WITH of_others AS (
    SELECT DISTINCT customer_key FROM silver.transactions WHERE NOT voided AND currency <> 'BRL'
), facts AS (
    SELECT customer_key, currency, min(transaction_at) AS first_seen, max(transaction_at) AS last_seen,
           count(*) AS transactions, sum(minute)::bigint AS minutes, sum(minute * minute)::bigint AS square_minutes,
           count(*) FILTER (WHERE is_fraud) AS alerts, sum(amount_cents) * 0.01 AS amount
    FROM (SELECT *, (extract(hour FROM local) * 60 + extract(minute FROM local))::bigint AS minute
          FROM (SELECT *, transaction_at AT TIME ZONE streamflow.time_zone() AS local
                FROM silver.transactions JOIN of_others USING (customer_key) WHERE NOT voided) AS l) AS t
    GROUP BY 1, 2
), others AS (
    SELECT * FROM facts WHERE currency <> 'BRL'
), rest AS (
    UPDATE gold.customer_totals AS c
    SET first_seen = coalesce(f.first_seen, c.first_seen),
        last_seen = coalesce(f.last_seen, c.last_seen),
        transaction_count = c.transaction_count - o.transactions,
        minute_sum = c.minute_sum - o.minutes,
        minute_square_sum = c.minute_square_sum - o.square_minutes,
        alert_count = c.alert_count - o.alerts,
        total_amount = c.total_amount - o.amount
    FROM (SELECT customer_key, sum(transactions) AS transactions, sum(minutes) AS minutes,
                 sum(square_minutes) AS square_minutes, sum(alerts) AS alerts, sum(amount) AS amount
          FROM others GROUP BY 1) AS o
    LEFT JOIN facts AS f ON f.customer_key = o.customer_key AND f.currency = 'BRL'
    WHERE c.customer_key = o.customer_key
)
INSERT INTO gold.customer_totals (customer_key, currency, first_seen, last_seen, transaction_count, minute_sum,
                                  minute_square_sum, alert_count, total_amount)
SELECT customer_key, currency, first_seen, last_seen, transactions, minutes, square_minutes, alerts, amount FROM others;
DELETE FROM gold.customer_totals WHERE transaction_count = 0;

CREATE OR REPLACE VIEW gold.customer_profile AS
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
       t.minute_square_sum,
       t.currency
FROM gold.customer_totals AS t
LEFT JOIN gold.dim_customer AS c ON c.customer_key = t.customer_key;
COMMENT ON VIEW gold.customer_profile IS
    'What each customer did so far in each currency; one row per customer and currency with transactions';
COMMENT ON COLUMN gold.customer_profile.currency IS 'ISO 4217 code of the amounts; all columns are of transactions in it';

-- One-minute windows. A window whose sums are split keeps its frontier: it is published again when it changes.

ALTER TABLE streamflow.emptied_windows ADD COLUMN currency text COLLATE "C" NOT NULL DEFAULT 'BRL';
ALTER TABLE streamflow.emptied_windows
    ALTER COLUMN currency DROP DEFAULT,
    DROP CONSTRAINT emptied_windows_window_start_store_key_key,
    ADD UNIQUE NULLS NOT DISTINCT (window_start, store_key, currency);
COMMENT ON COLUMN streamflow.emptied_windows.currency IS 'ISO 4217 code of the amounts';

CREATE OR REPLACE FUNCTION streamflow.note_emptied_window() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
AS $$
DECLARE
    committed streamflow.progress;
BEGIN
    SELECT * INTO committed FROM streamflow.progress;
    IF OLD.window_start < date_trunc('minute', committed.watermark) - interval '24 hours' THEN
        -- Dropped because of its age: that empties nothing.
        DELETE FROM streamflow.emptied_windows WHERE window_start <= OLD.window_start;
    ELSE
        INSERT INTO streamflow.emptied_windows (window_start, store_key, currency, changed_frontier)
        VALUES (OLD.window_start, OLD.store_key, OLD.currency, committed.frontier)
        ON CONFLICT (window_start, store_key, currency) DO UPDATE SET changed_frontier = excluded.changed_frontier;
    END IF;
    RETURN NULL;
END
$$;

ALTER TABLE gold.realtime_metrics ADD COLUMN currency text COLLATE "C" NOT NULL DEFAULT 'BRL';
ALTER TABLE gold.realtime_metrics
    ALTER COLUMN currency DROP DEFAULT,
    DROP CONSTRAINT realtime_metrics_window_start_store_key_key,
    ADD UNIQUE NULLS NOT DISTINCT (window_start, store_key, currency);
COMMENT ON TABLE gold.realtime_metrics IS
    'One-minute windows on event time, by currency; kept for 24 hours behind streamflow.progress.watermark';
COMMENT ON COLUMN gold.realtime_metrics.currency IS 'ISO 4217 code of the amounts';
COMMENT ON COLUMN gold.realtime_metrics.distinct_customers IS
    'Distinct customers who paid in this currency: who paid in two counts in both rows, so they cannot be added over currencies; null in the rows of single stores';

WITH facts AS (
    SELECT date_trunc('minute', transaction_at) AS window_start, store_key, currency, count(*) AS transactions,
           sum(amount_cents) * 0.01 AS amount, count(*) FILTER (WHERE is_fraud) AS alerts,
           CASE WHEN grouping(store_key) = 1 THEN count(DISTINCT customer_key) END AS customers
    FROM silver.transactions
    WHERE NOT voided AND transaction_at >= (SELECT min(window_start) FROM gold.realtime_metrics)
    GROUP BY GROUPING SETS ((date_trunc('minute', transaction_at), store_key, currency),
                            (date_trunc('minute', transaction_at), currency))
), others AS (
    SELECT * FROM facts WHERE currency <> 'BRL'
), rest AS (
    UPDATE gold.realtime_metrics AS m
    SET transaction_count = m.transaction_count - o.transactions,
        total_amount = m.total_amount - o.amount,
        alert_count = m.alert_count - o.alerts,
        distinct_customers = CASE WHEN m.store_key IS NULL THEN coalesce(
            (SELECT f.customers FROM facts AS f
             WHERE f.window_start = m.window_start AND f.store_key IS NULL AND f.currency = 'BRL'), 0) END
    FROM (SELECT window_start, store_key, sum(transactions) AS transactions, sum(amount) AS amount,
                 sum(alerts) AS alerts FROM others GROUP BY 1, 2) AS o
    WHERE m.window_start = o.window_start AND m.store_key IS NOT DISTINCT FROM o.store_key
)
INSERT INTO gold.realtime_metrics (window_start, store_key, currency, transaction_count, total_amount, alert_count,
                                   distinct_customers, changed_frontier)
SELECT o.window_start, o.store_key, o.currency, o.transactions, o.amount, o.alerts, o.customers, m.changed_frontier
FROM others AS o
JOIN gold.realtime_metrics AS m
    ON m.window_start = o.window_start AND m.store_key IS NOT DISTINCT FROM o.store_key;
DELETE FROM gold.realtime_metrics WHERE transaction_count = 0;

-- Rates by which views convert. Users fill them; nothing in the pipeline reads or writes them.

CREATE TABLE gold.exchange_rates (
    reporting_currency text COLLATE "C" NOT NULL DEFAULT 'BRL' CHECK (reporting_currency ~ '^[A-Z]{3}$'),
    currency           text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    valid_from         date NOT NULL,
    -- Neither infinite nor NaN, which is above everything; with so many decimals all products below are exact.
    rate               numeric NOT NULL CHECK (rate > 0 AND rate < 'Infinity' AND scale(rate) <= 12),
    PRIMARY KEY (reporting_currency, currency, valid_from),
    CHECK (currency <> reporting_currency)
);
COMMENT ON TABLE gold.exchange_rates IS
    'What one unit of a currency is worth in a reporting currency from a day on; filled by members of streamflow_loader';
COMMENT ON COLUMN gold.exchange_rates.reporting_currency IS 'ISO 4217 code of the currency to convert to';
COMMENT ON COLUMN gold.exchange_rates.currency IS 'ISO 4217 code of the currency to convert from';
COMMENT ON COLUMN gold.exchange_rates.valid_from IS 'First local day on which the rate holds, until the next one';
COMMENT ON COLUMN gold.exchange_rates.rate IS 'Units of the reporting currency for one unit of the currency, at most 12 decimals';

CREATE VIEW gold.reporting_currencies AS
SELECT 'BRL' COLLATE "C" AS reporting_currency UNION SELECT reporting_currency FROM gold.exchange_rates;
COMMENT ON VIEW gold.reporting_currencies IS 'Currencies to which amounts can be converted: BRL, and those for which there are rates';
COMMENT ON COLUMN gold.reporting_currencies.reporting_currency IS 'ISO 4217 code';

CREATE FUNCTION streamflow.exchange_rate(of_currency text, to_currency text, on_day date) RETURNS numeric
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN of_currency = to_currency THEN 1::numeric ELSE (
        SELECT r.rate FROM gold.exchange_rates AS r
        WHERE r.reporting_currency = to_currency AND r.currency = of_currency AND r.valid_from <= on_day
        ORDER BY r.valid_from DESC LIMIT 1) END;
COMMENT ON FUNCTION streamflow.exchange_rate(text, text, date) IS
    'The rate of gold.exchange_rates with the latest valid_from up to the day; 1 for a currency and itself, null without a rate';

-- Amounts are multiplied and added exactly, and rounded once, half away from zero. A sum that lacks a rate is null.

CREATE VIEW gold.hourly_sales_converted AS
SELECT s.hour_timestamp,
       s.store_key,
       c.reporting_currency,
       sum(s.transaction_count)::bigint AS transaction_count,
       CASE WHEN count(*) = count(e.rate) THEN round(sum(s.total_amount * e.rate), 2) END AS total_amount,
       CASE WHEN count(*) = count(e.rate) THEN
           streamflow.ratio(sum(s.total_amount * e.rate), sum(s.transaction_count)::bigint, 2) END AS avg_amount,
       sum(s.fraud_count)::bigint AS fraud_count,
       coalesce(array_agg(s.currency ORDER BY s.currency) FILTER (WHERE e.rate IS NULL), '{}') AS missing_rates
FROM gold.agg_hourly_sales AS s
CROSS JOIN gold.reporting_currencies AS c
CROSS JOIN LATERAL (SELECT streamflow.exchange_rate(
    s.currency, c.reporting_currency, (s.hour_timestamp AT TIME ZONE streamflow.time_zone())::date) AS rate) AS e
GROUP BY 1, 2, 3;
COMMENT ON VIEW gold.hourly_sales_converted IS
    'gold.agg_hourly_sales over all currencies, converted at the rates of the day; one row for each reporting currency';
COMMENT ON COLUMN gold.hourly_sales_converted.hour_timestamp IS 'Start of the local hour';
COMMENT ON COLUMN gold.hourly_sales_converted.store_key IS 'gold.dim_store';
COMMENT ON COLUMN gold.hourly_sales_converted.reporting_currency IS 'ISO 4217 code of the amounts';
COMMENT ON COLUMN gold.hourly_sales_converted.transaction_count IS 'Current transactions, in any currency';
COMMENT ON COLUMN gold.hourly_sales_converted.total_amount IS 'Sum of their amounts, 2 decimals; null where a rate is missing';
COMMENT ON COLUMN gold.hourly_sales_converted.avg_amount IS 'Their average amount, 2 decimals; null where a rate is missing';
COMMENT ON COLUMN gold.hourly_sales_converted.fraud_count IS 'Those alerted';
COMMENT ON COLUMN gold.hourly_sales_converted.missing_rates IS 'Currencies without a rate on that day; empty where all is converted';

CREATE VIEW gold.store_performance_converted AS
SELECT p.date_key,
       p.store_key,
       c.reporting_currency,
       sum(p.transaction_count)::bigint AS transaction_count,
       CASE WHEN count(*) = count(e.rate) THEN round(sum(p.total_amount * e.rate), 2) END AS total_amount,
       CASE WHEN count(*) = count(e.rate) THEN
           streamflow.ratio(sum(p.total_amount * e.rate), sum(p.transaction_count)::bigint, 2) END AS avg_ticket,
       sum(p.alert_count)::bigint AS alert_count,
       streamflow.ratio(sum(p.alert_count), sum(p.transaction_count)::bigint, 4) AS fraud_rate,
       coalesce(array_agg(p.currency ORDER BY p.currency) FILTER (WHERE e.rate IS NULL), '{}') AS missing_rates
FROM gold.store_performance AS p
CROSS JOIN gold.reporting_currencies AS c
CROSS JOIN LATERAL (SELECT streamflow.exchange_rate(
    p.currency, c.reporting_currency, make_date(p.date_key / 10000, p.date_key / 100 % 100, p.date_key % 100)) AS rate) AS e
GROUP BY 1, 2, 3;
COMMENT ON VIEW gold.store_performance_converted IS
    'gold.store_performance over all currencies, converted at the rates of the day; one row for each reporting currency';
COMMENT ON COLUMN gold.store_performance_converted.date_key IS 'gold.dim_date: local day, YYYYMMDD';
COMMENT ON COLUMN gold.store_performance_converted.store_key IS 'gold.dim_store';
COMMENT ON COLUMN gold.store_performance_converted.reporting_currency IS 'ISO 4217 code of the amounts';
COMMENT ON COLUMN gold.store_performance_converted.transaction_count IS 'Current transactions, in any currency';
COMMENT ON COLUMN gold.store_performance_converted.total_amount IS 'Sum of their amounts, 2 decimals; null where a rate is missing';
COMMENT ON COLUMN gold.store_performance_converted.avg_ticket IS 'Their average amount, 2 decimals; null where a rate is missing';
COMMENT ON COLUMN gold.store_performance_converted.alert_count IS 'Those alerted';
COMMENT ON COLUMN gold.store_performance_converted.fraud_rate IS 'Alerts / transactions, 4 decimals';
COMMENT ON COLUMN gold.store_performance_converted.missing_rates IS 'Currencies without a rate on that day; empty where all is converted';

CREATE VIEW gold.payment_performance_converted AS
SELECT p.date_key,
       p.payment_method,
       c.reporting_currency,
       sum(p.transaction_count)::bigint AS transaction_count,
       CASE WHEN count(*) = count(e.rate) THEN round(sum(p.total_amount * e.rate), 2) END AS total_amount,
       sum(p.alert_count)::bigint AS alert_count,
       streamflow.ratio(sum(p.alert_count), sum(p.transaction_count)::bigint, 4) AS fraud_rate,
       coalesce(array_agg(p.currency ORDER BY p.currency) FILTER (WHERE e.rate IS NULL), '{}') AS missing_rates
FROM gold.payment_performance AS p
CROSS JOIN gold.reporting_currencies AS c
CROSS JOIN LATERAL (SELECT streamflow.exchange_rate(
    p.currency, c.reporting_currency, make_date(p.date_key / 10000, p.date_key / 100 % 100, p.date_key % 100)) AS rate) AS e
GROUP BY 1, 2, 3;
COMMENT ON VIEW gold.payment_performance_converted IS
    'gold.payment_performance over all currencies, converted at the rates of the day; one row for each reporting currency';
COMMENT ON COLUMN gold.payment_performance_converted.date_key IS 'gold.dim_date: local day, YYYYMMDD';
COMMENT ON COLUMN gold.payment_performance_converted.payment_method IS 'How it was paid; unknown where not told';
COMMENT ON COLUMN gold.payment_performance_converted.reporting_currency IS 'ISO 4217 code of the amounts';
COMMENT ON COLUMN gold.payment_performance_converted.transaction_count IS 'Current transactions, in any currency';
COMMENT ON COLUMN gold.payment_performance_converted.total_amount IS 'Sum of their amounts, 2 decimals; null where a rate is missing';
COMMENT ON COLUMN gold.payment_performance_converted.alert_count IS 'Those alerted';
COMMENT ON COLUMN gold.payment_performance_converted.fraud_rate IS 'Alerts / transactions, 4 decimals';
COMMENT ON COLUMN gold.payment_performance_converted.missing_rates IS 'Currencies without a rate on that day; empty where all is converted';

-- Distinct customers are left out: they cannot be added over currencies.
CREATE VIEW gold.realtime_metrics_converted AS
SELECT m.window_start,
       m.store_key,
       c.reporting_currency,
       sum(m.transaction_count)::bigint AS transaction_count,
       CASE WHEN count(*) = count(e.rate) THEN round(sum(m.total_amount * e.rate), 2) END AS total_amount,
       CASE WHEN count(*) = count(e.rate) THEN
           streamflow.ratio(sum(m.total_amount * e.rate), sum(m.transaction_count)::bigint, 2) END AS avg_amount,
       sum(m.alert_count)::bigint AS alert_count,
       coalesce(array_agg(m.currency ORDER BY m.currency) FILTER (WHERE e.rate IS NULL), '{}') AS missing_rates
FROM gold.realtime_metrics AS m
CROSS JOIN gold.reporting_currencies AS c
CROSS JOIN LATERAL (SELECT streamflow.exchange_rate(
    m.currency, c.reporting_currency, (m.window_start AT TIME ZONE streamflow.time_zone())::date) AS rate) AS e
GROUP BY 1, 2, 3;
COMMENT ON VIEW gold.realtime_metrics_converted IS
    'gold.realtime_metrics over all currencies, converted at the rates of the day; one row for each reporting currency';
COMMENT ON COLUMN gold.realtime_metrics_converted.window_start IS 'Start of the minute';
COMMENT ON COLUMN gold.realtime_metrics_converted.store_key IS 'gold.dim_store; null = all stores';
COMMENT ON COLUMN gold.realtime_metrics_converted.reporting_currency IS 'ISO 4217 code of the amounts';
COMMENT ON COLUMN gold.realtime_metrics_converted.transaction_count IS 'Current transactions, in any currency';
COMMENT ON COLUMN gold.realtime_metrics_converted.total_amount IS 'Sum of their amounts, 2 decimals; null where a rate is missing';
COMMENT ON COLUMN gold.realtime_metrics_converted.avg_amount IS 'Their average amount, 2 decimals; null where a rate is missing';
COMMENT ON COLUMN gold.realtime_metrics_converted.alert_count IS 'Those alerted';
COMMENT ON COLUMN gold.realtime_metrics_converted.missing_rates IS 'Currencies without a rate on that day; empty where all is converted';

CREATE VIEW gold.fact_transactions_converted AS
SELECT t.transaction_id,
       t.date_key,
       t.customer_key,
       t.store_key,
       t.transaction_at,
       t.amount,
       t.currency,
       c.reporting_currency,
       e.rate,
       t.amount * e.rate AS converted_amount
FROM gold.fact_transactions AS t
CROSS JOIN gold.reporting_currencies AS c
CROSS JOIN LATERAL (SELECT streamflow.exchange_rate(
    t.currency, c.reporting_currency, make_date(t.date_key / 10000, t.date_key / 100 % 100, t.date_key % 100)) AS rate) AS e;
COMMENT ON VIEW gold.fact_transactions_converted IS
    'gold.fact_transactions with each amount converted at the rate of its day; one row for each reporting currency';
COMMENT ON COLUMN gold.fact_transactions_converted.transaction_id IS 'Identity';
COMMENT ON COLUMN gold.fact_transactions_converted.date_key IS 'gold.dim_date: local day, YYYYMMDD';
COMMENT ON COLUMN gold.fact_transactions_converted.customer_key IS 'gold.dim_customer';
COMMENT ON COLUMN gold.fact_transactions_converted.store_key IS 'gold.dim_store';
COMMENT ON COLUMN gold.fact_transactions_converted.transaction_at IS 'Event time';
COMMENT ON COLUMN gold.fact_transactions_converted.amount IS 'Amount in the currency, 2 decimals';
COMMENT ON COLUMN gold.fact_transactions_converted.currency IS 'ISO 4217 code';
COMMENT ON COLUMN gold.fact_transactions_converted.reporting_currency IS 'ISO 4217 code of the converted amount';
COMMENT ON COLUMN gold.fact_transactions_converted.rate IS 'Rate of the day; null where it is missing';
COMMENT ON COLUMN gold.fact_transactions_converted.converted_amount IS
    'Amount in the reporting currency, exact: round after adding; null where the rate is missing, which sum() passes over';

-- Only those who load rates change them. Another database of the server may have the role already.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'streamflow_loader') THEN
        BEGIN
            CREATE ROLE streamflow_loader NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END IF;
END
$$;
GRANT USAGE ON SCHEMA gold TO streamflow_loader;
GRANT SELECT, INSERT, UPDATE, DELETE ON gold.exchange_rates TO streamflow_loader;
REVOKE INSERT, UPDATE, DELETE ON gold.exchange_rates FROM streamflow_writer;
