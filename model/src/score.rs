//! Scores: exact where decimals are.

use super::money::{Decimals, divide_rounded};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A score from 0 to 1 in units of 1e-15: as fine as a binary float, yet decimal fractions such as 0.7 are
/// exact, so that a score on the threshold compares as in exact arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Score(u64);

/// In units.
const THOUSANDTH: u64 = 1_000_000_000_000;

impl Score {
    /// The highest score.
    pub const ONE: Self = Self(1_000_000_000_000_000);
    /// The lowest score.
    pub const ZERO: Self = Self(0);

    /// `numerator / denominator`, clamped to 0..1. Zero for a denominator that is not positive.
    pub fn ratio(numerator: i128, denominator: i128) -> Self {
        if denominator <= 0 || numerator <= 0 {
            return Self::ZERO;
        }
        if numerator >= denominator {
            return Self::ONE;
        }
        // Where the exact product would overflow, halving both leaves the ratio as it is to 1e-15.
        let spare = (numerator.leading_zeros().saturating_sub(1)).min(50);
        let shift = 50 - spare;
        Self(((numerator >> shift) * i128::from(Self::ONE.0) / (denominator >> shift)) as u64)
    }

    /// From a float, clamped to 0..1; zero for NaN.
    pub fn from_float(value: f64) -> Self {
        Self((value.clamp(0.0, 1.0) * Self::ONE.0 as f64).round() as u64)
    }

    /// Units of 1e-15.
    pub const fn units(self) -> u64 {
        self.0
    }

    /// From units of 1e-15, clamped to 1.
    pub fn from_units(units: u64) -> Self {
        Self(units.min(Self::ONE.0))
    }

    /// Rounded half away from zero to 3 decimals, as users see it.
    #[must_use]
    pub fn shown(self) -> Self {
        Self(u64::from(self.thousandths()) * THOUSANDTH)
    }

    /// Rounded half away from zero to 3 decimals, in thousandths.
    pub fn thousandths(self) -> u16 {
        divide_rounded(i128::from(self.0), i128::from(THOUSANDTH)) as u16
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Decimals::<3>(i128::from(self.thousandths())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_exact_where_decimals_are() {
        assert_eq!(Score::ratio(7, 10).units(), 700_000_000_000_000);
        assert_eq!(Score::ratio(2, 3).thousandths(), 667);
        assert_eq!(Score::ratio(3, 2), Score::ONE);
        assert_eq!(Score::ratio(-1, 2), Score::ZERO);
        assert_eq!(Score::ratio(1, 0), Score::ZERO);
        let huge = 1i128 << 120;
        assert_eq!(Score::ratio(huge, 2 * huge).units(), Score::ONE.units() / 2);
    }

    #[test]
    fn shows_three_decimals_rounded_half_away_from_zero() {
        assert_eq!(Score::from_units(666_500_000_000_000).to_string(), "0.667");
        assert_eq!(Score::from_units(666_499_999_999_999).to_string(), "0.666");
        assert_eq!(Score::ONE.to_string(), "1.000");
        assert_eq!(Score::from_units(666_500_000_000_000).shown(), Score::ratio(667, 1000));
        assert_eq!(Score::from_float(f64::NAN), Score::ZERO);
    }
}
