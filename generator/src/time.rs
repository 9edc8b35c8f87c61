//! Event time as local text. Times are microseconds since 1970; the offset is -03:00 throughout.

use chrono::{DateTime, SecondsFormat};

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

/// Local time as `2026-02-01T02:00:18.250-03:00`.
pub(crate) fn local(at: i64) -> String {
    let local = DateTime::from_timestamp_micros(at + OFFSET).unwrap_or_default();
    local.to_rfc3339_opts(SecondsFormat::Millis, true).replace('Z', "-03:00")
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
