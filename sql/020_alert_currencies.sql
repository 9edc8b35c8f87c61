-- An alert's amount has a currency, as its transaction has.

ALTER TABLE gold.fact_fraud_alerts ADD COLUMN currency text COLLATE "C" NOT NULL DEFAULT 'BRL';
ALTER TABLE gold.fact_fraud_alerts ALTER COLUMN currency DROP DEFAULT;
UPDATE gold.fact_fraud_alerts AS a SET currency = t.currency
FROM silver.transactions AS t WHERE t.transaction_id = a.transaction_id AND t.currency <> 'BRL';
COMMENT ON COLUMN gold.fact_fraud_alerts.currency IS 'ISO 4217 code of the amount';
