-- Data quality: counts by quarter hour, and the checks that are derived from them.

CREATE TABLE silver.quality_counts (
    window_start timestamptz NOT NULL,
    measure      text NOT NULL,
    events       bigint NOT NULL,
    changed_at   timestamptz NOT NULL,
    PRIMARY KEY (window_start, measure)
) WITH (fillfactor = 50);
COMMENT ON TABLE silver.quality_counts IS 'What the data-quality checks count';
COMMENT ON COLUMN silver.quality_counts.window_start IS 'Start of the quarter hour of reference time';
COMMENT ON COLUMN silver.quality_counts.measure IS 'What is counted';
COMMENT ON COLUMN silver.quality_counts.events IS 'Number of events';
COMMENT ON COLUMN silver.quality_counts.changed_at IS 'When the count last changed, to the ms';

CREATE TABLE silver.quality_checks (
    check_name  text PRIMARY KEY,
    numerator   text NOT NULL,
    denominator text NOT NULL,
    warn_above  numeric NOT NULL,
    fail_above  numeric NOT NULL,
    question    text NOT NULL
);
COMMENT ON TABLE silver.quality_checks IS 'The data-quality checks and their thresholds';
COMMENT ON COLUMN silver.quality_checks.check_name IS 'Name';
COMMENT ON COLUMN silver.quality_checks.numerator IS 'silver.quality_counts.measure';
COMMENT ON COLUMN silver.quality_checks.denominator IS 'silver.quality_counts.measure';
COMMENT ON COLUMN silver.quality_checks.warn_above IS 'A larger rate is a warning';
COMMENT ON COLUMN silver.quality_checks.fail_above IS 'A larger rate is a failure';
COMMENT ON COLUMN silver.quality_checks.question IS 'What it asks';

INSERT INTO silver.quality_checks VALUES
    ('null_rate_place', 'no_place', 'accepted', 0.5, 0.9, 'How many accepted events have no place?'),
    ('null_rate_product_id', 'no_product', 'accepted', 0.2, 0.5, 'How many accepted events have no product?'),
    ('null_rate_payment_method', 'no_payment_method', 'accepted', 0.1, 0.3,
        'How many accepted events have no payment method?'),
    ('newer_schema_rate', 'newer_schema', 'accepted', 0, 0.5, 'How many accepted events claim a newer schema?'),
    ('late_rate', 'late', 'accepted', 0.1, 0.3,
        'How many accepted events lie more than a minute behind their partition?'),
    ('duplicate_rate', 'duplicate', 'read', 0.05, 0.2, 'How many events are duplicates?'),
    ('invalid_amount_rate', 'invalid_amount', 'read', 0.01, 0.05, 'How many events have an invalid amount?'),
    ('dead_letter_rate_malformed_json', 'dead_letter_malformed_json', 'read', 0.01, 0.05,
        'How many events are no JSON object?'),
    ('dead_letter_rate_missing_field', 'dead_letter_missing_field', 'read', 0.01, 0.05,
        'How many events lack a required field?'),
    ('dead_letter_rate_invalid_field', 'dead_letter_invalid_field', 'read', 0.01, 0.05,
        'How many events have a field that violates its limit?'),
    ('dead_letter_rate_too_large', 'dead_letter_too_large', 'read', 0.001, 0.01, 'How many events are over 64 KiB?'),
    ('dead_letter_rate_future_timestamp', 'dead_letter_future_timestamp', 'read', 0.001, 0.01,
        'How many events lie in the future?'),
    ('dead_letter_rate_too_late', 'dead_letter_too_late', 'read', 0.01, 0.05,
        'How many events come after the horizon?'),
    ('dead_letter_rate_conflicting_identity', 'dead_letter_conflicting_identity', 'read', 0.001, 0.01,
        'How many events use the id of another customer''s transaction?');

-- Freshness is measured when asked: no event comes in when events fail to come in.
CREATE VIEW silver.quality_check_results AS
SELECT d.window_start,
       c.check_name,
       streamflow.ratio(coalesce(n.events, 0), d.events, 4) AS value,
       coalesce(n.events, 0) AS numerator,
       d.events AS denominator,
       CASE
           WHEN coalesce(n.events, 0) > c.fail_above * d.events THEN 'fail'
           WHEN coalesce(n.events, 0) > c.warn_above * d.events THEN 'warn'
           ELSE 'pass'
       END AS status,
       greatest(d.changed_at, n.changed_at) AS changed_at
FROM silver.quality_checks AS c
JOIN silver.quality_counts AS d ON d.measure = c.denominator AND d.events > 0
LEFT JOIN silver.quality_counts AS n ON n.window_start = d.window_start AND n.measure = c.numerator
UNION ALL
SELECT NULL,
       'freshness',
       round(lag.seconds, 4),
       (lag.seconds * 1000)::bigint,
       1000,
       CASE WHEN lag.seconds > 60 THEN 'fail' WHEN lag.seconds > 10 THEN 'warn' ELSE 'pass' END,
       p.committed_at
FROM streamflow.progress AS p
CROSS JOIN LATERAL (SELECT extract(epoch FROM clock_timestamp()) - p.frontier / 1000.0 AS seconds) AS lag;
COMMENT ON VIEW silver.quality_check_results IS
    'Results of the data-quality checks by quarter hour; thresholds in silver.quality_checks, freshness 10 s and 60 s';
COMMENT ON COLUMN silver.quality_check_results.window_start IS
    'Start of the quarter hour of reference time; null for freshness, which is of now';
COMMENT ON COLUMN silver.quality_check_results.check_name IS 'Name of the check';
COMMENT ON COLUMN silver.quality_check_results.value IS
    'Rate, 4 decimals; for freshness seconds from the frontier to now';
COMMENT ON COLUMN silver.quality_check_results.numerator IS 'Events that are concerned; for freshness ms';
COMMENT ON COLUMN silver.quality_check_results.denominator IS 'Events in all; for freshness ms in a second';
COMMENT ON COLUMN silver.quality_check_results.status IS 'pass, warn or fail';
COMMENT ON COLUMN silver.quality_check_results.changed_at IS 'When the result last changed';
