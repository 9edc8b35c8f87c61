//! Money in integer cents, parsed from decimals without a binary float.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An amount of money in cents of its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cents(pub i64);

/// Why a text is not an acceptable amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not a decimal number.
    #[error("must be a decimal number")]
    NotDecimal,
    /// Zero or below.
    #[error("must be > 0")]
    NotPositive,
    /// More than two decimals.
    #[error("must have at most 2 decimals")]
    TooPrecise,
    /// More than twelve digits.
    #[error("must have at most 12 digits")]
    TooLong,
}

const MAX_DIGITS: usize = 12;

impl Cents {
    /// Reads a decimal in JSON's number grammar: > 0, at most 2 decimals, at most 12 digits in all.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        if let Some(cents) = plain(text.as_bytes()) {
            return Ok(cents);
        }
        let decimal = Decimal::parse(text.as_bytes()).ok_or(AmountError::NotDecimal)?;
        if decimal.digits().all(|digit| digit == 0) || decimal.negative {
            return Err(AmountError::NotPositive);
        }
        let scale = decimal.fraction.len() as i64 - decimal.exponent;
        if scale > 2 {
            return Err(AmountError::TooPrecise);
        }
        let significant = decimal.digits().skip_while(|digit| *digit == 0).count() as i64;
        // Zeros that an exponent appends to the digits written.
        let appended = (-scale).max(0);
        if significant + appended > MAX_DIGITS as i64 {
            return Err(AmountError::TooLong);
        }
        let digits = decimal.digits().fold(0i64, |value, digit| value * 10 + i64::from(digit));
        let factor = 10i64.pow((2 - scale) as u32);
        Ok(Self(digits * factor))
    }

    /// `numerator / denominator` cents, rounded half away from zero; zero for a zero denominator.
    pub fn mean(numerator: i128, denominator: u64) -> i128 {
        divide_rounded(numerator, i128::from(denominator))
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Decimals::<2>(i128::from(self.0)))
    }
}

/// Displays an integer as a decimal number with `PLACES` decimals.
pub struct Decimals<const PLACES: u32>(pub i128);

impl<const PLACES: u32> fmt::Display for Decimals<PLACES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10u128.pow(PLACES);
        let magnitude = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (magnitude / unit, magnitude % unit);
        write!(f, "{sign}{whole}.{rest:0width$}", width = PLACES as usize)
    }
}

/// Integer division rounded half away from zero; zero for a zero denominator.
pub fn divide_rounded(numerator: i128, denominator: i128) -> i128 {
    if denominator == 0 {
        return 0;
    }
    let (quotient, rest) = (numerator / denominator, numerator % denominator);
    let away = rest.unsigned_abs() * 2 >= denominator.unsigned_abs();
    let sign = if (numerator < 0) == (denominator < 0) { 1 } else { -1 };
    quotient + if away { sign } else { 0 }
}

/// Parses the form of nearly all amounts: up to ten digits, a point, two digits. `None` for any other, also zero.
fn plain(text: &[u8]) -> Option<Cents> {
    let (whole, fraction) = text.split_at_checked(text.len().checked_sub(3)?)?;
    let canonical = matches!(whole, [b'0'] | [b'1'..=b'9', ..]) && whole.len() <= 10 && fraction[0] == b'.';
    if !canonical {
        return None;
    }
    let cents = whole
        .iter()
        .chain(&fraction[1..])
        .try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))?;
    (cents > 0).then_some(Cents(cents))
}

/// The parts of a number in JSON's grammar.
struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        let (whole, rest) = digits(text);
        if whole.is_empty() || (whole.len() > 1 && whole[0] == b'0') {
            return None;
        }
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => match digits(rest) {
                ([], _) => return None,
                parts => parts,
            },
            _ => (&rest[..0], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => parse_exponent(rest)?,
            _ => return None,
        };
        Some(Self { negative, whole, fraction, exponent })
    }

    fn digits(&self) -> impl Iterator<Item = u8> + '_ {
        self.whole.iter().chain(self.fraction).map(|byte| byte - b'0')
    }
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (sign, text) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    let (digits, rest) = digits(text);
    if digits.is_empty() || !rest.is_empty() {
        return None;
    }
    // Far beyond any acceptable amount the value no longer matters, only that it is too large.
    let capped = |value: i64, digit: &u8| (value * 10 + i64::from(digit - b'0')).min(1_000_000);
    Some(sign * digits.iter().fold(0, capped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_decimals_of_up_to_two_places_and_twelve_digits() {
        for (text, cents) in [
            ("454.66", 45466),
            ("0.01", 1),
            ("5", 500),
            ("5.0", 500),
            ("1e2", 10000),
            ("1.5E+1", 1500),
            ("150e-1", 1500),
            ("9999999999.99", 999_999_999_999),
            ("999999999999", 99_999_999_999_900),
        ] {
            assert_eq!(Cents::parse(text), Ok(Cents(cents)), "{text}");
        }
    }

    #[test]
    fn names_the_limit_that_is_violated() {
        use AmountError::*;
        for (text, error) in [
            ("", NotDecimal),
            ("abc", NotDecimal),
            ("1.", NotDecimal),
            (".5", NotDecimal),
            ("01.50", NotDecimal),
            ("+1", NotDecimal),
            (" 1", NotDecimal),
            ("1e", NotDecimal),
            ("NaN", NotDecimal),
            ("0", NotPositive),
            ("0.00", NotPositive),
            ("-1", NotPositive),
            ("1.234", TooPrecise),
            ("1e-3", TooPrecise),
            ("10000000000.00", TooLong),
            ("1234567890123", TooLong),
            ("1e12", TooLong),
            ("1e999999999999999999", TooLong),
        ] {
            assert_eq!(Cents::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn rounds_half_away_from_zero() {
        assert_eq!(divide_rounded(5, 2), 3);
        assert_eq!(divide_rounded(-5, 2), -3);
        assert_eq!(divide_rounded(1, 3), 0);
        assert_eq!(divide_rounded(2, 3), 1);
        assert_eq!(divide_rounded(7, 0), 0);
    }

    #[test]
    fn shows_two_decimals() {
        assert_eq!(Cents(45466).to_string(), "454.66");
        assert_eq!(Cents(-5).to_string(), "-0.05");
        assert_eq!(Decimals::<3>(1000).to_string(), "1.000");
    }
}
