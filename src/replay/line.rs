//! One JSON object a line, written field by field: the two files with a line for every transaction are most
//! of a replay's output, and this takes a fraction of the time that serializing a struct of strings does.

use streamflow_model::money::divide_rounded;
use streamflow_model::timestamp::{DAY, HOUR, MINUTE, SECOND, civil_from_days};

/// A line at the end of a buffer. What stands between two values - the end of one, a comma, the next name -
/// comes as one literal, whose length the compiler knows.
pub struct Line<'a>(pub &'a mut Vec<u8>);

impl Line<'_> {
    /// Text as it is, without quotes or escapes.
    #[inline]
    pub fn literal<const N: usize>(&mut self, text: &[u8; N]) {
        self.0.extend_from_slice(text);
    }

    /// The inside of a string.
    pub fn text(&mut self, value: &str) {
        let plain =
            value.bytes().fold(true, |plain, byte| plain & (byte >= 0x20) & (byte != b'"') & (byte != b'\\'));
        if plain {
            self.0.extend_from_slice(value.as_bytes());
        } else {
            value.chars().for_each(|character| self.escaped(character));
        }
    }

    fn escaped(&mut self, character: char) {
        match character {
            '"' => self.literal(b"\\\""),
            '\\' => self.literal(b"\\\\"),
            '\0'..='\x1f' => self.0.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes()),
            _ => self.0.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }

    /// A string, or null.
    pub fn optional_text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => {
                self.literal(b"\"");
                self.text(value);
                self.literal(b"\"");
            }
            None => self.literal(b"null"),
        }
    }

    /// The inside of an array of strings without anything to escape.
    pub fn codes(&mut self, codes: impl Iterator<Item: AsRef<str>>) {
        for (place, code) in codes.enumerate() {
            self.0.extend_from_slice(if place == 0 { b"\"" } else { b",\"" });
            self.0.extend_from_slice(code.as_ref().as_bytes());
            self.literal(b"\"");
        }
    }

    /// A truth value.
    pub fn truth(&mut self, value: bool) {
        if value { self.literal(b"true") } else { self.literal(b"false") }
    }

    /// A count or a key.
    pub fn number(&mut self, value: u64) {
        self.0.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A number that can be negative.
    pub fn whole_number(&mut self, value: i64) {
        self.0.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A string of what `inside` writes.
    pub fn quoted(&mut self, inside: impl FnOnce(&mut Self)) {
        self.literal(b"\"");
        inside(self);
        self.literal(b"\"");
    }

    /// `numerator / denominator` in units of 10^-`PLACES`, rounded half away from zero; null for a zero
    /// denominator.
    pub fn ratio<const PLACES: usize>(&mut self, numerator: i128, denominator: i64) {
        match denominator {
            0 => self.literal(b"null"),
            _ => self.quoted(|line| line.decimal::<PLACES>(divide_rounded(numerator, denominator.into()))),
        }
    }

    /// A count or a key, or null.
    pub fn optional_number(&mut self, value: Option<u64>) {
        match value {
            Some(value) => self.number(value),
            None => self.literal(b"null"),
        }
    }

    /// A decimal in units of 10^-`PLACES`, with all its places.
    pub fn decimal<const PLACES: usize>(&mut self, units: i128) {
        let unit = 10u64.pow(PLACES as u32);
        match i64::try_from(units) {
            Ok(units) => {
                self.whole(units, unit);
                self.literal(&digits::<PLACES>(units.unsigned_abs() % unit));
            }
            // Beyond 9.2e18 units, which sums alone can be.
            Err(_) => {
                let text =
                    format!("{}.{:0PLACES$}", units / i128::from(unit), (units % i128::from(unit)).abs());
                self.0.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// Degrees in units of 1e-7, as a number, or null.
    pub fn degrees(&mut self, units: Option<i32>) {
        let Some(units) = units else { return self.literal(b"null") };
        self.whole(i64::from(units), 10_000_000);
        let decimals = digits::<7>(u64::from(units.unsigned_abs()) % 10_000_000);
        let zeros = decimals[1..].iter().rev().take_while(|digit| **digit == b'0').count();
        self.0.extend_from_slice(&decimals[..7 - zeros]);
    }

    /// Sign, whole units and point.
    fn whole(&mut self, value: i64, unit: u64) {
        if value < 0 {
            self.literal(b"-");
        }
        self.number(value.unsigned_abs() / unit);
        self.literal(b".");
    }
}

/// An instant in microseconds since 1970, in RFC 3339.
pub fn instant(micros: i64) -> [u8; 27] {
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    let (year, month, day) = civil_from_days(micros.div_euclid(DAY));
    let of_day = micros.rem_euclid(DAY);
    text[..4].copy_from_slice(&digits::<4>(year as u64));
    text[5..7].copy_from_slice(&digits::<2>(month as u64));
    text[8..10].copy_from_slice(&digits::<2>(day as u64));
    text[11..13].copy_from_slice(&digits::<2>((of_day / HOUR) as u64));
    text[14..16].copy_from_slice(&digits::<2>((of_day / MINUTE % 60) as u64));
    text[17..19].copy_from_slice(&digits::<2>((of_day / SECOND % 60) as u64));
    text[20..26].copy_from_slice(&digits::<6>((of_day % SECOND) as u64));
    text
}

/// The last `N` digits, zeros in front.
fn digits<const N: usize>(mut value: u64) -> [u8; N] {
    let mut text = [b'0'; N];
    for digit in text.iter_mut().rev() {
        *digit += (value % 10) as u8;
        value /= 10;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(write: impl Fn(&mut Line<'_>)) -> String {
        let mut buffer = Vec::new();
        write(&mut Line(&mut buffer));
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn strings_are_escaped_as_serde_would() {
        for text in ["plain", "é客", "\"", "\\", "a\"b\\c\u{1}d\n\t\u{1f}"] {
            let json = format!("\"{}\"", line(|line| line.text(text)));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            assert_eq!(line(|line| line.optional_text(Some(text))), json);
        }
        assert_eq!(line(|line| line.optional_text(None)), "null");
        assert_eq!(line(|line| line.codes(["FR-001", "FR-002"].into_iter())), r#""FR-001","FR-002""#);
        assert_eq!(line(|line| line.codes([""; 0].into_iter())), "");
    }

    #[test]
    fn numbers_have_all_their_places() {
        for (units, text) in [
            (-5, "-0.05"),
            (0, "0.00"),
            (123_456, "1234.56"),
            (i128::from(i64::MAX) * -100, "-9223372036854775807.00"),
        ] {
            assert_eq!(line(|line| line.decimal::<2>(units)), text);
        }
        assert_eq!(line(|line| line.decimal::<3>(12_345)), "12.345");
        assert_eq!(line(|line| line.number(u64::MAX)), "18446744073709551615");
        assert_eq!(line(|line| line.optional_number(None)), "null");
        assert_eq!(line(|line| line.truth(true)) + &line(|line| line.truth(false)), "truefalse");
    }

    #[test]
    fn degrees_are_the_shortest_decimals() {
        for (units, text) in [
            (Some(-129_475_600), "-12.94756"),
            (Some(0), "0.0"),
            (Some(-1), "-0.0000001"),
            (Some(900_000_000), "90.0"),
            (None, "null"),
        ] {
            assert_eq!(line(|line| line.degrees(units)), text);
        }
    }

    #[test]
    fn instants_are_as_the_model_shows_them() {
        for micros in [0, 1_769_922_018_250_000, -1, 4_102_444_799_999_999] {
            let expected = streamflow_model::timestamp::Rfc3339(micros).to_string();
            assert_eq!(std::str::from_utf8(&instant(micros)).unwrap(), expected);
        }
    }
}
