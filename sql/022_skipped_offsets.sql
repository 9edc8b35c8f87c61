-- Offsets that an operator has passed without reading them, because their records cannot be read or are gone.

CREATE TABLE streamflow.skipped_offsets (
    number           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_topic     text COLLATE "C" NOT NULL,
    source_partition integer NOT NULL,
    from_offset      bigint NOT NULL,
    to_offset        bigint NOT NULL CHECK (to_offset > from_offset),
    skipped_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    skipped_by       text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE streamflow.skipped_offsets IS
    'Offsets that an operator has passed without reading them; the books count them in the account skipped';
COMMENT ON COLUMN streamflow.skipped_offsets.number IS 'Ascending in the order in which they were passed';
COMMENT ON COLUMN streamflow.skipped_offsets.source_topic IS 'Kafka topic';
COMMENT ON COLUMN streamflow.skipped_offsets.source_partition IS 'Kafka partition';
COMMENT ON COLUMN streamflow.skipped_offsets.from_offset IS 'The first offset that was not read';
COMMENT ON COLUMN streamflow.skipped_offsets.to_offset IS 'The offset at which reading went on';
COMMENT ON COLUMN streamflow.skipped_offsets.skipped_at IS 'When';
COMMENT ON COLUMN streamflow.skipped_offsets.skipped_by IS 'By which user of the database';

COMMENT ON COLUMN streamflow.books.account IS
    'read, new, correcting, voiding, duplicate, superseded, reference, pending, skipped, or the reason of dead letters';

GRANT SELECT, INSERT ON streamflow.skipped_offsets TO streamflow_writer;
