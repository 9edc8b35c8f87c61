//! `bronze.raw_transactions` and `bronze.dead_letters`.

use crate::changes::{At, Changes};
use crate::encoding::{Fields, micros};
use crate::output::Output;
use crate::topics::Topics;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use streamflow_connectors::postgres::{CopyRows, PostgresError};
use streamflow_model::DeadLetter;

/// Appends the events as received.
pub(crate) fn write_received(output: &mut Output<'_, '_>, changes: &Changes) -> Result<(), PostgresError> {
    output.copy(
        "bronze.raw_transactions",
        "COPY bronze.raw_transactions (ingested_at, event_time, source_offset, schema_version, \
         source_partition, source_topic, payload, record_time, final_before) \
         FROM STDIN (FORMAT binary)",
        &changes.received,
    )
}

/// Appends the dead letters, numbered from the one after `last_number`, and returns the last number.
pub(crate) fn write_dead_letters(
    output: &mut Output<'_, '_>,
    changes: &Changes,
    topics: &Topics,
    last_number: i64,
) -> Result<i64, PostgresError> {
    let mut letters: Vec<_> = changes.dead_letters.iter().collect();
    letters.sort_by_key(|letter| (letter.time, letter.value.source));
    let mut rows = CopyRows::new(14);
    for (number, letter) in (last_number + 1..).zip(&letters) {
        push_letter(&mut rows, number, letter, topics);
    }
    output.copy(
        "bronze.dead_letters",
        "COPY bronze.dead_letters (id, source_topic, source_partition, source_offset, reason, message, key, \
         key_is_base64, payload, payload_is_base64, truncated, full_length, ingested_at, record_time) \
         FROM STDIN (FORMAT binary)",
        &rows,
    )?;
    Ok(last_number + letters.len() as i64)
}

fn push_letter(rows: &mut CopyRows, number: i64, letter: &At<DeadLetter>, topics: &Topics) {
    let DeadLetter { source, record_time, reason, message, key, payload, full_length } = &letter.value;
    let partition = source.partition();
    let key = key.as_deref().map(lossless);
    let kept = payload.as_ref().map_or(0, |payload| payload.len() as u64);
    let payload = payload.as_deref().map(lossless);
    rows.begin();
    rows.int8(number);
    rows.text(topics.name(partition.topic()));
    rows.int4(i32::from(partition.partition()));
    rows.count(source.offset());
    rows.text(reason.as_str());
    rows.text(message);
    push_lossless(rows, key.as_ref());
    push_lossless(rows, payload.as_ref());
    rows.boolean(kept < *full_length);
    rows.count(*full_length);
    rows.instant(micros(letter.time));
    rows.nullable(*record_time, |rows, time| rows.instant(time));
}

/// Bytes as a text from which they can be decoded.
struct Lossless<'a> {
    text: Cow<'a, str>,
    is_base64: bool,
}

/// UTF-8 stays as it is, but for the NUL character, which PostgreSQL's texts do not have.
fn lossless(bytes: &[u8]) -> Lossless<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) if memchr::memchr(0, bytes).is_none() => {
            Lossless { text: Cow::Borrowed(text), is_base64: false }
        }
        _ => Lossless { text: Cow::Owned(STANDARD.encode(bytes)), is_base64: true },
    }
}

fn push_lossless(rows: &mut CopyRows, value: Option<&Lossless<'_>>) {
    rows.nullable(value, |rows, value| rows.text(&value.text));
    rows.boolean(value.is_some_and(|value| value.is_base64));
}
