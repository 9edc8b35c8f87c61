//! Exact decimals: numbers as they are written, and parameters with three places.

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// Why a text denotes no non-negative decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// Not a number in JSON's grammar.
    Malformed,
    /// Below zero.
    Negative,
    /// More decimals than asked for.
    TooPrecise,
    /// More digits than [`Decimal`] holds, which are at least 28.
    TooLong,
}

/// Reads a number in JSON's grammar that is not below zero and has at most `places` decimals. Only its value
/// counts: `100.0000` and `1e2` are the same, without any decimal.
pub fn parse(text: &str, places: u32) -> Result<Decimal, DecimalError> {
    if !is_number(text.as_bytes()) {
        return Err(DecimalError::Malformed);
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_start_matches(['-', '0']).trim_end_matches('0');
    if significant.is_empty() {
        return Ok(Decimal::ZERO);
    }
    if text.starts_with('-') {
        return Err(DecimalError::Negative);
    }
    // An exponent beyond 64 bits is beyond any number of digits.
    let beyond = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let exponent = exponent.parse().unwrap_or(beyond).saturating_add(zeros as i64 - fraction.len() as i64);
    if exponent < -i64::from(places) {
        return Err(DecimalError::TooPrecise);
    }
    Decimal::from_scientific(&format!("{significant}e{exponent}")).map_err(|_| DecimalError::TooLong)
}

/// `value` in units of 10^-`places`; `None` where it has more places, or more digits than [`Decimal`] holds.
pub fn units(value: Decimal, places: u32) -> Option<i128> {
    let mut scaled = value;
    scaled.rescale(places);
    (scaled.scale() == places && scaled == value).then(|| scaled.mantissa())
}

/// Whether the text is a number in JSON's grammar.
pub fn is_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => {
            let (fraction, rest) = digits(rest);
            (Some(fraction), rest)
        }
        _ => (None, rest),
    };
    let exponent = match rest {
        [] => None,
        [b'e' | b'E', b'-' | b'+', rest @ ..] | [b'e' | b'E', rest @ ..] => Some(digits(rest)),
        _ => return false,
    };
    let whole_is_good = matches!(whole, [b'0'] | [b'1'..=b'9', ..]);
    let exponent_is_good = exponent.is_none_or(|(digits, rest)| !digits.is_empty() && rest.is_empty());
    whole_is_good && exponent_is_good && fraction.is_none_or(|fraction| !fraction.is_empty())
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// A non-negative decimal with three places, in thousandths: weights, thresholds and factors of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thousandths(pub u32);

impl Thousandths {
    /// The number one.
    pub const ONE: Self = Self(1000);

    /// The shortest decimal that denotes `value`. `None` where it is negative, has more than three decimals
    /// or is above 4,294,967.295.
    pub fn from_decimal(value: f64) -> Option<Self> {
        let thousandths = units(parse(&value.to_string(), 3).ok()?, 3)?;
        u32::try_from(thousandths).ok().map(Self)
    }
}

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal::new(i64::from(self.0), 3).fmt(f)
    }
}

impl Serialize for Thousandths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / 1000.0)
    }
}

impl<'de> Deserialize<'de> for Thousandths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Self::from_decimal(value)
            .ok_or_else(|| de::Error::custom(format!("{value}: must be >= 0 with at most 3 decimals")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_that_change_nothing_are_no_digits() {
        let long = format!("1{}.{}", "0".repeat(10), "0".repeat(60_000));
        let small = format!("0.{}1e{}", "0".repeat(99), 100);
        let large = format!("25{}e-{}", "0".repeat(99), 99);
        for (text, value) in [
            ("100.0000", "100"),
            ("10e-3", "0.01"),
            ("-0.0e99999999999999999999", "0"),
            ("1.50E+1", "15"),
            ("0.001", "0.001"),
            ("9999999999999999999999999999", "9999999999999999999999999999"),
            (&long, "10000000000"),
            (&small, "1"),
            (&large, "25"),
        ] {
            assert_eq!(parse(text, 3).unwrap().to_string(), value, "{text}");
        }
    }

    #[test]
    fn nothing_is_rounded() {
        use DecimalError::*;
        for (text, error) in [
            ("0.0001", TooPrecise),
            ("123456789.00000000000000000000000000001", TooPrecise),
            ("1e-99999999999999999999", TooPrecise),
            ("100000000000000000000000000001", TooLong),
            ("1e29", TooLong),
            ("100000000000000000000000000000.5", TooLong),
            ("1e99999999999999999999", TooLong),
            ("-1e-99999999999999999999", Negative),
            ("1_000", Malformed),
        ] {
            assert_eq!(parse(text, 3), Err(error), "{text}");
        }
        assert_eq!(units(Decimal::new(1234, 3), 2), None);
        assert_eq!(units(Decimal::new(-1230, 3), 2), Some(-123));
        assert_eq!(units(Decimal::MAX, 2), None);
    }

    #[test]
    fn numbers_follow_the_grammar() {
        for number in ["0", "-0", "10", "1.5", "-0.25e10", "1E-7", "0e0", "12e+3"] {
            assert!(is_number(number.as_bytes()), "{number}");
        }
        for text in
            ["", "-", "01", "1.", ".5", "1e", "1e+", "1.e3", "+1", "1x", "1.5.5", "0x1", "1e5x", "--1"]
        {
            assert!(!is_number(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn parameters_have_three_places() {
        for (value, thousandths) in [
            (0.7, Some(700)),
            (500.0, Some(500_000)),
            (500.001, Some(500_001)),
            (20_040.0, Some(20_040_000)),
            (4_294_967.295, Some(u32::MAX)),
            (-0.0, Some(0)),
            (500.0004, None),
            (0.7001, None),
            (0.1 + 0.2, None),
            (1e-300, None),
            (-0.001, None),
            (4_294_967.296, None),
            (1e300, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(Thousandths::from_decimal(value), thousandths.map(Thousandths), "{value}");
        }
        assert_eq!(Thousandths(20_040_000).to_string(), "20040.000");
    }

    #[test]
    fn any_parameter_is_read_back_as_it_was() {
        for thousandths in (0..=u32::MAX).step_by(4999).chain(0..30_000) {
            let value = f64::from(thousandths) / 1000.0;
            assert_eq!(Thousandths::from_decimal(value), Some(Thousandths(thousandths)));
        }
    }
}
