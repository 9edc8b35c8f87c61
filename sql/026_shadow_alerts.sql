-- Shadow sets of rules: evaluated on the same transactions at the same frontier as the live set, and only recorded.

ALTER TABLE gold.rule_versions ADD COLUMN rule_set text COLLATE "C" NOT NULL DEFAULT 'live';
ALTER TABLE gold.rule_versions ALTER COLUMN rule_set DROP DEFAULT;
COMMENT ON COLUMN gold.rule_versions.rule_set IS
    'live, whose alerts are told, or the name of a shadow set; a shadow set without rules is removed';

ALTER TABLE silver.transactions ADD COLUMN shadow_alerts jsonb;
COMMENT ON COLUMN silver.transactions.shadow_alerts IS
    'What shadow sets would alert, by name: score and the scores by rule, in thousandths; null for nothing';
CREATE INDEX transactions_shadow_alerts ON silver.transactions (transaction_at) WHERE shadow_alerts IS NOT NULL;

CREATE VIEW gold.shadow_alerts AS
SELECT of_set.name COLLATE "C" AS rule_set,
       t.transaction_id,
       t.date_key,
       t.customer_key,
       t.store_key,
       streamflow.ratio((of_set.alert ->> 'score')::bigint, 1000, 3) AS fraud_score,
       streamflow.rules_triggered(of_set.alert -> 'rules') AS rules_triggered,
       of_set.alert -> 'rules' AS rule_scores,
       t.amount_cents / 100.0 AS transaction_amount,
       t.currency,
       t.transaction_at,
       t.is_fraud AS is_alerted
FROM silver.transactions AS t CROSS JOIN LATERAL jsonb_each(t.shadow_alerts) AS of_set (name, alert)
WHERE t.shadow_alerts IS NOT NULL;
COMMENT ON VIEW gold.shadow_alerts IS 'What shadow sets of rules would alert; nobody is told';
COMMENT ON COLUMN gold.shadow_alerts.rule_set IS 'The shadow set';
COMMENT ON COLUMN gold.shadow_alerts.transaction_id IS 'gold.fact_transactions';
COMMENT ON COLUMN gold.shadow_alerts.date_key IS 'gold.dim_date: local day, YYYYMMDD';
COMMENT ON COLUMN gold.shadow_alerts.customer_key IS 'gold.dim_customer';
COMMENT ON COLUMN gold.shadow_alerts.store_key IS 'gold.dim_store';
COMMENT ON COLUMN gold.shadow_alerts.fraud_score IS 'Combined score by the set, 0 to 1, 3 decimals';
COMMENT ON COLUMN gold.shadow_alerts.rules_triggered IS 'Rules of the set that triggered';
COMMENT ON COLUMN gold.shadow_alerts.rule_scores IS 'The score of each of them in thousandths';
COMMENT ON COLUMN gold.shadow_alerts.transaction_amount IS 'Amount in the currency, 2 decimals';
COMMENT ON COLUMN gold.shadow_alerts.currency IS 'ISO 4217';
COMMENT ON COLUMN gold.shadow_alerts.transaction_at IS 'Event time';
COMMENT ON COLUMN gold.shadow_alerts.is_alerted IS 'The live set alerts it too';
GRANT SELECT ON gold.shadow_alerts TO streamflow_reader;

ALTER TABLE gold.rule_performance ADD COLUMN rule_set text COLLATE "C" NOT NULL DEFAULT 'live';
ALTER TABLE gold.rule_performance ALTER COLUMN rule_set DROP DEFAULT;
ALTER TABLE gold.rule_performance DROP CONSTRAINT rule_performance_pkey;
ALTER TABLE gold.rule_performance ADD CONSTRAINT rule_performance_pkey PRIMARY KEY (date_key, rule_set, rule_id);
COMMENT ON TABLE gold.rule_performance IS 'What each rule found, by local day and set of rules';
COMMENT ON COLUMN gold.rule_performance.rule_set IS 'live, or the name of a shadow set';
COMMENT ON COLUMN gold.rule_performance.hits IS
    'Transactions in which it triggered; of a shadow set those that it would alert';

CREATE OR REPLACE VIEW gold.agg_daily_fraud AS
SELECT t.date_key,
       t.total_txns,
       t.total_alerts,
       streamflow.ratio(t.total_alerts, t.total_txns, 4) AS fraud_rate,
       (SELECT p.rule_id FROM gold.rule_performance AS p
        WHERE p.date_key = t.date_key AND p.rule_set = 'live' AND p.alerts > 0
        ORDER BY p.alerts DESC, p.rule_id COLLATE "C" LIMIT 1) AS top_rule,
       streamflow.ratio(t.score_thousandths, 1000 * t.total_alerts, 3) AS avg_score,
       t.score_thousandths
FROM gold.daily_fraud_totals AS t;
