-- What going on after a restart needs beyond what users query.

ALTER TABLE silver.transactions ADD COLUMN alert_changes integer;
COMMENT ON COLUMN silver.transactions.alert_changes IS
    'How many changes its alert has had, over all its versions; null for none';
