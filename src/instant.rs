//! Instants on the command line, written alike in every command.

use anyhow::{Result, bail};
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc};

/// An RFC 3339 instant, or a date, which is its beginning in UTC; of the years 1 to 9999.
///
/// # Errors
/// It is neither, or of another year.
pub fn parse(text: &str) -> Result<DateTime<Utc>> {
    let (year, instant) = match (DateTime::parse_from_rfc3339(text), text.parse::<NaiveDate>()) {
        (Ok(instant), _) => (instant.year(), instant.to_utc()),
        (_, Ok(date)) => (date.year(), date.and_time(NaiveTime::MIN).and_utc()),
        _ => bail!("must be RFC 3339, such as 2026-02-01T12:00:00Z, or a date, such as 2026-02-01"),
    };
    if [year, instant.year()].iter().any(|year| !(1..=9999).contains(year)) {
        bail!("must be of the years 1 to 9999");
    }
    Ok(instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_begins_in_utc() {
        for (text, expected) in [
            ("2026-02-01", "2026-02-01T00:00:00+00:00"),
            ("2026-02-01T00:00:00-03:00", "2026-02-01T03:00:00+00:00"),
            ("2026-02-01 00:00:00Z", "2026-02-01T00:00:00+00:00"),
        ] {
            assert_eq!(parse(text).unwrap().to_rfc3339(), expected);
        }
        let years = ["0000-01-01", "10000-01-01", "+10000-01-01", "-0001-01-01", "9999-12-31T23:00:00-01:00"];
        let others = ["", "2026-02-30", "yesterday", "2026-02-01T00:00:00"];
        for text in others.into_iter().chain(years) {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
