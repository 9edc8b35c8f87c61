-- Scores by rule as data: no column, function or sum names a rule, so a rule more needs no migration.

ALTER TABLE silver.transactions ADD COLUMN rule_scores jsonb;
UPDATE silver.transactions
SET rule_scores = jsonb_strip_nulls(jsonb_build_object(
    'FR-001', fr_001, 'FR-002', fr_002, 'FR-003', fr_003, 'FR-004', fr_004, 'FR-005', fr_005))
WHERE coalesce(fr_001, fr_002, fr_003, fr_004, fr_005) IS NOT NULL;
COMMENT ON COLUMN silver.transactions.rule_scores IS
    'Score of each rule that triggered by its id, 0 to 1000; null where none did';

CREATE FUNCTION streamflow.rules_triggered(rule_scores jsonb) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT coalesce(array_agg(rule ORDER BY rule COLLATE "C"), '{}') FROM jsonb_object_keys(rule_scores) AS rule);
COMMENT ON FUNCTION streamflow.rules_triggered(jsonb) IS 'Ids of the rules that have a score, in their order';

CREATE OR REPLACE VIEW silver.clean_transactions AS
SELECT t.transaction_id,
       c.customer_id,
       s.store_id,
       p.product_id,
       t.amount_cents * 0.01 AS amount,
       t.currency,
       t.payment_method,
       t.latitude / 1e7::double precision AS latitude,
       t.longitude / 1e7::double precision AS longitude,
       t.transaction_at,
       t.score_thousandths * 0.001 AS fraud_score,
       streamflow.rules_triggered(t.rule_scores) AS rules_triggered,
       t.is_fraud,
       t.voided,
       t.revision,
       o.topic AS source_topic,
       t.source_partition,
       t.source_offset
FROM silver.transactions AS t
LEFT JOIN gold.dim_customer AS c ON c.customer_key = t.customer_key
LEFT JOIN gold.dim_store AS s ON s.store_key = t.store_key
LEFT JOIN gold.dim_product AS p ON p.product_key = t.product_key
LEFT JOIN streamflow.topics AS o ON o.topic_key = t.topic_key;

DROP FUNCTION streamflow.rules_triggered(smallint, smallint, smallint, smallint, smallint);
ALTER TABLE silver.transactions
    DROP COLUMN fr_001, DROP COLUMN fr_002, DROP COLUMN fr_003, DROP COLUMN fr_004, DROP COLUMN fr_005;

-- Alerts by rule and day are in gold.rule_performance; the day's top rule is read from there.
ALTER TABLE gold.agg_daily_fraud RENAME TO daily_fraud_totals;
ALTER TABLE gold.daily_fraud_totals RENAME CONSTRAINT agg_daily_fraud_pkey TO daily_fraud_totals_pkey;
ALTER TABLE gold.daily_fraud_totals
    DROP COLUMN top_rule, DROP COLUMN fraud_rate, DROP COLUMN avg_score,
    DROP COLUMN fr_001_alerts, DROP COLUMN fr_002_alerts, DROP COLUMN fr_003_alerts,
    DROP COLUMN fr_004_alerts, DROP COLUMN fr_005_alerts;
DROP FUNCTION streamflow.top_rule(bigint, bigint, bigint, bigint, bigint);
COMMENT ON TABLE gold.daily_fraud_totals IS 'Exact sums behind gold.agg_daily_fraud';
COMMENT ON COLUMN gold.rule_performance.rule_id IS 'The rule, such as FR-001';

CREATE VIEW gold.agg_daily_fraud AS
SELECT t.date_key,
       t.total_txns,
       t.total_alerts,
       streamflow.ratio(t.total_alerts, t.total_txns, 4) AS fraud_rate,
       (SELECT p.rule_id FROM gold.rule_performance AS p WHERE p.date_key = t.date_key AND p.alerts > 0
        ORDER BY p.alerts DESC, p.rule_id COLLATE "C" LIMIT 1) AS top_rule,
       streamflow.ratio(t.score_thousandths, 1000 * t.total_alerts, 3) AS avg_score,
       t.score_thousandths
FROM gold.daily_fraud_totals AS t;
COMMENT ON VIEW gold.agg_daily_fraud IS 'Fraud by local day';
COMMENT ON COLUMN gold.agg_daily_fraud.date_key IS 'gold.dim_date: local day, YYYYMMDD';
COMMENT ON COLUMN gold.agg_daily_fraud.total_txns IS 'Current transactions';
COMMENT ON COLUMN gold.agg_daily_fraud.total_alerts IS 'Those alerted';
COMMENT ON COLUMN gold.agg_daily_fraud.fraud_rate IS 'Alerts / transactions, 4 decimals';
COMMENT ON COLUMN gold.agg_daily_fraud.top_rule IS
    'The rule in most of the alerts, the lowest id of several; null without alerts';
COMMENT ON COLUMN gold.agg_daily_fraud.avg_score IS 'Average score of the alerts, 3 decimals; null without alerts';
COMMENT ON COLUMN gold.agg_daily_fraud.score_thousandths IS 'Sum of the alerts'' scores in thousandths, exact';
