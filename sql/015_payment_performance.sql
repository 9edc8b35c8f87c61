-- Payments by method, day and currency.

CREATE TABLE gold.payment_performance (
    date_key          integer NOT NULL,
    payment_method    text COLLATE "C" NOT NULL,
    currency          text COLLATE "C" NOT NULL,
    transaction_count bigint NOT NULL,
    total_amount      numeric NOT NULL,
    alert_count       bigint NOT NULL,
    fraud_rate        numeric GENERATED ALWAYS AS (streamflow.ratio(alert_count, transaction_count, 4)) STORED,
    PRIMARY KEY (date_key, payment_method, currency)
) WITH (fillfactor = 50);
COMMENT ON TABLE gold.payment_performance IS 'Sales and fraud by local day, payment method and currency';
COMMENT ON COLUMN gold.payment_performance.date_key IS 'gold.dim_date: local day, YYYYMMDD';
COMMENT ON COLUMN gold.payment_performance.payment_method IS 'How it was paid; unknown where not told';
COMMENT ON COLUMN gold.payment_performance.currency IS 'ISO 4217 code of the amounts';
COMMENT ON COLUMN gold.payment_performance.transaction_count IS 'Current transactions';
COMMENT ON COLUMN gold.payment_performance.total_amount IS 'Sum of their amounts, exact';
COMMENT ON COLUMN gold.payment_performance.alert_count IS 'Those alerted';
COMMENT ON COLUMN gold.payment_performance.fraud_rate IS 'Alerts / transactions, 4 decimals';

-- What is stored already, as of the committed frontier.
INSERT INTO gold.payment_performance (date_key, payment_method, currency, transaction_count, total_amount, alert_count)
SELECT date_key, coalesce(payment_method, 'unknown'), currency, count(*), sum(amount_cents) * 0.01,
       count(*) FILTER (WHERE is_fraud)
FROM silver.transactions WHERE NOT voided GROUP BY 1, 2, 3;
