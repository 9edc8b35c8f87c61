-- What `streamflow maintain` does, as functions of the owner: its role can remove what is old, and nothing else.
-- What was removed is on record, in the transaction that removed it, so that verifying does not miss it.

CREATE TABLE streamflow.retention (
    table_name text COLLATE "C" PRIMARY KEY,
    kept_from  timestamptz NOT NULL,
    removed_at timestamptz NOT NULL
);
COMMENT ON TABLE streamflow.retention IS 'From when on tables are whole, for those from which maintenance has removed rows';
COMMENT ON COLUMN streamflow.retention.table_name IS 'The table, with its schema';
COMMENT ON COLUMN streamflow.retention.kept_from IS 'Rows before it may be gone, all others are there';
COMMENT ON COLUMN streamflow.retention.removed_at IS 'When rows were last removed';

CREATE FUNCTION streamflow.kept_from(relation text) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce((SELECT r.kept_from FROM streamflow.retention AS r WHERE r.table_name = relation), '-infinity');
COMMENT ON FUNCTION streamflow.kept_from(text) IS
    'From when on a table is whole; -infinity where maintenance has removed nothing';

CREATE FUNCTION streamflow.note_removal(relation text, first_kept timestamptz) RETURNS void
    LANGUAGE sql
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        INSERT INTO streamflow.retention VALUES (relation, first_kept, clock_timestamp())
        ON CONFLICT (table_name) DO UPDATE SET kept_from = greatest(retention.kept_from, excluded.kept_from),
            removed_at = excluded.removed_at;
    END;
COMMENT ON FUNCTION streamflow.note_removal(text, timestamptz) IS 'Puts a removal on record';

-- A caller's mistake must not empty a table.
CREATE FUNCTION streamflow.require_old(first_kept timestamptz) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- NULL, where nothing is final yet, is refused too.
    IF (SELECT first_kept <= least(now(), watermark) - interval '1 day' AND watermark IS NOT NULL
        FROM streamflow.progress) IS NOT TRUE THEN
        RAISE EXCEPTION 'only what lies a day behind the watermark can be removed, not what lies before %', first_kept
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;
COMMENT ON FUNCTION streamflow.require_old(timestamptz) IS 'Refuses to remove what is not a day behind the watermark';

-- Detached ones too: a run that was interrupted leaves them.
CREATE FUNCTION streamflow.old_partitions(first_kept timestamptz)
    RETURNS TABLE (partition_name text, is_attached boolean, bytes bigint)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
AS $$
    SELECT c.relname, c.relispartition, coalesce(pg_total_relation_size(c.oid), 0)
    FROM pg_class AS c
    WHERE c.relnamespace = 'bronze'::regnamespace AND c.relkind = 'r'
      AND CASE WHEN c.relname ~ '^raw_transactions_[0-9]{8}$'
          THEN to_date(right(c.relname, 8), 'YYYYMMDD') < first_kept::date ELSE false END
    ORDER BY c.relname
$$;
COMMENT ON FUNCTION streamflow.old_partitions(timestamptz) IS
    'Partitions of bronze.raw_transactions whose UTC day ends at this instant or before, with their bytes on disk';

-- Partitions cannot be detached concurrently beside a default one. So for an instant nobody else may use the table: that is
-- given up at once where somebody does, because writers queue behind whoever waits. Deleting the files, which can take long,
-- comes after, when the table is nobody's.
CREATE FUNCTION streamflow.detach_partition(name text, first_kept timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
    SET lock_timeout = '100ms'
AS $$
BEGIN
    PERFORM streamflow.require_old(first_kept);
    PERFORM FROM streamflow.old_partitions(first_kept) WHERE partition_name = name AND is_attached;
    IF FOUND THEN
        EXECUTE format('ALTER TABLE bronze.raw_transactions DETACH PARTITION bronze.%I', name);
        PERFORM streamflow.note_removal('bronze.raw_transactions', date_trunc('day', first_kept));
    END IF;
END
$$;
COMMENT ON FUNCTION streamflow.detach_partition(text, timestamptz) IS
    'Takes an old partition out of bronze.raw_transactions; fails with 55P03 where somebody uses it for longer than 100 ms';

CREATE FUNCTION streamflow.drop_partition(name text, first_kept timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
    SET lock_timeout = '100ms'
AS $$
BEGIN
    PERFORM streamflow.require_old(first_kept);
    PERFORM FROM streamflow.old_partitions(first_kept) WHERE partition_name = name AND NOT is_attached;
    IF FOUND THEN
        EXECUTE format('DROP TABLE bronze.%I', name);
    END IF;
END
$$;
COMMENT ON FUNCTION streamflow.drop_partition(text, timestamptz) IS
    'Drops an old partition that was detached; fails with 55P03 where somebody still reads it';

-- Which rows are old, and the order in which they go.
--
-- What is told of an alert is kept until its transaction is as old as well: until then it can still change. The outbox loses
-- its first rows only, so that its numbers stay dense; none that is not published, and never the last one, which says how far
-- the numbers are.
CREATE FUNCTION streamflow.old_rows(relation text, first_kept timestamptz, published bigint) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
AS $$
BEGIN
    CASE relation
        WHEN 'bronze.raw_transactions_default' THEN
            RETURN format('ingested_at < %L ORDER BY ingested_at', date_trunc('day', first_kept));
        WHEN 'bronze.raw_fraud_alerts' THEN
            RETURN format(
                'number <= %s AND number < (SELECT alert_changes FROM streamflow.progress)
                     AND number < coalesce((SELECT number FROM bronze.raw_fraud_alerts WHERE detected_at >= %L
                                            ORDER BY number LIMIT 1), 9223372036854775807)
                 ORDER BY number', published, first_kept);
        WHEN 'gold.fraud_alert_history' THEN
            RETURN format(
                'raised_at < %L AND NOT EXISTS (SELECT FROM silver.transactions AS t
                     WHERE t.transaction_id = r.transaction_id AND t.transaction_at >= %L)
                 ORDER BY raised_at', first_kept, first_kept);
        WHEN 'silver.quality_counts' THEN
            RETURN format('window_start < %L ORDER BY window_start', first_kept);
        ELSE
            RAISE EXCEPTION 'maintenance removes no rows of %', relation USING ERRCODE = 'invalid_parameter_value';
    END CASE;
END
$$;
COMMENT ON FUNCTION streamflow.old_rows(text, timestamptz, bigint) IS
    'The condition, and order, of the rows that maintenance removes from a table that it calls r';

CREATE FUNCTION streamflow.count_old_rows(
    relation text, first_kept timestamptz, published bigint, OUT row_count bigint, OUT bytes bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('SELECT count(*), coalesce(sum(bytes), 0)::bigint
                    FROM (SELECT pg_column_size(r.*)::bigint AS bytes FROM %s AS r WHERE %s) AS old',
                   relation, streamflow.old_rows(relation, first_kept, published))
    INTO row_count, bytes;
END
$$;
COMMENT ON FUNCTION streamflow.count_old_rows(text, timestamptz, bigint) IS 'Rows that are old, and their bytes';

CREATE FUNCTION streamflow.delete_old_rows(
    relation text, first_kept timestamptz, published bigint, at_most integer, OUT row_count bigint, OUT bytes bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
    SET lock_timeout = '100ms'
AS $$
BEGIN
    PERFORM streamflow.require_old(first_kept);
    EXECUTE format('WITH old AS (SELECT ctid FROM %s AS r WHERE %s LIMIT %s),
                         gone AS (DELETE FROM %s AS r USING old WHERE r.ctid = old.ctid
                                  RETURNING pg_column_size(r.*)::bigint AS bytes)
                    SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM gone',
                   relation, streamflow.old_rows(relation, first_kept, published), at_most, relation)
    INTO row_count, bytes;
    IF row_count > 0 AND relation = 'bronze.raw_transactions_default' THEN
        PERFORM streamflow.note_removal('bronze.raw_transactions', date_trunc('day', first_kept));
    ELSIF row_count > 0 THEN
        PERFORM streamflow.note_removal(relation, first_kept);
    END IF;
END
$$;
COMMENT ON FUNCTION streamflow.delete_old_rows(text, timestamptz, bigint, integer) IS
    'Deletes so many old rows at most, the oldest first; returns how many, and their bytes';

-- One table a transaction: all in one, as streamflow.analyze_tables() does it, holds back vacuum meanwhile.
CREATE FUNCTION streamflow.analyze_table(relation regclass) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '1s'
AS $$
BEGIN
    PERFORM FROM pg_class AS c
    WHERE c.oid = relation AND c.relkind IN ('r', 'p')
      AND c.relnamespace IN ('bronze'::regnamespace, 'silver'::regnamespace,
                             'gold'::regnamespace, 'streamflow'::regnamespace);
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is no table of StreamFlow', relation USING ERRCODE = 'invalid_parameter_value';
    END IF;
    EXECUTE format('ANALYZE %s', relation);
END
$$;
COMMENT ON FUNCTION streamflow.analyze_table(regclass) IS 'ANALYZE of one table, with the rights of its owner';

-- What those functions can now do better, the role need not be able to do. Dead letters are never removed.
DROP FUNCTION bronze.drop_partitions(date);
REVOKE SELECT, DELETE ON bronze.raw_fraud_alerts, bronze.dead_letters, gold.fraud_alert_history, silver.quality_counts
    FROM streamflow_maintainer;
REVOKE INSERT, UPDATE, DELETE ON streamflow.retention FROM streamflow_writer;
REVOKE EXECUTE ON FUNCTION streamflow.note_removal(text, timestamptz), streamflow.require_old(timestamptz),
    streamflow.old_rows(text, timestamptz, bigint), streamflow.detach_partition(text, timestamptz),
    streamflow.drop_partition(text, timestamptz), streamflow.count_old_rows(text, timestamptz, bigint),
    streamflow.delete_old_rows(text, timestamptz, bigint, integer), streamflow.analyze_table(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION streamflow.detach_partition(text, timestamptz), streamflow.drop_partition(text, timestamptz),
    streamflow.count_old_rows(text, timestamptz, bigint),
    streamflow.delete_old_rows(text, timestamptz, bigint, integer), streamflow.analyze_table(regclass)
    TO streamflow_maintainer;
GRANT SELECT ON streamflow.retention, streamflow.schema_migrations TO streamflow_maintainer;
