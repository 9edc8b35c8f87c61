//! Exact rational numbers of 128 bits.

use super::failure::Failure;
use super::wide::Wide;
use std::cmp::Ordering;
use std::fmt;

/// An exact rational number: what is compared and computed is never rounded.
///
/// It is not kept in lowest terms, because that costs more than all else: a result is reduced only where it
/// would not fit otherwise, and fails only where it does not fit in lowest terms either. Numbers are equal by
/// value.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    numerator: i128,
    /// Always positive.
    denominator: i128,
}

impl Number {
    /// One.
    pub const ONE: Self = Self::whole(1);
    /// Zero.
    pub const ZERO: Self = Self::whole(0);

    /// A whole number.
    pub const fn whole(value: i128) -> Self {
        Self { numerator: value, denominator: 1 }
    }

    /// `units / 10^DECIMALS`: an amount of `units` cents is `Number::decimal::<2>(units)`.
    pub const fn decimal<const DECIMALS: u32>(units: i128) -> Self {
        Self { numerator: units, denominator: const { 10i128.pow(DECIMALS) } }
    }

    /// `numerator / denominator`; none where the denominator is zero, or the number does not fit.
    pub fn ratio(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator > 0 {
            return Some(Self { numerator, denominator });
        }
        Self::whole(numerator).divided_by(Self::whole(denominator)).ok()
    }

    /// An exact decimal, as 12, 3.50, .5 or 1.5e-3; none for another text, and where the number does not fit.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let decimals = decimals.trim_end_matches('0');
        let mut digits: i128 = 0;
        for digit in whole.bytes().chain(decimals.bytes()) {
            if !digit.is_ascii_digit() {
                return None;
            }
            digits = digits.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        if digits == 0 {
            return Some(Self::ZERO);
        }
        let exponent = exponent.checked_sub(i64::try_from(decimals.len()).ok()?)?;
        let power = Self::whole(10i128.checked_pow(u32::try_from(exponent.unsigned_abs()).ok()?)?);
        let digits = Self::whole(digits);
        let scaled = if exponent < 0 { digits.divided_by(power) } else { digits.times(power) };
        scaled.ok()
    }

    /// The numerator, which has the sign; not necessarily in lowest terms.
    pub fn numerator(self) -> i128 {
        self.numerator
    }

    /// The denominator, which is positive; not necessarily in lowest terms.
    pub fn denominator(self) -> i128 {
        self.denominator
    }

    /// The same number in lowest terms.
    #[must_use]
    pub fn reduced(self) -> Self {
        let common = gcd(self.numerator.unsigned_abs(), self.denominator.unsigned_abs());
        // It divides the denominator, so it fits.
        let common = common as i128;
        Self { numerator: self.numerator / common, denominator: self.denominator / common }
    }

    pub(crate) fn plus(self, other: Self) -> Result<Self, Failure> {
        self.quick_sum(other).or_else(|| self.exact_sum(other, false)).ok_or(Failure::Overflow)
    }

    pub(crate) fn minus(self, other: Self) -> Result<Self, Failure> {
        let negated = other.numerator.checked_neg().map(|numerator| Self { numerator, ..other });
        negated
            .and_then(|negated| self.quick_sum(negated))
            .or_else(|| self.exact_sum(other, true))
            .ok_or(Failure::Overflow)
    }

    pub(crate) fn times(self, other: Self) -> Result<Self, Failure> {
        self.quick_product(other)
            .or_else(|| exact_product(self.differs_in_sign(other), self.magnitudes(), other.magnitudes()))
            .ok_or(Failure::Overflow)
    }

    pub(crate) fn divided_by(self, other: Self) -> Result<Self, Failure> {
        if other.numerator == 0 {
            return Err(Failure::DivisionByZero);
        }
        let (numerator, denominator) = other.magnitudes();
        self.quick_quotient(other)
            .or_else(|| {
                exact_product(self.differs_in_sign(other), self.magnitudes(), (denominator, numerator))
            })
            .ok_or(Failure::Overflow)
    }

    /// The remainder with the sign of `self`, of whole numbers.
    pub(crate) fn remainder(self, other: Self) -> Result<Self, Failure> {
        let (dividend, divisor) = (self.as_whole()?, other.as_whole()?);
        if divisor == 0 {
            return Err(Failure::DivisionByZero);
        }
        // The lowest number by -1 leaves nothing, though its quotient does not fit.
        Ok(Self::whole(dividend.wrapping_rem(divisor)))
    }

    pub(crate) fn negated(self) -> Result<Self, Failure> {
        let negate = |number: Self| {
            let numerator = number.numerator.checked_neg()?;
            Some(Self { numerator, ..number })
        };
        negate(self).or_else(|| negate(self.reduced())).ok_or(Failure::Overflow)
    }

    pub(crate) fn absolute(self) -> Result<Self, Failure> {
        if self.numerator < 0 { self.negated() } else { Ok(self) }
    }

    /// The largest whole number that is not above.
    pub(crate) fn floor(self) -> Self {
        Self::whole(self.numerator.div_euclid(self.denominator))
    }

    /// The nearest whole number; of two, the one farther from zero.
    pub(crate) fn rounded(self) -> Self {
        let (quotient, remainder) = (self.numerator / self.denominator, self.numerator % self.denominator);
        let rest = remainder.unsigned_abs();
        let up = rest >= self.denominator.unsigned_abs() - rest;
        Self::whole(if up { quotient + remainder.signum() } else { quotient })
    }

    /// The square root: numerator and denominator in lowest terms as floats, their quotient and its root,
    /// each rounded as IEEE 754 says, then rounded to 9 decimals below a million, to 6 below 10^9, to 3 below
    /// 10^12, and else to a whole number. So the root of the square of a number with these decimals and at
    /// most 15 digits is that number, equal numbers have equal roots, and every machine computes the same.
    pub(crate) fn root(self) -> Result<Self, Failure> {
        if self.numerator < 0 {
            return Err(Failure::NegativeRoot);
        }
        let number = self.reduced();
        let root = (number.numerator as f64 / number.denominator as f64).sqrt();
        let denominator: i128 = match root {
            ..1e6 => 1_000_000_000,
            ..1e9 => 1_000_000,
            ..1e12 => 1000,
            _ => 1,
        };
        let decimals = (root.fract() * denominator as f64).round();
        // A root is below 2^64.
        Ok(Self { numerator: root.trunc() as i128 * denominator + decimals as i128, denominator }.reduced())
    }

    fn as_whole(self) -> Result<i128, Failure> {
        if self.numerator % self.denominator == 0 {
            Ok(self.numerator / self.denominator)
        } else {
            Err(Failure::NotWhole)
        }
    }

    fn differs_in_sign(self, other: Self) -> bool {
        (self.numerator < 0) != (other.numerator < 0)
    }

    fn magnitudes(self) -> (u128, u128) {
        (self.numerator.unsigned_abs(), self.denominator.unsigned_abs())
    }

    fn quick_sum(self, other: Self) -> Option<Self> {
        if self.denominator == other.denominator {
            let numerator = self.numerator.checked_add(other.numerator)?;
            return Some(Self { numerator, ..self });
        }
        let left = multiplied(self.numerator, other.denominator)?;
        let right = multiplied(other.numerator, self.denominator)?;
        let denominator = multiplied(self.denominator, other.denominator)?;
        Some(Self { numerator: left.checked_add(right)?, denominator })
    }

    fn quick_product(self, other: Self) -> Option<Self> {
        Some(Self {
            numerator: multiplied(self.numerator, other.numerator)?,
            denominator: multiplied(self.denominator, other.denominator)?,
        })
    }

    fn quick_quotient(self, other: Self) -> Option<Self> {
        let numerator = multiplied(self.numerator, other.denominator)?;
        let denominator = multiplied(self.denominator, other.numerator)?;
        if denominator > 0 {
            return Some(Self { numerator, denominator });
        }
        Some(Self { numerator: numerator.checked_neg()?, denominator: denominator.checked_neg()? })
    }

    /// The sum, or the difference, in lowest terms; none where it does not fit.
    fn exact_sum(self, other: Self, subtract: bool) -> Option<Self> {
        let (left, right) = (self.reduced(), other.reduced());
        let ((a, b), (c, d)) = (left.magnitudes(), right.magnitudes());
        let shared = gcd(b, d);
        let (left_part, right_part) = (Wide::product(a, d / shared), Wide::product(c, b / shared));
        let (left_negative, right_negative) = (left.numerator < 0, (right.numerator < 0) != subtract);
        let (negative, sum) = if left_negative == right_negative {
            (left_negative, left_part.plus(right_part))
        } else if left_part >= right_part {
            (left_negative, left_part.minus(right_part))
        } else {
            (right_negative, right_part.minus(left_part))
        };
        // Where both summands are in lowest terms, the sum has no other factor in common with the denominator.
        let common = gcd(sum.remainder(shared), shared);
        let denominator = (b / shared).checked_mul(d / common)?;
        from_magnitudes(negative, sum.divided(common).0?, denominator)
    }
}

/// The product, quickly where both factors are small.
fn multiplied(left: i128, right: i128) -> Option<i128> {
    match (i64::try_from(left), i64::try_from(right)) {
        (Ok(left), Ok(right)) => Some(i128::from(left) * i128::from(right)),
        _ => left.checked_mul(right),
    }
}

/// The product of two fractions in lowest terms; none where it does not fit.
fn exact_product(negative: bool, left: (u128, u128), right: (u128, u128)) -> Option<Number> {
    let ((a, b), (c, d)) = (in_lowest_terms(left.0, left.1), in_lowest_terms(right.0, right.1));
    let ((a, d), (c, b)) = (in_lowest_terms(a, d), in_lowest_terms(c, b));
    from_magnitudes(negative, a.checked_mul(c)?, b.checked_mul(d)?)
}

fn in_lowest_terms(numerator: u128, denominator: u128) -> (u128, u128) {
    let common = gcd(numerator, denominator);
    (numerator / common, denominator / common)
}

fn from_magnitudes(negative: bool, numerator: u128, denominator: u128) -> Option<Number> {
    let numerator =
        if negative { 0i128.checked_sub_unsigned(numerator) } else { i128::try_from(numerator).ok() };
    Some(Number { numerator: numerator?, denominator: i128::try_from(denominator).ok()? })
}

/// The greatest common divisor, of which one may be zero.
fn gcd(left: u128, right: u128) -> u128 {
    let (mut left, mut right) = (left, right);
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.denominator == other.denominator {
            return self.numerator.cmp(&other.numerator);
        }
        let left = multiplied(self.numerator, other.denominator);
        let right = multiplied(other.numerator, self.denominator);
        match (left, right) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => self.compare_widely(*other),
        }
    }
}

impl Number {
    /// Compares numbers whose products need more than 128 bits.
    fn compare_widely(self, other: Self) -> Ordering {
        let signs = self.numerator.signum().cmp(&other.numerator.signum());
        let ((a, b), (c, d)) = (self.magnitudes(), other.magnitudes());
        let magnitudes = Wide::product(a, d).cmp(&Wide::product(c, b));
        signs.then(if self.numerator < 0 { magnitudes.reverse() } else { magnitudes })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

/// Shows at most 3 decimals, rounded half away from zero, without zeros at the end.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (numerator, denominator) = self.magnitudes();
        let (whole, rest) = (numerator / denominator, numerator % denominator);
        let (thousandths, below) = Wide::product(rest, 1000).divided(denominator);
        // The rest is less than the denominator, so there are at most 1000.
        let thousandths = thousandths.unwrap_or_default() + u128::from(below >= denominator - below);
        let (whole, thousandths) = (whole + thousandths / 1000, thousandths % 1000);
        let sign = if self.numerator < 0 && (whole, thousandths) != (0, 0) { "-" } else { "" };
        let decimals = format!("{thousandths:03}");
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{sign}{whole}"),
            decimals => write!(f, "{sign}{whole}.{decimals}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_rational::BigRational;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn big(number: Number) -> BigRational {
        BigRational::new(number.numerator.into(), number.denominator.into())
    }

    fn fits(number: &BigRational) -> bool {
        i128::try_from(number.numer().clone()).is_ok() && i128::try_from(number.denom().clone()).is_ok()
    }

    /// Numbers of all sizes, at the edges and with common factors too.
    fn any(random: &mut ChaCha8Rng) -> Number {
        let mut part = || match random.random_range(0..6) {
            0 => [i128::MIN, i128::MIN + 1, i128::MAX, i128::MAX - 1][random.random_range(0..4)],
            1 => 1 << random.random_range(0..127),
            2 => random.random_range(-20..20),
            _ => random.random::<i128>() >> random.random_range(0..127),
        };
        let (numerator, denominator) = (part(), part().saturating_abs().max(1));
        Number { numerator, denominator }
    }

    #[test]
    fn results_are_exact_and_overflow_only_where_they_do_not_fit() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut overflows = 0;
        for _ in 0..20_000 {
            let (left, right) = (any(&mut random), any(&mut random));
            let (exact_left, exact_right) = (big(left), big(right));
            let mut results = vec![
                ("+", left.plus(right), &exact_left + &exact_right),
                ("-", left.minus(right), &exact_left - &exact_right),
                ("*", left.times(right), &exact_left * &exact_right),
                ("negated", left.negated(), -&exact_left),
                ("floor", Ok(left.floor()), exact_left.floor()),
                ("round", Ok(left.rounded()), exact_left.round()),
                ("reduced", Ok(left.reduced()), exact_left.clone()),
            ];
            if right.numerator != 0 {
                results.push(("/", left.divided_by(right), &exact_left / &exact_right));
            }
            for (operation, result, exact) in results {
                match result {
                    Ok(result) => assert_eq!(big(result), exact, "{left:?} {operation} {right:?}"),
                    Err(failure) => {
                        assert_eq!(failure, Failure::Overflow);
                        assert!(!fits(&exact), "{left:?} {operation} {right:?}");
                        overflows += 1;
                    }
                }
            }
            assert_eq!(left.cmp(&right), exact_left.cmp(&exact_right), "{left:?} {right:?}");
        }
        assert!(overflows > 1000);
    }

    #[test]
    fn ratios_have_a_positive_denominator() {
        assert_eq!(Number::ratio(1, 0), None);
        assert_eq!(Number::ratio(3, -6), Some(Number { numerator: -1, denominator: 2 }));
        assert_eq!(Number::ratio(i128::MIN, -1), None);
        assert_eq!(Number::ratio(i128::MIN, i128::MIN), Some(Number::ONE));
        assert_eq!(Number::ratio(2, 4).unwrap().reduced().denominator(), 2);
        assert_eq!(Number::decimal::<2>(150), Number::ratio(3, 2).unwrap());
    }

    #[test]
    fn decimals_are_read_exactly() {
        for (text, numerator, denominator) in [
            ("3.50", 7, 2),
            ("0.7", 7, 10),
            (".5", 1, 2),
            ("1e3", 1000, 1),
            ("1.5E-3", 3, 2000),
            ("0e999", 0, 1),
            ("1e38", 10i128.pow(38), 1),
            ("0.00000000000000000000000000000000000001", 1, 10i128.pow(38)),
        ] {
            assert_eq!(Number::parse(text), Number::ratio(numerator, denominator), "{text}");
        }
        for text in ["1e39", "1e-39", "1e99999999999999999999", "2e38", "-1", "1x", &"9".repeat(39)] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn roots_are_of_the_value() {
        let root = |numerator, denominator| Number::ratio(numerator, denominator).unwrap().root().unwrap();
        assert_eq!(root(0, 5), Number::ZERO);
        assert_eq!(root(49, 100), Number::decimal::<1>(7));
        for units in [123_456_789_012_345, 999_999_999_999_999, 700_000_000_000_001i128] {
            for denominator in [1, 1000, 1_000_000, 1_000_000_000] {
                let squared = Number::ratio(units, denominator).unwrap();
                let squared = squared.times(squared).unwrap();
                let shown = (units, denominator);
                assert_eq!(squared.root(), Ok(Number::ratio(units, denominator).unwrap()), "{shown:?}");
            }
        }
        let shared = 3i128.pow(60);
        assert_eq!(root(2 * shared, 7 * shared), root(2, 7));
        assert_eq!(Number::whole(-1).root(), Err(Failure::NegativeRoot));
    }

    #[test]
    fn shows_at_most_three_decimals() {
        let shown = |numerator, denominator| Number::ratio(numerator, denominator).unwrap().to_string();
        assert_eq!(shown(1, 2), "0.5");
        assert_eq!(shown(-2, 3), "-0.667");
        assert_eq!(shown(-1, 2000), "-0.001");
        assert_eq!(shown(-1, 2001), "0");
        assert_eq!(shown(19_999_999, 10_000), "2000");
        assert_eq!(shown(i128::MIN, 1), i128::MIN.to_string());
        assert_eq!(shown(i128::MAX, i128::MAX - 1), "1");
        assert_eq!(shown(i128::MAX / 3, i128::MAX), "0.333");
    }
}
