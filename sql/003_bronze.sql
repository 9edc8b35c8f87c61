-- Events as received.

-- No unique index: each event comes in exactly once because offsets are committed with it (streamflow.progress).
CREATE TABLE bronze.raw_transactions (
    ingested_at      timestamptz NOT NULL,
    event_time       timestamptz NOT NULL,
    source_offset    bigint NOT NULL,
    schema_version   bigint NOT NULL,
    source_partition integer NOT NULL,
    source_topic     text COLLATE "C" NOT NULL,
    payload          text COLLATE "C" NOT NULL
) PARTITION BY RANGE (ingested_at);
CREATE INDEX raw_transactions_source ON bronze.raw_transactions (source_partition, source_offset);
CREATE INDEX raw_transactions_time ON bronze.raw_transactions USING brin (ingested_at, event_time);

COMMENT ON TABLE bronze.raw_transactions IS
    'Every event that is no dead letter, copies included, each once; partitioned by UTC day of ingestion';
COMMENT ON COLUMN bronze.raw_transactions.ingested_at IS 'When it was read, to the ms';
COMMENT ON COLUMN bronze.raw_transactions.event_time IS 'Its timestamp';
COMMENT ON COLUMN bronze.raw_transactions.source_offset IS 'Kafka offset';
COMMENT ON COLUMN bronze.raw_transactions.schema_version IS 'Version of the schema that it claims';
COMMENT ON COLUMN bronze.raw_transactions.source_partition IS 'Kafka partition';
COMMENT ON COLUMN bronze.raw_transactions.source_topic IS 'Kafka topic';
COMMENT ON COLUMN bronze.raw_transactions.payload IS 'The JSON as received';

-- A row never fails for want of a partition.
CREATE TABLE bronze.raw_transactions_default PARTITION OF bronze.raw_transactions DEFAULT;
COMMENT ON TABLE bronze.raw_transactions_default IS 'Rows of days without a partition';

CREATE FUNCTION bronze.create_partitions(first_day date, last_day date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
    -- A reader of the default partition holds this up; the days can wait, the writer cannot.
    SET lock_timeout = '200ms'
AS $$
DECLARE
    day date;
    partition_name text;
    created integer := 0;
BEGIN
    FOR day IN SELECT generate_series(first_day, last_day, interval '1 day')::date LOOP
        partition_name := 'raw_transactions_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('bronze.' || partition_name) IS NOT NULL;
        -- A day that has begun in the default partition stays there.
        CONTINUE WHEN EXISTS (
            SELECT FROM bronze.raw_transactions_default
            WHERE ingested_at >= day::timestamptz AND ingested_at < (day + 1)::timestamptz
        );
        BEGIN
            -- Attaching takes weaker locks on the parent than creating a partition in place.
            EXECUTE format(
                'CREATE TABLE bronze.%I (LIKE bronze.raw_transactions,
                     CHECK (ingested_at >= %L::timestamptz AND ingested_at < %L::timestamptz))',
                partition_name, day::timestamptz, (day + 1)::timestamptz);
            EXECUTE format(
                'ALTER TABLE bronze.raw_transactions ATTACH PARTITION bronze.%I FOR VALUES FROM (%L) TO (%L)',
                partition_name, day::timestamptz, (day + 1)::timestamptz);
            created := created + 1;
        EXCEPTION WHEN lock_not_available THEN
            EXIT;
        END;
    END LOOP;
    RETURN created;
END
$$;
COMMENT ON FUNCTION bronze.create_partitions(date, date) IS
    'Creates the missing partitions of these UTC days, gives up where readers are in the way; returns how many';

CREATE FUNCTION bronze.drop_partitions(first_kept date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
    -- Dropping waits for readers, and writers wait behind it: better tomorrow than for long.
    SET lock_timeout = '1s'
AS $$
DECLARE
    partition_name text;
    dropped integer := 0;
BEGIN
    FOR partition_name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'bronze.raw_transactions'::regclass
          AND c.relname ~ '^raw_transactions_[0-9]{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < first_kept
        ORDER BY c.relname
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE bronze.%I', partition_name);
            dropped := dropped + 1;
        EXCEPTION WHEN lock_not_available THEN
            EXIT;
        END;
    END LOOP;
    DELETE FROM bronze.raw_transactions_default WHERE ingested_at < first_kept::timestamptz;
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION bronze.drop_partitions(date) IS
    'Drops the partitions of the UTC days before this one, and such rows of the default one, as far as no reader is in '
    'the way; returns how many';

SELECT bronze.create_partitions((now() AT TIME ZONE 'UTC')::date, (now() AT TIME ZONE 'UTC')::date + 3);

CREATE TABLE bronze.dead_letters (
    id                bigint PRIMARY KEY,
    source_topic      text COLLATE "C" NOT NULL,
    source_partition  integer NOT NULL,
    source_offset     bigint NOT NULL,
    reason            text NOT NULL,
    message           text NOT NULL,
    key               text COLLATE "C",
    key_is_base64     boolean NOT NULL,
    payload           text COLLATE "C",
    payload_is_base64 boolean NOT NULL,
    truncated         boolean NOT NULL,
    full_length       bigint NOT NULL,
    ingested_at       timestamptz NOT NULL,
    resubmitted_at    timestamptz
);
CREATE INDEX dead_letters_time ON bronze.dead_letters (ingested_at);

COMMENT ON TABLE bronze.dead_letters IS 'Events that were not accepted';
COMMENT ON COLUMN bronze.dead_letters.id IS 'Dense, in the order of commits: what a publisher counts by';
COMMENT ON COLUMN bronze.dead_letters.source_topic IS 'Kafka topic';
COMMENT ON COLUMN bronze.dead_letters.source_partition IS 'Kafka partition';
COMMENT ON COLUMN bronze.dead_letters.source_offset IS 'Kafka offset';
COMMENT ON COLUMN bronze.dead_letters.reason IS
    'malformed_json, missing_field, invalid_field, too_large, future_timestamp, too_late or conflicting_identity';
COMMENT ON COLUMN bronze.dead_letters.message IS 'What exactly is wrong';
COMMENT ON COLUMN bronze.dead_letters.key IS 'Key of the record; null where it had none';
COMMENT ON COLUMN bronze.dead_letters.key_is_base64 IS 'The key is no UTF-8 text and stands here in base64';
COMMENT ON COLUMN bronze.dead_letters.payload IS 'The first 64 KiB of the value; null where the record had none';
COMMENT ON COLUMN bronze.dead_letters.payload_is_base64 IS 'The value is no UTF-8 text and stands here in base64';
COMMENT ON COLUMN bronze.dead_letters.truncated IS 'The value was longer than what is kept';
COMMENT ON COLUMN bronze.dead_letters.full_length IS 'Length of the value in bytes before any cut';
COMMENT ON COLUMN bronze.dead_letters.ingested_at IS 'When it was read, to the ms';
COMMENT ON COLUMN bronze.dead_letters.resubmitted_at IS 'When it was sent again; null where it was not';

CREATE TABLE bronze.raw_fraud_alerts (
    number         bigint PRIMARY KEY,
    alert_id       text COLLATE "C" NOT NULL,
    sequence       bigint NOT NULL,
    change         text NOT NULL,
    cause          text NOT NULL,
    transaction_id text COLLATE "C" NOT NULL,
    customer_id    text COLLATE "C" NOT NULL,
    fraud_score    numeric(4, 3) NOT NULL,
    detected_at    timestamptz NOT NULL,
    payload        json NOT NULL
);
CREATE INDEX raw_fraud_alerts_transaction ON bronze.raw_fraud_alerts (transaction_id, sequence);
CREATE INDEX raw_fraud_alerts_time ON bronze.raw_fraud_alerts USING brin (detected_at);

COMMENT ON TABLE bronze.raw_fraud_alerts IS 'Every alert change: the outbox of the Kafka topic fraud.alerts';
COMMENT ON COLUMN bronze.raw_fraud_alerts.number IS 'Dense, in the order of commits: what the publisher counts by';
COMMENT ON COLUMN bronze.raw_fraud_alerts.alert_id IS 'The alert, a function of the transaction';
COMMENT ON COLUMN bronze.raw_fraud_alerts.sequence IS 'Number of the change within its alert, from 1';
COMMENT ON COLUMN bronze.raw_fraud_alerts.change IS 'raised, revised or withdrawn';
COMMENT ON COLUMN bronze.raw_fraud_alerts.cause IS
    'transaction, late_event, correction, void, list_change or rule_change';
COMMENT ON COLUMN bronze.raw_fraud_alerts.transaction_id IS 'The transaction';
COMMENT ON COLUMN bronze.raw_fraud_alerts.customer_id IS 'Its customer: the key in Kafka';
COMMENT ON COLUMN bronze.raw_fraud_alerts.fraud_score IS 'Score, 0 to 1';
COMMENT ON COLUMN bronze.raw_fraud_alerts.detected_at IS 'When the change was found, to the ms';
COMMENT ON COLUMN bronze.raw_fraud_alerts.payload IS 'The value in Kafka';
