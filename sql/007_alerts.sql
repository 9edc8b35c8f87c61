-- Current alerts and the history of all.

CREATE TABLE gold.fact_fraud_alerts (
    alert_id           text COLLATE "C" NOT NULL,
    transaction_id     text COLLATE "C" PRIMARY KEY,
    date_key           integer NOT NULL,
    customer_key       integer NOT NULL,
    store_key          integer NOT NULL,
    fraud_score        numeric(4, 3) NOT NULL,
    rules_triggered    text[] NOT NULL,
    rule_details       json NOT NULL,
    transaction_amount numeric NOT NULL,
    transaction_at     timestamptz NOT NULL,
    detected_at        timestamptz NOT NULL,
    revised_at         timestamptz
);
CREATE INDEX fact_fraud_alerts_customer ON gold.fact_fraud_alerts (customer_key, transaction_at);
CREATE INDEX fact_fraud_alerts_time ON gold.fact_fraud_alerts (transaction_at);
COMMENT ON TABLE gold.fact_fraud_alerts IS
    'One row per current alert: a current transaction whose score reaches the threshold';
COMMENT ON COLUMN gold.fact_fraud_alerts.alert_id IS 'Identity, a function of the transaction';
COMMENT ON COLUMN gold.fact_fraud_alerts.transaction_id IS 'The transaction';
COMMENT ON COLUMN gold.fact_fraud_alerts.date_key IS 'gold.dim_date: local day of the transaction, YYYYMMDD';
COMMENT ON COLUMN gold.fact_fraud_alerts.customer_key IS 'gold.dim_customer';
COMMENT ON COLUMN gold.fact_fraud_alerts.store_key IS 'gold.dim_store';
COMMENT ON COLUMN gold.fact_fraud_alerts.fraud_score IS 'Combined score, 0 to 1, 3 decimals';
COMMENT ON COLUMN gold.fact_fraud_alerts.rules_triggered IS 'Ids of the rules that triggered, in their order';
COMMENT ON COLUMN gold.fact_fraud_alerts.rule_details IS 'The numbers that each rule compared, by rule id';
COMMENT ON COLUMN gold.fact_fraud_alerts.transaction_amount IS 'Amount of the transaction, 2 decimals';
COMMENT ON COLUMN gold.fact_fraud_alerts.transaction_at IS 'Event time of the transaction';
COMMENT ON COLUMN gold.fact_fraud_alerts.detected_at IS 'When it was raised, to the ms';
COMMENT ON COLUMN gold.fact_fraud_alerts.revised_at IS 'When it last changed since; null where it did not';

CREATE TABLE gold.fraud_alert_history (
    alert_id        text COLLATE "C" NOT NULL,
    raised_sequence bigint NOT NULL,
    transaction_id  text COLLATE "C" NOT NULL,
    raised_at       timestamptz NOT NULL,
    revised_at      timestamptz,
    withdrawn_at    timestamptz,
    causes          text[] NOT NULL,
    last_score      numeric(4, 3) NOT NULL,
    last_rules      text[] NOT NULL,
    PRIMARY KEY (transaction_id, raised_sequence)
) WITH (fillfactor = 90);
CREATE INDEX fraud_alert_history_time ON gold.fraud_alert_history (raised_at);
COMMENT ON TABLE gold.fraud_alert_history IS 'What happened to each alert: one row for each time it was raised';
COMMENT ON COLUMN gold.fraud_alert_history.alert_id IS 'The alert';
COMMENT ON COLUMN gold.fraud_alert_history.raised_sequence IS 'Number, within the alert, of the change that raised it';
COMMENT ON COLUMN gold.fraud_alert_history.transaction_id IS 'The transaction';
COMMENT ON COLUMN gold.fraud_alert_history.raised_at IS 'When it was raised, to the ms';
COMMENT ON COLUMN gold.fraud_alert_history.revised_at IS 'When it was last revised; null where it was not';
COMMENT ON COLUMN gold.fraud_alert_history.withdrawn_at IS 'When it was withdrawn; null where it is current';
COMMENT ON COLUMN gold.fraud_alert_history.causes IS
    'Why, one for each change: transaction, late_event, correction, void, list_change or rule_change';
COMMENT ON COLUMN gold.fraud_alert_history.last_score IS 'Its last score, 3 decimals';
COMMENT ON COLUMN gold.fraud_alert_history.last_rules IS 'The rules that triggered last';
