-- Customers who asked to be erased: streamflow erase puts a pseudonym in the place of the id, and removes the rest.

CREATE TABLE streamflow.erasures (
    number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pseudonym text COLLATE "C" NOT NULL UNIQUE,
    erased_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    erased_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE streamflow.erasures IS 'Customers who were erased, without a word of who they were';
COMMENT ON COLUMN streamflow.erasures.number IS 'Ascending in the order of the erasures';
COMMENT ON COLUMN streamflow.erasures.pseudonym IS 'What stands in the place of the customer id; random, so that nothing leads back';
COMMENT ON COLUMN streamflow.erasures.erased_at IS 'When';
COMMENT ON COLUMN streamflow.erasures.erased_by IS 'By which user of the database';

ALTER TABLE bronze.raw_fraud_alerts ADD COLUMN erased_at timestamptz;
COMMENT ON COLUMN bronze.raw_fraud_alerts.erased_at IS
    'When a customer was erased from it: what was published before differs; null where nobody was';

ALTER TABLE bronze.dead_letters ADD COLUMN erased_at timestamptz;
COMMENT ON COLUMN bronze.dead_letters.erased_at IS
    'When its key, payload and message were erased, with the customer whom they named; null where they were not';

-- What was erased stays on record.
REVOKE UPDATE, DELETE ON streamflow.erasures FROM streamflow_writer;
