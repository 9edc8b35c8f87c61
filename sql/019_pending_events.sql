-- Events that wait until what is final has been looked up: corrections and voids of transactions that memory does not hold.

CREATE TABLE streamflow.pending_events (
    arrived          bigint NOT NULL,
    waits_behind     boolean NOT NULL,
    record_time      timestamptz,
    partition_time   timestamptz NOT NULL,
    own_final_before timestamptz NOT NULL,
    final_before     timestamptz NOT NULL,
    reaches_back_to  timestamptz NOT NULL,
    source_offset    bigint NOT NULL,
    source_partition integer NOT NULL,
    source_topic     text COLLATE "C" NOT NULL,
    message_key      bytea,
    payload          bytea NOT NULL,
    PRIMARY KEY (source_topic, source_partition, source_offset)
);
CREATE INDEX pending_events_order ON streamflow.pending_events (final_before, arrived);
COMMENT ON TABLE streamflow.pending_events IS
    'Events that have been read and not been decided: each waits until what it may change is final and has been looked up';
COMMENT ON COLUMN streamflow.pending_events.arrived IS 'Ingest time, ms since 1970';
COMMENT ON COLUMN streamflow.pending_events.waits_behind IS
    'An earlier event of its transaction waits: it is decided after that';
COMMENT ON COLUMN streamflow.pending_events.record_time IS 'When the broker appended it';
COMMENT ON COLUMN streamflow.pending_events.partition_time IS 'Reference time of its partition when it was read';
COMMENT ON COLUMN streamflow.pending_events.own_final_before IS
    'Transactions before this event time were final for its partition when it was read';
COMMENT ON COLUMN streamflow.pending_events.final_before IS
    'The same, or that of an earlier event of its transaction that has to wait, if that is later; it is decided once everything before is final in all partitions';
COMMENT ON COLUMN streamflow.pending_events.reaches_back_to IS
    'Transactions before this event time are too old to be meant; behind another event: forgotten when it was read';
COMMENT ON COLUMN streamflow.pending_events.source_offset IS 'Kafka offset';
COMMENT ON COLUMN streamflow.pending_events.source_partition IS 'Kafka partition';
COMMENT ON COLUMN streamflow.pending_events.source_topic IS 'Kafka topic';
COMMENT ON COLUMN streamflow.pending_events.message_key IS 'The record''s key';
COMMENT ON COLUMN streamflow.pending_events.payload IS 'The record''s value';

ALTER TABLE bronze.raw_transactions ADD COLUMN final_before timestamptz;
COMMENT ON COLUMN bronze.raw_transactions.final_before IS
    'Where the event had to wait: transactions before this event time were final then; null where it did not wait';

COMMENT ON COLUMN streamflow.books.account IS
    'read, new, correcting, voiding, duplicate, superseded, reference, pending, or the reason of dead letters';

GRANT SELECT, INSERT, UPDATE, DELETE ON streamflow.pending_events TO streamflow_writer;
