-- What is known of a transaction and of each change of its alert.

CREATE FUNCTION streamflow.rfc3339(instant timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
COMMENT ON FUNCTION streamflow.rfc3339(timestamptz) IS 'An instant as alerts have it: RFC 3339, in UTC, to the microsecond';

-- Of versions that were read by then, the last one that reaches back to the event time.
CREATE FUNCTION streamflow.rules_version(event_time timestamptz, known_at timestamptz) RETURNS jsonb
    LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
        'version', v.version, 'author', v.author, 'note', v.note,
        'ingested_at', streamflow.rfc3339(v.ingested_at),
        'applies_from', CASE WHEN isfinite(v.applies_from) THEN streamflow.rfc3339(v.applies_from) END)
    FROM gold.rule_versions AS v
    WHERE v.rule_set = 'live' AND v.ingested_at <= known_at AND v.applies_from <= event_time
    ORDER BY v.ingested_at DESC, v.version DESC LIMIT 1
$$;
COMMENT ON FUNCTION streamflow.rules_version(timestamptz, timestamptz) IS
    'The version of the rules by which a transaction of this event time is judged, as known at an instant';

-- Who reads gold sees no payloads; of an event this shows what gold shows of its transaction.
CREATE FUNCTION streamflow.explained_event(event bronze.raw_transactions) RETURNS jsonb
    LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
        'transaction_id', payload -> 'transaction_id', 'revision', coalesce(payload -> 'revision', '0'),
        'voided', coalesce(payload -> 'voided', 'false'), 'amount', payload -> 'amount',
        'transaction_at', streamflow.rfc3339(event.event_time), 'ingested_at', streamflow.rfc3339(event.ingested_at),
        'topic', event.source_topic, 'partition', event.source_partition, 'offset', event.source_offset)
    FROM bronze.payload_jsonb(event.payload) AS payload
$$;
COMMENT ON FUNCTION streamflow.explained_event(bronze.raw_transactions) IS
    'Position and times of an event, and of its fields as received those that gold shows as well';

-- The events of one instant that can have caused a change.
CREATE FUNCTION streamflow.causing_events(cause text, id text, customer text, detected_at timestamptz) RETURNS jsonb
    LANGUAGE sql STABLE
AS $$
    SELECT coalesce(jsonb_agg(streamflow.explained_event(e) ORDER BY e.source_topic, e.source_partition, e.source_offset), '[]')
    FROM bronze.raw_transactions AS e CROSS JOIN LATERAL bronze.payload_jsonb(e.payload) AS p (payload)
    WHERE cause IN ('transaction', 'late_event', 'correction', 'void') AND e.ingested_at = detected_at
      AND p.payload ->> 'customer_id' = customer
      AND CASE cause
              WHEN 'transaction' THEN p.payload ->> 'transaction_id' = id
              WHEN 'late_event' THEN p.payload ->> 'transaction_id' <> id
              WHEN 'void' THEN p.payload ->> 'voided' = 'true'
              ELSE coalesce(p.payload ->> 'revision', '0') <> '0'
          END
$$;
COMMENT ON FUNCTION streamflow.causing_events(text, text, text, timestamptz) IS
    'The events of a customer that were read when an alert changed, and that such a cause can be';

-- The versions of a customer's and a store's list entry that were read when an alert changed.
CREATE FUNCTION streamflow.causing_list_changes(customer text, store text, detected_at timestamptz) RETURNS jsonb
    LANGUAGE sql STABLE
AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'version', b.version, 'entity', b.entity_kind, 'id', b.entity_id, 'removed', b.removed, 'reason', b.reason,
        'ingested_at', streamflow.rfc3339(b.ingested_at)) ORDER BY b.version), '[]')
    FROM silver.blacklist AS b
    WHERE b.ingested_at = detected_at
      AND (b.entity_kind, b.entity_id) IN (('customer', customer), ('store', store))
$$;
COMMENT ON FUNCTION streamflow.causing_list_changes(text, text, timestamptz) IS
    'The versions of the list entries of a customer and a store that were read when an alert changed';

-- The events that brought the versions of a transaction. Of those before the current one, which is found by its
-- position, only those with an event time that is known or at the instant of a change can be found without reading
-- all of bronze.
CREATE FUNCTION streamflow.versions_of(id text, known_at timestamptz) RETURNS SETOF bronze.raw_transactions
    LANGUAGE sql STABLE
AS $$
    WITH current AS MATERIALIZED (
        SELECT t.transaction_at, t.revision, o.topic, t.source_partition, t.source_offset
        FROM silver.transactions AS t JOIN streamflow.topics AS o USING (topic_key) WHERE t.transaction_id = id
    ), changes AS MATERIALIZED (
        SELECT a.detected_at, (a.payload ->> 'transaction_at')::timestamptz AS transaction_at,
               a.payload -> 'source' ->> 'topic' AS topic, (a.payload -> 'source' ->> 'partition')::integer AS source_partition,
               (a.payload -> 'source' ->> 'offset')::bigint AS source_offset
        FROM bronze.raw_fraud_alerts AS a WHERE a.transaction_id = id
    ), at_positions AS MATERIALIZED (
        SELECT e.*
        FROM (SELECT topic, source_partition, source_offset FROM current
              UNION SELECT topic, source_partition, source_offset FROM changes) AS p
        JOIN bronze.raw_transactions AS e ON e.source_topic = p.topic AND e.source_partition = p.source_partition
            AND e.source_offset = p.source_offset
        WHERE bronze.payload_jsonb(e.payload) ->> 'transaction_id' = id
    ), current_event AS (
        SELECT e.ingested_at FROM at_positions AS e
        JOIN current AS t ON e.source_topic = t.topic AND e.source_partition = t.source_partition
            AND e.source_offset = t.source_offset
    ), found AS (
        SELECT * FROM at_positions
        UNION
        SELECT e.* FROM changes AS c JOIN bronze.raw_transactions AS e ON e.ingested_at = c.detected_at
        WHERE bronze.payload_jsonb(e.payload) ->> 'transaction_id' = id
        UNION
        SELECT e.*
        FROM (SELECT transaction_at FROM current UNION SELECT transaction_at FROM changes) AS known
        JOIN bronze.raw_transactions AS e ON e.event_time = known.transaction_at
        WHERE (SELECT revision > 0 FROM current)
          AND e.ingested_at BETWEEN known.transaction_at - interval '1 hour' AND (SELECT ingested_at FROM current_event)
          AND bronze.payload_jsonb(e.payload) ->> 'transaction_id' = id
    )
    SELECT * FROM found WHERE ingested_at <= known_at
$$;
COMMENT ON FUNCTION streamflow.versions_of(text, timestamptz) IS
    'The events in bronze that brought the versions of a transaction, as known at an instant';

CREATE FUNCTION gold.explain(id text, known_at timestamptz DEFAULT 'infinity') RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'transaction_id', id,
        'known_at', CASE WHEN isfinite(known_at) THEN streamflow.rfc3339(known_at) END,
        'frontier', streamflow.frontier(),
        'transaction', (
            SELECT jsonb_build_object(
                'customer_id', t.customer_id, 'store_id', t.store_id, 'product_id', t.product_id,
                'payment_method', t.payment_method, 'amount', t.amount::text, 'currency', t.currency,
                'latitude', t.latitude, 'longitude', t.longitude,
                'transaction_at', streamflow.rfc3339(t.transaction_at), 'revision', t.revision, 'voided', t.voided,
                'topic', t.source_topic, 'partition', t.source_partition, 'offset', t.source_offset)
            FROM silver.clean_transactions AS t WHERE t.transaction_id = id),
        'verdict', (
            SELECT jsonb_build_object(
                'is_fraud', t.is_fraud, 'fraud_score', (t.score_thousandths * 0.001)::text,
                'rules_triggered', streamflow.rules_triggered(t.rule_scores), 'alert_changes', coalesce(t.alert_changes, 0),
                'rules_version', streamflow.rules_version(t.transaction_at, 'infinity'))
            FROM silver.transactions AS t WHERE t.transaction_id = id),
        'events', (
            SELECT coalesce(jsonb_agg(streamflow.explained_event(e)
                                ORDER BY e.ingested_at, e.source_topic, e.source_partition, e.source_offset), '[]')
            FROM streamflow.versions_of(id, known_at) AS e),
        'changes', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'sequence', a.sequence, 'change', a.change, 'cause', a.cause,
                'detected_at', streamflow.rfc3339(a.detected_at), 'fraud_score', a.fraud_score::text,
                'rule_details', a.payload -> 'rule_details', 'amount', a.payload -> 'transaction_amount',
                'currency', a.payload -> 'currency', 'transaction_at', a.payload -> 'transaction_at',
                'source', a.payload -> 'source',
                'rules_version', streamflow.rules_version((a.payload ->> 'transaction_at')::timestamptz, a.detected_at),
                'events', streamflow.causing_events(a.cause, id, a.customer_id, a.detected_at),
                'list_changes', CASE a.cause WHEN 'list_change' THEN streamflow.causing_list_changes(
                    a.customer_id, a.payload ->> 'store_id', a.detected_at) ELSE '[]' END) ORDER BY a.number), '[]')
            FROM bronze.raw_fraud_alerts AS a WHERE a.transaction_id = id AND a.detected_at <= known_at))
    WHERE EXISTS (SELECT FROM silver.transactions AS t WHERE t.transaction_id = id)
       OR EXISTS (SELECT FROM bronze.raw_fraud_alerts AS a WHERE a.transaction_id = id)
$$;
COMMENT ON FUNCTION gold.explain(text, timestamptz) IS
    'Why a transaction is alerted or not: its current row and verdict, and, those of until known_at, the events with its versions and each change of its alert with cause, version of the rules, evidence and events; null where nobody knows it. `streamflow explain` adds what precedes it and what would change its verdict';

REVOKE EXECUTE ON FUNCTION gold.explain(text, timestamptz), streamflow.versions_of(text, timestamptz),
    streamflow.explained_event(bronze.raw_transactions), streamflow.rules_version(timestamptz, timestamptz),
    streamflow.causing_events(text, text, text, timestamptz), streamflow.causing_list_changes(text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gold.explain(text, timestamptz) TO streamflow_reader, streamflow_writer;
GRANT EXECUTE ON FUNCTION streamflow.versions_of(text, timestamptz), streamflow.rules_version(timestamptz, timestamptz)
    TO streamflow_writer;
