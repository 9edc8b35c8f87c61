//! Instants in microseconds since 1970-01-01T00:00:00Z, read from and written as RFC 3339.

use std::fmt;

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds in a day.
pub const DAY: i64 = 24 * HOUR;

/// The first instant of the year 1, in UTC. There is no year 0: PostgreSQL, for one, calls it 1 BC.
pub const FIRST: i64 = -62_135_596_800 * SECOND;
/// The last microsecond of the year 9999, in UTC: what is later has no RFC 3339 form.
pub const LAST: i64 = 253_402_300_800 * SECOND - 1;

/// Reads an RFC 3339 date-time with an offset, of the years 1 to 9999, as written and in UTC; digits beyond the
/// microsecond are cut. `None` where it is none.
///
/// ```
/// # use streamflow_model::timestamp::parse;
/// assert_eq!(parse("1970-01-01T01:00:00.5+01:00"), Some(500_000));
/// assert_eq!(parse("1970-01-01T00:00:00"), None);
/// ```
pub fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || !separators_in_place(bytes) {
        return None;
    }
    let year = number(&bytes[0..4])?;
    let (month, day) = (number(&bytes[5..7])?, number(&bytes[8..10])?);
    let (hour, minute, second) = (number(&bytes[11..13])?, number(&bytes[14..16])?, number(&bytes[17..19])?);
    // Second 60 is a leap second: RFC 3339 allows it, and it is the first instant of the next minute here.
    let in_range = year > 0
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    let (fraction, rest) = fraction(&bytes[19..])?;
    let offset = offset(rest)?;
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let instant = (seconds - offset) * SECOND + fraction;
    (FIRST..=LAST).contains(&instant).then_some(instant)
}

fn separators_in_place(bytes: &[u8]) -> bool {
    bytes[4] == b'-'
        && bytes[7] == b'-'
        && matches!(bytes[10], b'T' | b't')
        && bytes[13] == b':'
        && bytes[16] == b':'
}

fn number(digits: &[u8]) -> Option<i64> {
    digits
        .iter()
        .try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// The optional fraction in microseconds, and what follows it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.', rest @ ..] = text else {
        return Some((0, text));
    };
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    if end == 0 {
        return None;
    }
    let kept = end.min(6);
    Some((number(&rest[..kept])? * 10i64.pow(6 - kept as u32), &rest[end..]))
}

/// The offset from UTC in seconds.
fn offset(text: &[u8]) -> Option<i64> {
    match text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            let seconds = hours * 3600 + minutes * 60;
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01 (same source, civil_from_days).
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Displays an instant as RFC 3339 in UTC with microseconds: `2026-02-01T05:00:18.250000Z`.
pub struct Rfc3339(pub i64);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(DAY));
        let rest = self.0.rem_euclid(DAY);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
            rest / HOUR,
            rest / MINUTE % 60,
            rest / SECOND % 60,
            rest % SECOND
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_offsets_and_fractions() {
        let at = 1_769_922_018_250_000;
        assert_eq!(parse("2026-02-01T02:00:18.250-03:00"), Some(at));
        assert_eq!(parse("2026-02-01T05:00:18.250Z"), Some(at));
        assert_eq!(parse("2026-02-01t05:00:18.2500009z"), Some(at));
        assert_eq!(parse("2016-12-31T23:59:60Z"), parse("2017-01-01T00:00:00Z"));
    }

    #[test]
    fn refuses_what_is_not_rfc_3339() {
        for text in [
            "",
            "2026-02-01",
            "2026-02-01T02:00:18",
            "2026-02-01 02:00:18Z",
            "2026-02-30T02:00:18Z",
            "2026-13-01T02:00:18Z",
            "2026-02-01T24:00:00Z",
            "2026-02-01T02:00:18.Z",
            "2026-02-01T02:00:18+0300",
            "2026-02-01T02:00:18+24:00",
            "2026-02-01T02:00:18ZZ",
            "2026-02-01T02:00:1é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn years_are_1_to_9999_as_written_and_in_utc() {
        for (text, expected) in [
            ("0001-01-01T00:00:00Z", Some(FIRST)),
            ("0001-01-01T01:00:00+01:00", Some(FIRST)),
            ("9999-12-31T23:59:59.9999999Z", Some(LAST)),
            ("9999-12-31T22:59:59.999999-01:00", Some(LAST)),
            ("0000-12-31T23:59:59Z", None),
            ("0000-12-31T23:00:00-02:00", None),
            ("0001-01-01T00:59:59+01:00", None),
            ("9999-12-31T23:00:00-01:00", None),
            ("9999-12-31T23:59:60Z", None),
            ("10000-01-01T00:00:00Z", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(Rfc3339(FIRST).to_string(), "0001-01-01T00:00:00.000000Z");
        assert_eq!(Rfc3339(LAST).to_string(), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn civil_dates_convert_back() {
        for days in (-800_000..3_000_000).step_by(37) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(days_from_civil(1970, 1, 1), 0);
        assert_eq!(civil_from_days(20_485), (2026, 2, 1));
    }

    #[test]
    fn writes_what_it_reads() {
        let text = "2026-02-01T05:00:18.250000Z";
        assert_eq!(Rfc3339(parse(text).unwrap()).to_string(), text);
    }
}
