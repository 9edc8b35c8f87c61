-- Retention of dead letters and of transactions. What goes stays counted: dead letters by reason, transactions in the sums of
-- their customers. So the books and the profiles still follow from what is stored, and corrections are judged as before.

CREATE TABLE streamflow.removed_dead_letters (
    source_topic     text COLLATE "C" NOT NULL,
    source_partition integer NOT NULL,
    reason           text NOT NULL,
    events           bigint NOT NULL,
    next_offset      bigint NOT NULL,
    PRIMARY KEY (source_topic, source_partition, reason)
);
COMMENT ON TABLE streamflow.removed_dead_letters IS 'Dead letters that maintenance has removed, counted';
COMMENT ON COLUMN streamflow.removed_dead_letters.source_topic IS 'Kafka topic';
COMMENT ON COLUMN streamflow.removed_dead_letters.source_partition IS 'Kafka partition';
COMMENT ON COLUMN streamflow.removed_dead_letters.reason IS 'Why they were not accepted';
COMMENT ON COLUMN streamflow.removed_dead_letters.events IS 'How many';
COMMENT ON COLUMN streamflow.removed_dead_letters.next_offset IS 'The offset after the last of them';

CREATE TABLE streamflow.removed_transactions (
    first_seen        timestamptz NOT NULL,
    last_seen         timestamptz NOT NULL,
    transaction_count bigint NOT NULL,
    minute_sum        bigint NOT NULL,
    minute_square_sum bigint NOT NULL,
    alert_count       bigint NOT NULL,
    customer_key      integer NOT NULL,
    currency          text COLLATE "C" NOT NULL,
    amount_cents      numeric NOT NULL,
    PRIMARY KEY (customer_key, currency)
);
COMMENT ON TABLE streamflow.removed_transactions IS
    'Sums over the transactions that maintenance has removed, without voided ones: part of gold.customer_totals';
COMMENT ON COLUMN streamflow.removed_transactions.first_seen IS 'Event time of the first of them';
COMMENT ON COLUMN streamflow.removed_transactions.last_seen IS 'Event time of the last of them';
COMMENT ON COLUMN streamflow.removed_transactions.transaction_count IS 'How many';
COMMENT ON COLUMN streamflow.removed_transactions.minute_sum IS 'Sum of their minutes of the local day';
COMMENT ON COLUMN streamflow.removed_transactions.minute_square_sum IS 'Sum of the squares of these minutes';
COMMENT ON COLUMN streamflow.removed_transactions.alert_count IS 'Those that had an alert';
COMMENT ON COLUMN streamflow.removed_transactions.customer_key IS 'gold.dim_customer';
COMMENT ON COLUMN streamflow.removed_transactions.currency IS 'ISO 4217 code';
COMMENT ON COLUMN streamflow.removed_transactions.amount_cents IS 'Sum of their amounts in cents of the currency';

-- A caller's mistake must not empty a table.
DROP FUNCTION streamflow.require_old(timestamptz);
CREATE FUNCTION streamflow.require_old(first_kept timestamptz, behind interval DEFAULT '1 day') RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- NULL, where nothing is final yet, is refused too.
    IF (SELECT first_kept <= least(now(), watermark) - behind AND watermark IS NOT NULL
        FROM streamflow.progress) IS NOT TRUE THEN
        RAISE EXCEPTION 'only what lies % behind the watermark can be removed, not what lies before %', behind, first_kept
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;
COMMENT ON FUNCTION streamflow.require_old(timestamptz, interval) IS
    'Refuses to remove what is not so far behind the watermark';

-- Transactions go by whole local days, so that what is recomputed by day, hour or minute is there wholly or not at all; and
-- none that a waiting event can mean.
CREATE FUNCTION streamflow.first_kept(relation text, wanted timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
    RETURN CASE relation
        WHEN 'bronze.raw_transactions_default' THEN date_trunc('day', wanted)
        WHEN 'silver.transactions' THEN date_trunc('day',
            least(wanted, (SELECT min(reaches_back_to) FROM streamflow.pending_events)), streamflow.time_zone())
        ELSE wanted
    END;
COMMENT ON FUNCTION streamflow.first_kept(text, timestamptz) IS
    'From when on rows of a table stay, if those before an instant are to go';

CREATE OR REPLACE FUNCTION streamflow.old_rows(relation text, first_kept timestamptz, published bigint) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
AS $$
DECLARE
    kept timestamptz := streamflow.first_kept(relation, first_kept);
BEGIN
    CASE relation
        WHEN 'bronze.raw_transactions_default' THEN
            RETURN format('ingested_at < %L ORDER BY ingested_at', kept);
        WHEN 'bronze.raw_fraud_alerts' THEN
            RETURN format(
                'number <= %s AND number < (SELECT alert_changes FROM streamflow.progress)
                     AND number < coalesce((SELECT number FROM bronze.raw_fraud_alerts WHERE detected_at >= %L
                                            ORDER BY number LIMIT 1), 9223372036854775807)
                 ORDER BY number', published, kept);
        -- As the outbox: its first rows only, none that is not published, and never the last one.
        WHEN 'bronze.dead_letters' THEN
            RETURN format(
                'id <= %s AND id < (SELECT dead_letters FROM streamflow.progress)
                     AND id < coalesce((SELECT id FROM bronze.dead_letters WHERE ingested_at >= %L
                                        ORDER BY id LIMIT 1), 9223372036854775807)
                 ORDER BY id', published, kept);
        WHEN 'gold.fraud_alert_history' THEN
            RETURN format(
                'raised_at < %L AND NOT EXISTS (SELECT FROM silver.transactions AS t
                     WHERE t.transaction_id = r.transaction_id AND t.transaction_at >= %L)
                 ORDER BY raised_at', kept, kept);
        -- What is told of an alert still needs its transaction. They go in the order of the table's pages.
        WHEN 'silver.transactions' THEN
            RETURN format(
                'transaction_at < %L AND NOT EXISTS (SELECT FROM gold.fraud_alert_history AS h
                     WHERE h.transaction_id = r.transaction_id)', kept);
        WHEN 'silver.quality_counts' THEN
            RETURN format('window_start < %L ORDER BY window_start', kept);
        ELSE
            RAISE EXCEPTION 'maintenance removes no rows of %', relation USING ERRCODE = 'invalid_parameter_value';
    END CASE;
END
$$;

CREATE FUNCTION streamflow.delete_dead_letters(
    old_rows text, at_most integer, OUT row_count bigint, OUT bytes bigint)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format(
        'WITH old AS (SELECT ctid FROM bronze.dead_letters AS r WHERE %s LIMIT %s),
              gone AS (DELETE FROM bronze.dead_letters AS r USING old WHERE r.ctid = old.ctid
                       RETURNING r.source_topic, r.source_partition, r.reason, r.source_offset,
                                 pg_column_size(r.*)::bigint AS bytes),
              counted AS (INSERT INTO streamflow.removed_dead_letters AS n
                              (source_topic, source_partition, reason, events, next_offset)
                          SELECT source_topic, source_partition, reason, count(*), max(source_offset) + 1
                          FROM gone GROUP BY 1, 2, 3
                          ON CONFLICT (source_topic, source_partition, reason) DO UPDATE
                          SET events = n.events + excluded.events,
                              next_offset = greatest(n.next_offset, excluded.next_offset))
         SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM gone',
        old_rows, at_most)
    INTO row_count, bytes;
END
$$;
COMMENT ON FUNCTION streamflow.delete_dead_letters(text, integer) IS
    'Deletes so many dead letters at most of those that a condition names, and counts them';

-- Rows are looked for before commits are held back: an event that waits is committed before that, and seen, or looked up after
-- it. Alerts go with their transactions. A row that somebody is about to change is passed over, not waited for. No restart, under
-- any configuration, reads what is 30 days old.
CREATE FUNCTION streamflow.delete_old_transactions(
    first_kept timestamptz, from_page bigint, at_most integer,
    OUT row_count bigint, OUT bytes bigint, OUT next_page bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
    SET lock_timeout = '100ms'
AS $$
DECLARE
    old tid[];
BEGIN
    PERFORM streamflow.require_old(first_kept, '30 days');
    EXECUTE format('SELECT array_agg(ctid) FROM (SELECT ctid FROM silver.transactions AS r WHERE ctid >= %L AND %s LIMIT %s) AS r',
                   format('(%s,0)', from_page), streamflow.old_rows('silver.transactions', first_kept, 0), at_most)
    INTO old;
    SELECT coalesce(max(place[0]), from_page) INTO next_page FROM (SELECT unnest(old)::text::point AS place) AS places;
    PERFORM FROM streamflow.progress FOR SHARE;
    EXECUTE format(
        'WITH old AS (SELECT ctid FROM silver.transactions AS r WHERE ctid = ANY ($1) AND %s FOR UPDATE SKIP LOCKED),
              gone AS (DELETE FROM silver.transactions AS r USING old WHERE r.ctid = old.ctid
                       RETURNING r.*, pg_column_size(r.*)::bigint AS bytes),
              alerts AS (DELETE FROM gold.fact_fraud_alerts AS a USING gone
                         WHERE a.transaction_id = gone.transaction_id),
              local AS (SELECT *, transaction_at AT TIME ZONE (SELECT streamflow.time_zone()) AS local_time
                        FROM gone WHERE NOT voided),
              facts AS (SELECT *, (extract(hour FROM local_time) * 60 + extract(minute FROM local_time))::bigint AS minute
                        FROM local),
              counted AS (INSERT INTO streamflow.removed_transactions AS n
                              (first_seen, last_seen, transaction_count, minute_sum, minute_square_sum, alert_count,
                               customer_key, currency, amount_cents)
                          SELECT min(transaction_at), max(transaction_at), count(*), sum(minute), sum(minute * minute),
                                 count(*) FILTER (WHERE is_fraud), customer_key, currency, sum(amount_cents)
                          FROM facts GROUP BY customer_key, currency
                          ON CONFLICT (customer_key, currency) DO UPDATE
                          SET first_seen = least(n.first_seen, excluded.first_seen),
                              last_seen = greatest(n.last_seen, excluded.last_seen),
                              transaction_count = n.transaction_count + excluded.transaction_count,
                              minute_sum = n.minute_sum + excluded.minute_sum,
                              minute_square_sum = n.minute_square_sum + excluded.minute_square_sum,
                              alert_count = n.alert_count + excluded.alert_count,
                              amount_cents = n.amount_cents + excluded.amount_cents)
         SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM gone',
        streamflow.old_rows('silver.transactions', first_kept, 0))
    INTO row_count, bytes USING old;
    IF row_count > 0 THEN
        PERFORM streamflow.note_removal('silver.transactions', streamflow.first_kept('silver.transactions', first_kept));
    END IF;
    -- Fewer than were asked for are all that there are.
    IF coalesce(cardinality(old), 0) < at_most THEN
        next_page := NULL;
    END IF;
END
$$;
COMMENT ON FUNCTION streamflow.delete_old_transactions(timestamptz, bigint, integer) IS
    'Deletes so many old transactions at most, from a page of the table on, with their alerts, and adds them to sums; returns how many, their bytes, and the page at which to go on, null at the end';

CREATE OR REPLACE FUNCTION streamflow.delete_old_rows(
    relation text, first_kept timestamptz, published bigint, at_most integer, OUT row_count bigint, OUT bytes bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
    SET lock_timeout = '100ms'
AS $$
DECLARE
    old_rows text;
BEGIN
    PERFORM streamflow.require_old(first_kept);
    old_rows := streamflow.old_rows(relation, first_kept, published);
    CASE relation
        WHEN 'bronze.dead_letters' THEN
            SELECT * INTO row_count, bytes FROM streamflow.delete_dead_letters(old_rows, at_most);
        WHEN 'silver.transactions' THEN
            RAISE EXCEPTION 'transactions are removed by streamflow.delete_old_transactions'
                USING ERRCODE = 'invalid_parameter_value';
        ELSE
            EXECUTE format('WITH old AS (SELECT ctid FROM %s AS r WHERE %s LIMIT %s),
                                 gone AS (DELETE FROM %s AS r USING old WHERE r.ctid = old.ctid
                                          RETURNING pg_column_size(r.*)::bigint AS bytes)
                            SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM gone',
                           relation, old_rows, at_most, relation)
            INTO row_count, bytes;
    END CASE;
    IF row_count > 0 THEN
        PERFORM streamflow.note_removal(
            CASE relation WHEN 'bronze.raw_transactions_default' THEN 'bronze.raw_transactions' ELSE relation END,
            streamflow.first_kept(relation, first_kept));
    END IF;
END
$$;

-- Counted by these functions alone.
REVOKE INSERT, UPDATE, DELETE ON streamflow.removed_dead_letters, streamflow.removed_transactions FROM streamflow_writer;
REVOKE EXECUTE ON FUNCTION streamflow.require_old(timestamptz, interval), streamflow.first_kept(text, timestamptz),
    streamflow.delete_dead_letters(text, integer),
    streamflow.delete_old_transactions(timestamptz, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION streamflow.delete_old_transactions(timestamptz, bigint, integer) TO streamflow_maintainer;
