-- The times of records, by which lateness was decided. Rows of before have none.

ALTER TABLE bronze.raw_transactions ADD COLUMN record_time timestamptz;
COMMENT ON COLUMN bronze.raw_transactions.record_time IS 'When the broker appended it';

ALTER TABLE bronze.dead_letters ADD COLUMN record_time timestamptz;
COMMENT ON COLUMN bronze.dead_letters.record_time IS 'When the broker appended it';
