-- Rule sets as data: every version with who, when and why.

ALTER TABLE streamflow.rules SET SCHEMA gold;
ALTER TABLE gold.rules RENAME TO rule_versions;
ALTER TABLE gold.rule_versions RENAME CONSTRAINT rules_pkey TO rule_versions_pkey;
ALTER SEQUENCE gold.rules_version_seq RENAME TO rule_versions_version_seq;

-- The parameters as in the configuration become a document with one rule of each kind that they have.
UPDATE gold.rule_versions AS v
SET rules = json_build_object(
    'author', 'configuration', 'note', '',
    'alert_threshold', v.rules::jsonb -> 'alert_threshold', 'combination', 'weighted_mean',
    'rules', (SELECT json_agg(json_build_object(
                  'id', kind.id, 'kind', kind.name,
                  'enabled', coalesce((settings ->> 'enabled')::boolean, true),
                  'weight', settings -> 'weight', 'action', 'review',
                  'parameters', settings - 'weight' - 'enabled') ORDER BY kind.id)
              FROM (VALUES ('FR-001', 'high_value'), ('FR-002', 'velocity'), ('FR-003', 'impossible_travel'),
                           ('FR-004', 'unusual_hour'), ('FR-005', 'blacklist'), ('FR-006', 'card_testing'))
                   AS kind (id, name)
              CROSS JOIN LATERAL (SELECT v.rules::jsonb -> kind.name AS settings) AS of_kind
              WHERE settings IS NOT NULL));

ALTER TABLE gold.rule_versions
    ADD COLUMN author text GENERATED ALWAYS AS (rules ->> 'author') STORED,
    ADD COLUMN note text GENERATED ALWAYS AS (rules ->> 'note') STORED,
    ADD COLUMN alerts_raised bigint NOT NULL DEFAULT 0,
    ADD COLUMN alerts_revised bigint NOT NULL DEFAULT 0,
    ADD COLUMN alerts_withdrawn bigint NOT NULL DEFAULT 0;
COMMENT ON TABLE gold.rule_versions IS 'Every version of the rules: who made it, when and why';
COMMENT ON COLUMN gold.rule_versions.version IS 'Ascending in the order of the changes';
COMMENT ON COLUMN gold.rule_versions.applies_from IS
    'Event time from which transactions are judged by it; what is older stays final';
COMMENT ON COLUMN gold.rule_versions.rules IS 'The rules as a document, as `streamflow rules put` takes it';
COMMENT ON COLUMN gold.rule_versions.ingested_at IS 'When the change was read, to the ms';
COMMENT ON COLUMN gold.rule_versions.author IS 'Who made it; configuration where the configuration did';
COMMENT ON COLUMN gold.rule_versions.note IS 'Why';
COMMENT ON COLUMN gold.rule_versions.alerts_raised IS
    'Alerts that it raised when it came; of several versions of one frontier the last one has all';
COMMENT ON COLUMN gold.rule_versions.alerts_revised IS 'Alerts that it revised when it came';
COMMENT ON COLUMN gold.rule_versions.alerts_withdrawn IS 'Alerts that it withdrew when it came';

-- Who reads gold reads what its alerts were judged by.
GRANT SELECT ON gold.rule_versions TO streamflow_reader;
