-- What the publisher to Kafka needs beyond the tables: a window that is gone from gold.realtime_metrics must be told too.

CREATE TABLE streamflow.emptied_windows (
    window_start     timestamptz NOT NULL,
    store_key        integer,
    changed_frontier bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (window_start, store_key)
);
COMMENT ON TABLE streamflow.emptied_windows IS
    'One-minute windows whose last transaction was corrected away or voided; kept as gold.realtime_metrics is';
COMMENT ON COLUMN streamflow.emptied_windows.window_start IS 'Start of the minute';
COMMENT ON COLUMN streamflow.emptied_windows.store_key IS 'gold.dim_store; null = all stores';
COMMENT ON COLUMN streamflow.emptied_windows.changed_frontier IS
    'The committed frontier with which it was last emptied, ms; it may have been filled again since';

CREATE FUNCTION streamflow.note_emptied_window() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
AS $$
DECLARE
    committed streamflow.progress;
BEGIN
    SELECT * INTO committed FROM streamflow.progress;
    IF OLD.window_start < date_trunc('minute', committed.watermark) - interval '24 hours' THEN
        -- Dropped because of its age: that empties nothing.
        DELETE FROM streamflow.emptied_windows WHERE window_start <= OLD.window_start;
    ELSE
        INSERT INTO streamflow.emptied_windows (window_start, store_key, changed_frontier)
        VALUES (OLD.window_start, OLD.store_key, committed.frontier)
        ON CONFLICT (window_start, store_key) DO UPDATE SET changed_frontier = excluded.changed_frontier;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION streamflow.note_emptied_window() IS 'Takes note of windows that are deleted before their time';

-- At the end of the transaction, when the progress row says which frontier it commits.
CREATE CONSTRAINT TRIGGER note_emptied_window AFTER DELETE ON gold.realtime_metrics
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION streamflow.note_emptied_window();

GRANT SELECT, INSERT, UPDATE, DELETE ON streamflow.emptied_windows TO streamflow_writer;
