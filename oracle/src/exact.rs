//! Exact scores: rational numbers, plus a multiple of one square root where a standard deviation takes part.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, ToPrimitive, Zero};

/// `numerator / denominator`; the denominator must not be zero.
pub(crate) fn ratio(numerator: impl Into<BigInt>, denominator: impl Into<BigInt>) -> BigRational {
    BigRational::new(numerator.into(), denominator.into())
}

/// rational + coefficient * sqrt(radicand), coefficient and radicand not negative.
#[derive(Clone, Debug)]
pub(crate) struct Exact {
    rational: BigRational,
    coefficient: BigRational,
    radicand: BigRational,
}

impl Exact {
    pub(crate) fn rational(rational: BigRational) -> Self {
        Self { rational, coefficient: BigRational::zero(), radicand: BigRational::zero() }
    }

    pub(crate) fn with_root(rational: BigRational, coefficient: BigRational, radicand: BigRational) -> Self {
        Self { rational, coefficient, radicand }
    }

    /// The exact value of a float; zero for what is not finite.
    pub(crate) fn float(value: f64) -> Self {
        Self::rational(BigRational::from_float(value).unwrap_or_else(BigRational::zero))
    }

    /// Whether a root takes part.
    pub(crate) fn has_root(&self) -> bool {
        !self.coefficient.is_zero()
    }

    /// The number without its root.
    pub(crate) fn rational_part(&self) -> &BigRational {
        &self.rational
    }

    /// Whether the number is `limit` or more: sqrt(radicand) >= needed, squared where needed is not negative.
    pub(crate) fn at_least(&self, limit: &BigRational) -> bool {
        if self.coefficient.is_zero() || self.rational >= *limit {
            return self.rational >= *limit;
        }
        let needed = (limit - &self.rational) / &self.coefficient;
        self.radicand >= &needed * &needed
    }

    /// Limited to 0..1.
    pub(crate) fn clamped(self) -> Self {
        if self.at_least(&BigRational::one()) {
            return Self::rational(BigRational::one());
        }
        if self.at_least(&BigRational::zero()) { self } else { Self::rational(BigRational::zero()) }
    }

    /// `self + other * factor`; at most one of the two may have a root.
    pub(crate) fn plus(self, other: &Self, factor: &BigRational) -> Self {
        let root = if self.coefficient.is_zero() {
            (&other.coefficient * factor, other.radicand.clone())
        } else {
            (self.coefficient, self.radicand)
        };
        Self { rational: self.rational + &other.rational * factor, coefficient: root.0, radicand: root.1 }
    }

    /// Multiplied by a factor that is not negative.
    pub(crate) fn times(self, factor: &BigRational) -> Self {
        Self {
            rational: self.rational * factor,
            coefficient: self.coefficient * factor,
            radicand: self.radicand,
        }
    }

    /// The number in units of 1 / `scale`, rounded half up: the largest that the number reaches less half a
    /// unit. A float gives the neighbourhood, exact comparisons decide.
    pub(crate) fn rounded(&self, scale: u32) -> i64 {
        let reaches = |units: i64| self.at_least(&ratio(2 * units - 1, 2 * i64::from(scale)));
        let float = |number: &BigRational| number.to_f64().unwrap_or_default();
        let value = float(&self.rational) + float(&self.coefficient) * float(&self.radicand).sqrt();
        let mut units = (value * f64::from(scale)).round() as i64;
        while !reaches(units) {
            units -= 1;
        }
        while reaches(units + 1) {
            units += 1;
        }
        units
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_compare_and_round_exactly() {
        let two = Exact::with_root(ratio(-1, 1), ratio(1, 1), ratio(9, 1));
        assert!(two.at_least(&ratio(2, 1)));
        assert!(!two.at_least(&ratio(2_000_001, 1_000_000)));
        assert_eq!(two.rounded(1000), 2000);
        let root_of_two = Exact::with_root(ratio(0, 1), ratio(1, 1), ratio(2, 1));
        assert_eq!(root_of_two.rounded(1000), 1414);
        assert_eq!(root_of_two.clamped().rounded(1000), 1000);
    }

    #[test]
    fn halves_round_up_and_what_is_a_hair_below_does_not() {
        assert_eq!(Exact::rational(ratio(1, 2000)).rounded(1000), 1);
        assert_eq!(Exact::rational(ratio(999_999, 2_000_000_000)).rounded(1000), 0);
        assert_eq!(Exact::rational(ratio(0, 1)).rounded(1000), 0);
    }
}
