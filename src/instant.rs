//! Instants on the command line, written alike in every command.

use anyhow::{Result, bail};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// An RFC 3339 instant, or a date, which is its beginning in UTC.
///
/// # Errors
/// It is neither.
pub fn parse(text: &str) -> Result<DateTime<Utc>> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Ok(instant.to_utc());
    }
    match text.parse::<NaiveDate>() {
        Ok(date) => Ok(date.and_time(NaiveTime::MIN).and_utc()),
        Err(_) => bail!("must be RFC 3339, such as 2026-02-01T12:00:00Z, or a date, such as 2026-02-01"),
    }
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
        for text in ["", "2026-02-30", "yesterday", "2026-02-01T00:00:00"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
