//! Money in integer cents, parsed from decimals without a binary float.

use super::decimal::{self, DecimalError};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An amount of money in cents of its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cents(pub i64);

/// Why a text is not an acceptable amount or price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not a decimal number.
    #[error("must be a decimal number")]
    NotDecimal,
    /// An amount of zero or below.
    #[error("must be > 0")]
    NotPositive,
    /// A price below zero.
    #[error("must be >= 0")]
    Negative,
    /// More than two decimals.
    #[error("must have at most 2 decimals")]
    TooPrecise,
    /// More than twelve digits.
    #[error("must have at most 12 digits")]
    TooLong,
}

impl From<DecimalError> for AmountError {
    fn from(error: DecimalError) -> Self {
        match error {
            DecimalError::Malformed => Self::NotDecimal,
            DecimalError::Negative => Self::Negative,
            DecimalError::TooPrecise => Self::TooPrecise,
            DecimalError::TooLong => Self::TooLong,
        }
    }
}

const LARGEST_OF_TWELVE_DIGITS: i128 = 999_999_999_999;

impl Cents {
    /// Reads an amount: a decimal above zero, else as [`Self::parse_price`].
    ///
    /// ```
    /// use streamflow_model::Cents;
    /// use streamflow_model::money::AmountError;
    ///
    /// assert_eq!(Cents::parse("350.5"), Ok(Cents(35_050)));
    /// assert_eq!(Cents::parse("3.505e2"), Ok(Cents(35_050)));
    /// assert_eq!(Cents::parse("350.505"), Err(AmountError::TooPrecise));
    /// assert_eq!(Cents::parse("0.00"), Err(AmountError::NotPositive));
    /// assert_eq!(Cents(35_050).to_string(), "350.50");
    /// ```
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        if let Some(cents) = plain(text.as_bytes()) {
            return Ok(cents);
        }
        match Self::parse_price(text) {
            Ok(Self(0)) | Err(AmountError::Negative) => Err(AmountError::NotPositive),
            result => result,
        }
    }

    /// Reads a decimal in JSON's number grammar: at least 0, at most 2 decimals, at most 12 digits in all.
    /// Zeros at the end of the decimals do not count, nor does how the number is written.
    pub fn parse_price(text: &str) -> Result<Self, AmountError> {
        let value = decimal::parse(text, 2)?;
        let cents = decimal::units(value, 2).filter(|_| value.mantissa() <= LARGEST_OF_TWELVE_DIGITS);
        cents.map(|cents| Self(cents as i64)).ok_or(AmountError::TooLong)
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
        match Decimal::try_from_i128_with_scale(self.0, PLACES) {
            Ok(decimal) => decimal.fmt(f),
            // Beyond 96 bits: exact all the same.
            Err(_) => write!(f, "{}e-{PLACES}", self.0),
        }
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

/// Parses the form of nearly all amounts: up to ten digits, a point, two digits. `None` for any other, also
/// zero.
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
            ("999999999999.0", 99_999_999_999_900),
            ("10000000000.00", 1_000_000_000_000),
            ("100.0000", 10000),
            ("10e-3", 1),
            ("0.100e-1", 1),
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
            ("-1e400", NotPositive),
            ("-1e-400", NotPositive),
            ("0e400", NotPositive),
            ("1e-400", TooPrecise),
            ("1234567890123.001", TooPrecise),
            ("10000000000.01", TooLong),
            ("1234567890123", TooLong),
            ("1e12", TooLong),
            ("1e999999999999999999", TooLong),
        ] {
            assert_eq!(Cents::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_price_can_be_zero() {
        for text in ["0.00", "0", "-0"] {
            assert_eq!(Cents::parse_price(text), Ok(Cents(0)), "{text}");
        }
        assert_eq!(Cents::parse_price("10.50"), Ok(Cents(1050)));
        assert_eq!(Cents::parse_price("-0.01"), Err(AmountError::Negative));
        assert_eq!(Cents::parse_price("0.001"), Err(AmountError::TooPrecise));
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
        assert_eq!(Decimals::<2>((1 << 96) - 1).to_string(), "792281625142643375935439503.35");
        assert_eq!(Decimals::<2>(1 << 96).to_string(), "79228162514264337593543950336e-2");
        assert_eq!(Decimals::<2>(i128::MIN).to_string(), "-170141183460469231731687303715884105728e-2");
    }
}
