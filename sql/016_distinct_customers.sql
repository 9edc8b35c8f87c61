-- Distinct customers of each store and hour.

ALTER TABLE gold.agg_hourly_sales ADD COLUMN distinct_customers bigint NOT NULL DEFAULT 0;
ALTER TABLE gold.agg_hourly_sales ALTER COLUMN distinct_customers DROP DEFAULT;
COMMENT ON COLUMN gold.agg_hourly_sales.distinct_customers IS 'Their distinct customers';

-- What is stored already, as of the committed frontier.
UPDATE gold.agg_hourly_sales AS a SET distinct_customers = s.customers
FROM (SELECT date_trunc('hour', transaction_at, streamflow.time_zone()) AS hour_timestamp, store_key,
             count(DISTINCT customer_key) AS customers
      FROM silver.transactions WHERE NOT voided GROUP BY 1, 2) AS s
WHERE a.hour_timestamp = s.hour_timestamp AND a.store_key = s.store_key;
