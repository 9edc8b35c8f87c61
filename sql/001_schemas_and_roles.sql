-- Schemas and the roles that own no object: what each may do is granted in 009_grants.sql.

CREATE SCHEMA IF NOT EXISTS bronze;
CREATE SCHEMA IF NOT EXISTS silver;
CREATE SCHEMA IF NOT EXISTS gold;
CREATE SCHEMA IF NOT EXISTS streamflow;

COMMENT ON SCHEMA bronze IS 'Events as received';
COMMENT ON SCHEMA silver IS 'Cleaned: one row per transaction or entity';
COMMENT ON SCHEMA gold IS 'Star schema and aggregates, exact at streamflow.frontier()';
COMMENT ON SCHEMA streamflow IS 'Progress of the pipeline';

-- Roles belong to the whole server: another database may have created them, perhaps at this very moment.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['streamflow_writer', 'streamflow_reader', 'streamflow_maintainer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;

-- Rounds half away from zero. Twenty decimals before rounding keep a quotient just below a half from becoming one.
CREATE FUNCTION streamflow.ratio(numerator numeric, denominator bigint, places integer) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN round(numerator::numeric(60, 20) / nullif(denominator, 0), places);
COMMENT ON FUNCTION streamflow.ratio(numeric, bigint, integer) IS
    'numerator / denominator to the given decimals, half away from zero; null for a zero denominator';

-- The rule in most alerts, the lowest id of several.
CREATE FUNCTION streamflow.top_rule(fr_001 bigint, fr_002 bigint, fr_003 bigint, fr_004 bigint, fr_005 bigint)
    RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE greatest(fr_001, fr_002, fr_003, fr_004, fr_005)
        WHEN 0 THEN NULL
        WHEN fr_001 THEN 'FR-001'
        WHEN fr_002 THEN 'FR-002'
        WHEN fr_003 THEN 'FR-003'
        WHEN fr_004 THEN 'FR-004'
        ELSE 'FR-005'
    END;
COMMENT ON FUNCTION streamflow.top_rule(bigint, bigint, bigint, bigint, bigint) IS
    'The rule with the largest count, the lowest id of several; null where all are zero';
