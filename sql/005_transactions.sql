-- Transactions: one narrow stored table, and what users query as plain views over it.

-- The order of the columns leaves no gaps; amounts in cents and scores in thousandths keep rows short.
CREATE TABLE silver.transactions (
    transaction_at    timestamptz NOT NULL,
    amount_cents      bigint NOT NULL,
    source_offset     bigint NOT NULL,
    revision          bigint NOT NULL,
    customer_key      integer NOT NULL,
    store_key         integer NOT NULL,
    product_key       integer,
    date_key          integer NOT NULL,
    latitude          integer,
    longitude         integer,
    topic_key         smallint NOT NULL,
    source_partition  smallint NOT NULL,
    score_thousandths smallint NOT NULL,
    fr_001            smallint,
    fr_002            smallint,
    fr_003            smallint,
    fr_004            smallint,
    fr_005            smallint,
    is_fraud          boolean NOT NULL,
    voided            boolean NOT NULL,
    currency          text COLLATE "C" NOT NULL,
    payment_method    text COLLATE "C",
    transaction_id    text COLLATE "C" PRIMARY KEY
) WITH (fillfactor = 95);
CREATE INDEX transactions_customer ON silver.transactions (customer_key, transaction_at);
CREATE INDEX transactions_time ON silver.transactions
    USING brin (transaction_at, date_key) WITH (pages_per_range = 32);

COMMENT ON TABLE silver.transactions IS
    'Current version of each transaction, voided ones included, with its score: what the views on transactions show';
COMMENT ON COLUMN silver.transactions.transaction_at IS 'Event time';
COMMENT ON COLUMN silver.transactions.amount_cents IS 'Amount in cents of the currency, > 0';
COMMENT ON COLUMN silver.transactions.source_offset IS 'Kafka offset of the current version';
COMMENT ON COLUMN silver.transactions.revision IS 'Revision of the current version';
COMMENT ON COLUMN silver.transactions.customer_key IS 'gold.dim_customer';
COMMENT ON COLUMN silver.transactions.store_key IS 'gold.dim_store';
COMMENT ON COLUMN silver.transactions.product_key IS 'gold.dim_product; null where not told';
COMMENT ON COLUMN silver.transactions.date_key IS 'gold.dim_date: local day of the event time';
COMMENT ON COLUMN silver.transactions.latitude IS 'In 1e-7 degrees; null where not told';
COMMENT ON COLUMN silver.transactions.longitude IS 'In 1e-7 degrees; null where not told';
COMMENT ON COLUMN silver.transactions.topic_key IS 'streamflow.topics';
COMMENT ON COLUMN silver.transactions.source_partition IS 'Kafka partition';
COMMENT ON COLUMN silver.transactions.score_thousandths IS 'Combined score, 0 to 1000';
COMMENT ON COLUMN silver.transactions.fr_001 IS 'Score of the high-value detector, 0 to 1000; null = not triggered';
COMMENT ON COLUMN silver.transactions.fr_002 IS 'Score of the velocity detector, 0 to 1000; null = not triggered';
COMMENT ON COLUMN silver.transactions.fr_003 IS
    'Score of the impossible-travel detector, 0 to 1000; null = not triggered';
COMMENT ON COLUMN silver.transactions.fr_004 IS 'Score of the unusual-hour detector, 0 to 1000; null = not triggered';
COMMENT ON COLUMN silver.transactions.fr_005 IS 'Score of the blacklist detector, 0 to 1000; null = not triggered';
COMMENT ON COLUMN silver.transactions.is_fraud IS 'Its score reaches the alert threshold';
COMMENT ON COLUMN silver.transactions.voided IS 'Withdrawn by its producer';
COMMENT ON COLUMN silver.transactions.currency IS 'ISO 4217 code';
COMMENT ON COLUMN silver.transactions.payment_method IS 'How it was paid; null where not told';
COMMENT ON COLUMN silver.transactions.transaction_id IS 'Identity';

CREATE FUNCTION streamflow.rules_triggered(
    fr_001 smallint, fr_002 smallint, fr_003 smallint, fr_004 smallint, fr_005 smallint
) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN array_remove(ARRAY[
        CASE WHEN fr_001 IS NOT NULL THEN 'FR-001' END,
        CASE WHEN fr_002 IS NOT NULL THEN 'FR-002' END,
        CASE WHEN fr_003 IS NOT NULL THEN 'FR-003' END,
        CASE WHEN fr_004 IS NOT NULL THEN 'FR-004' END,
        CASE WHEN fr_005 IS NOT NULL THEN 'FR-005' END
    ], NULL);
COMMENT ON FUNCTION streamflow.rules_triggered(smallint, smallint, smallint, smallint, smallint) IS
    'Ids of the rules that have a score, in their order';

-- Outer joins on primary keys: the planner leaves out those whose columns a query does not use.
CREATE VIEW silver.clean_transactions AS
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
       streamflow.rules_triggered(t.fr_001, t.fr_002, t.fr_003, t.fr_004, t.fr_005) AS rules_triggered,
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

COMMENT ON VIEW silver.clean_transactions IS 'One row per transaction: its current version, voided ones included';
COMMENT ON COLUMN silver.clean_transactions.transaction_id IS 'Identity';
COMMENT ON COLUMN silver.clean_transactions.customer_id IS 'Who paid';
COMMENT ON COLUMN silver.clean_transactions.store_id IS 'Where';
COMMENT ON COLUMN silver.clean_transactions.product_id IS 'What; null where not told';
COMMENT ON COLUMN silver.clean_transactions.amount IS 'Amount in the currency, 2 decimals';
COMMENT ON COLUMN silver.clean_transactions.currency IS 'ISO 4217 code';
COMMENT ON COLUMN silver.clean_transactions.payment_method IS 'How it was paid; null where not told';
COMMENT ON COLUMN silver.clean_transactions.latitude IS 'Degrees; null where not told';
COMMENT ON COLUMN silver.clean_transactions.longitude IS 'Degrees; null where not told';
COMMENT ON COLUMN silver.clean_transactions.transaction_at IS 'Event time';
COMMENT ON COLUMN silver.clean_transactions.fraud_score IS 'Combined score, 0 to 1, 3 decimals';
COMMENT ON COLUMN silver.clean_transactions.rules_triggered IS 'Ids of the rules that triggered, in their order';
COMMENT ON COLUMN silver.clean_transactions.is_fraud IS 'The score reaches the alert threshold';
COMMENT ON COLUMN silver.clean_transactions.voided IS 'Withdrawn by its producer';
COMMENT ON COLUMN silver.clean_transactions.revision IS 'Revision of this version';
COMMENT ON COLUMN silver.clean_transactions.source_topic IS 'Kafka topic of this version';
COMMENT ON COLUMN silver.clean_transactions.source_partition IS 'Kafka partition of this version';
COMMENT ON COLUMN silver.clean_transactions.source_offset IS 'Kafka offset of this version';

CREATE VIEW gold.fact_transactions AS
SELECT transaction_id,
       date_key,
       customer_key,
       store_key,
       product_key,
       amount_cents * 0.01 AS amount,
       score_thousandths * 0.001 AS fraud_score,
       is_fraud,
       transaction_at,
       currency,
       payment_method
FROM silver.transactions
WHERE NOT voided;

COMMENT ON VIEW gold.fact_transactions IS 'One row per current transaction that is not voided';
COMMENT ON COLUMN gold.fact_transactions.transaction_id IS 'Identity';
COMMENT ON COLUMN gold.fact_transactions.date_key IS 'gold.dim_date: local day, YYYYMMDD';
COMMENT ON COLUMN gold.fact_transactions.customer_key IS 'gold.dim_customer';
COMMENT ON COLUMN gold.fact_transactions.store_key IS 'gold.dim_store';
COMMENT ON COLUMN gold.fact_transactions.product_key IS 'gold.dim_product; null where not told';
COMMENT ON COLUMN gold.fact_transactions.amount IS 'Amount in the currency, 2 decimals';
COMMENT ON COLUMN gold.fact_transactions.fraud_score IS 'Combined score, 0 to 1, 3 decimals';
COMMENT ON COLUMN gold.fact_transactions.is_fraud IS 'The score reaches the alert threshold';
COMMENT ON COLUMN gold.fact_transactions.transaction_at IS 'Event time';
COMMENT ON COLUMN gold.fact_transactions.currency IS 'ISO 4217 code';
COMMENT ON COLUMN gold.fact_transactions.payment_method IS 'How it was paid; null where not told';
