//! Event time as local text. Times are microseconds since 1970; the offset is -03:00 throughout.

use chrono::{DateTime, Datelike, Timelike};

/// One second, microseconds.
pub(crate) const SECOND: i64 = 1_000_000;
/// One minute, microseconds.
pub(crate) const MINUTE: i64 = 60 * SECOND;
/// One hour, microseconds.
pub(crate) const HOUR: i64 = 60 * MINUTE;
/// One day, microseconds.
pub(crate) const DAY: i64 = 24 * HOUR;

const OFFSET: i64 = -3 * HOUR;

/// Minute of the local day, 0 to 1439.
pub(crate) fn local_minute(at: i64) -> u32 {
    ((at + OFFSET).rem_euclid(DAY) / MINUTE) as u32
}

/// Cuts to the millisecond, the precision of the timestamps written.
pub(crate) fn to_millisecond(at: i64) -> i64 {
    at - at.rem_euclid(1000)
}

/// Appends `2026-02-01T02:00:18.250-03:00` (29 bytes). Years beyond 9999 wrap.
pub(crate) fn push_local(out: &mut Vec<u8>, at: i64) {
    let local = DateTime::from_timestamp_micros(at + OFFSET).unwrap_or_default();
    let year = local.year().rem_euclid(10_000) as u32;
    push_two(out, year / 100);
    push_two(out, year % 100);
    out.push(b'-');
    push_two(out, local.month());
    out.push(b'-');
    push_two(out, local.day());
    out.push(b'T');
    push_two(out, local.hour());
    out.push(b':');
    push_two(out, local.minute());
    out.push(b':');
    push_two(out, local.second());
    out.push(b'.');
    let millisecond = at.rem_euclid(SECOND) as u32 / 1000;
    out.push(b'0' + (millisecond / 100) as u8);
    push_two(out, millisecond % 100);
    out.extend_from_slice(b"-03:00");
}

/// The same as text of its own.
pub(crate) fn local(at: i64) -> String {
    let mut text = Vec::with_capacity(29);
    push_local(&mut text, at);
    String::from_utf8_lossy(&text).into_owned()
}

fn push_two(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&[b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_text_has_offset_and_milliseconds() {
        assert_eq!(local(1_769_914_800_000_000), "2026-02-01T00:00:00.000-03:00");
        assert_eq!(local(1_769_914_800_000_000 + 7_218_250_999), "2026-02-01T02:00:18.250-03:00");
        assert_eq!(local_minute(1_769_914_800_000_000 + 125 * MINUTE), 125);
    }
}
