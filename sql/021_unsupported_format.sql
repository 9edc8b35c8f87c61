-- Records of a registry's formats that are not read are dead letters with a reason of their own.

INSERT INTO silver.quality_checks VALUES
    ('dead_letter_rate_unsupported_format', 'dead_letter_unsupported_format', 'read', 0.001, 0.01,
        'How many events are Avro or Protobuf?');
COMMENT ON COLUMN bronze.dead_letters.reason IS
    'malformed_json, missing_field, invalid_field, too_large, future_timestamp, too_late, conflicting_identity or unsupported_format';
