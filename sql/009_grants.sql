-- Least privilege. Views of gold read silver with their owner's rights, so readers need none there.

GRANT USAGE ON SCHEMA bronze, silver, gold, streamflow TO streamflow_writer, streamflow_maintainer;
GRANT USAGE ON SCHEMA gold, streamflow TO streamflow_reader;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA bronze, silver, gold, streamflow TO streamflow_writer;
ALTER DEFAULT PRIVILEGES IN SCHEMA bronze, silver, gold, streamflow
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO streamflow_writer;
REVOKE INSERT, UPDATE, DELETE ON streamflow.schema_migrations FROM streamflow_writer;
REVOKE INSERT, UPDATE, DELETE ON silver.quality_checks FROM streamflow_writer;

GRANT SELECT ON ALL TABLES IN SCHEMA gold TO streamflow_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA gold GRANT SELECT ON TABLES TO streamflow_reader;
GRANT SELECT ON streamflow.progress, streamflow.books TO streamflow_reader;

-- What maintenance removes: partitions by function, rows of these tables.
GRANT SELECT, DELETE ON bronze.raw_fraud_alerts, bronze.dead_letters, gold.fraud_alert_history, silver.quality_counts
    TO streamflow_maintainer;
GRANT SELECT ON streamflow.progress TO streamflow_maintainer;

-- ANALYZE is the owner's right; this lends it.
CREATE FUNCTION streamflow.analyze_tables() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relation regclass;
    analyzed integer := 0;
BEGIN
    FOR relation IN
        SELECT c.oid FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relnamespace IN ('bronze'::regnamespace, 'silver'::regnamespace,
                                 'gold'::regnamespace, 'streamflow'::regnamespace)
        ORDER BY c.oid
    LOOP
        EXECUTE format('ANALYZE %s', relation);
        analyzed := analyzed + 1;
    END LOOP;
    RETURN analyzed;
END
$$;
COMMENT ON FUNCTION streamflow.analyze_tables() IS 'ANALYZE of every table; returns how many';

REVOKE EXECUTE ON FUNCTION bronze.create_partitions(date, date), bronze.drop_partitions(date),
    streamflow.analyze_tables(), gold.add_dates(date[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bronze.create_partitions(date, date), gold.add_dates(date[]) TO streamflow_writer;
GRANT EXECUTE ON FUNCTION bronze.create_partitions(date, date), bronze.drop_partitions(date),
    streamflow.analyze_tables() TO streamflow_maintainer;
