-- Payloads as jsonb, also those that a cast refuses.

-- JSON may denote what no text of PostgreSQL can hold: the character NUL, halves of surrogate pairs, numbers of any size. An
-- event may have them in fields that are not known here, and a cast of its payload ends the whole query.
--
-- Every backslash of JSON begins an escape. Once an escaped backslash is written otherwise, no other is mistaken for one.
CREATE FUNCTION bronze.payload_jsonb(payload text) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    storable text;
BEGIN
    RETURN payload::jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    BEGIN
        storable := replace(replace(payload, '\\', '\u005c'), '\u0000', '\ufffd');
        storable := regexp_replace(storable,
            '\\u[dD][89abAB][[:xdigit:]]{2}(?!\\u[dD][c-fC-F][[:xdigit:]]{2})', '\\ufffd', 'g');
        storable := regexp_replace(storable,
            '(?<!\\u[dD][89abAB][[:xdigit:]]{2})\\u[dD][c-fC-F][[:xdigit:]]{2}', '\\ufffd', 'g');
        RETURN storable::jsonb;
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
        RETURN NULL;
    END;
END
$$;
COMMENT ON FUNCTION bronze.payload_jsonb(text) IS
    'A payload as jsonb; characters that PostgreSQL cannot hold become U+FFFD; null where it is no JSON, or has a number that numeric cannot hold';

COMMENT ON COLUMN bronze.raw_transactions.payload IS
    'The JSON as received. Query it by bronze.payload_jsonb(payload): a cast to jsonb fails where a field denotes the character NUL';
COMMENT ON COLUMN bronze.dead_letters.payload IS
    'The first 64 KiB of the value; null where the record had none. bronze.payload_jsonb(payload) is null where it is no JSON';
