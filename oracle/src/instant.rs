//! Instants: RFC 3339 in and out, and local time.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeZone, Timelike};
use chrono_tz::Tz;

const SECOND: i64 = 1_000_000;

/// Microseconds since 1970 of an RFC 3339 date-time with an offset; digits beyond the microsecond are cut,
/// and second 60 is the first instant of the next minute. The year is 1 to 9999, there and in UTC.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (date, time) = (text.get(..10)?, text.get(11..19)?);
    matches!(text.get(10..11)?, "T" | "t").then_some(())?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let (fraction, zone) = fraction(text.get(19..)?)?;
    let midnight = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?.and_hms_opt(0, 0, 0)?;
    (hour < 24 && minute < 60 && second <= 60).then_some(())?;
    let seconds = midnight.and_utc().timestamp() + i64::from(hour * 3600 + minute * 60 + second);
    let instant = (seconds - offset(zone)?) * SECOND + fraction;
    let year = DateTime::from_timestamp_micros(instant)?.year();
    (midnight.year() > 0 && (1..=9999).contains(&year)).then_some(instant)
}

fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[u32; N]> {
    let parts: Vec<&str> = text.split(separator).collect();
    let mut values = [0; N];
    (parts.len() == N).then_some(())?;
    for ((value, part), width) in values.iter_mut().zip(parts).zip(widths) {
        let plain = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
        *value = plain.then(|| part.parse().ok()).flatten()?;
    }
    Some(values)
}

fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let zone = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let digits = &rest[..rest.len() - zone.len()];
    (!digits.is_empty()).then_some(())?;
    let padded = format!("{digits}000000");
    Some((padded[..6].parse().ok()?, zone))
}

fn offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = match text.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let [hours, minutes] = numbers(&text[1..], ':', [2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * i64::from(hours * 3600 + minutes * 60))
}

/// RFC 3339 in UTC with microseconds.
pub(crate) fn rfc3339(instant: i64) -> String {
    DateTime::from_timestamp_micros(instant)
        .map_or_else(String::new, |utc| utc.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

fn local(zone: Tz, instant: i64) -> NaiveDateTime {
    let utc = DateTime::from_timestamp_micros(instant).unwrap_or_default();
    let offset = zone.offset_from_utc_datetime(&utc.naive_utc()).fix();
    utc.with_timezone(&offset).naive_local()
}

/// The minute of the local day.
pub(crate) fn minute_of_day(zone: Tz, instant: i64) -> i64 {
    let local = local(zone, instant);
    i64::from(local.hour() * 60 + local.minute())
}

/// The local day as YYYYMMDD.
pub(crate) fn date_key(zone: Tz, instant: i64) -> i32 {
    let local = local(zone, instant);
    local.year() * 10_000 + (local.month() * 100 + local.day()) as i32
}

/// The instant at which the local hour began, by the offset that is in force at `instant`.
pub(crate) fn hour_start(zone: Tz, instant: i64) -> i64 {
    let local = local(zone, instant);
    let into_hour =
        i64::from(local.minute() * 60 + local.second()) * SECOND + i64::from(local.nanosecond()) / 1000;
    instant - into_hour
}

/// Rounds down to a multiple of `length`.
pub(crate) fn floor_to(instant: i64, length: i64) -> i64 {
    instant - instant.rem_euclid(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_rfc_3339() {
        let at = 1_769_922_018_250_000;
        assert_eq!(parse("2026-02-01T02:00:18.250-03:00"), Some(at));
        assert_eq!(rfc3339(at), "2026-02-01T05:00:18.250000Z");
        assert_eq!(parse("2016-12-31T23:59:60Z"), parse("2017-01-01T00:00:00Z"));
        for wrong in [
            "",
            "2026-02-01T02:00:18",
            "2026-02-30T02:00:18Z",
            "2026-02-01T02:00:18.Z",
            "2026-02-01T2:000:18Z",
            "0000-12-31T23:00:00-02:00",
            "0001-01-01T00:59:59+01:00",
            "9999-12-31T23:00:00-01:00",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn local_time_of_sao_paulo() {
        let zone = chrono_tz::America::Sao_Paulo;
        let at = 1_769_922_018_250_000;
        assert_eq!((minute_of_day(zone, at), date_key(zone, at)), (120, 20_260_201));
        assert_eq!(rfc3339(hour_start(zone, at)), "2026-02-01T05:00:00.000000Z");
    }
}
