//! The square root of a ratio: exact where it is rational, else a float.
//!
//! Only a rational number can be equal to a limit or exactly between two roundings, where a float's last
//! digit would decide. For an irrational one a float is precise enough.

use super::Score;
use super::money::divide_rounded;

/// A square root, not negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Root {
    /// numerator / denominator.
    Rational(i128, i128),
    /// Irrational, or of numbers too large to decide.
    Irrational(f64),
}

impl Root {
    /// The root of numerator / denominator, both positive.
    pub fn of_ratio(numerator: i128, denominator: i128) -> Self {
        let common = greatest_common_divisor(numerator, denominator);
        match (whole_root(numerator / common), whole_root(denominator / common)) {
            (Some(numerator), Some(denominator)) => Self::Rational(numerator, denominator),
            _ => Self::Irrational((numerator as f64 / denominator as f64).sqrt()),
        }
    }

    /// In units of 1 / `scale`, rounded half away from zero.
    pub fn rounded(self, scale: i64) -> i64 {
        match self {
            Self::Rational(numerator, denominator) => {
                divide_rounded(numerator * i128::from(scale), denominator) as i64
            }
            Self::Irrational(root) => (root * scale as f64).round() as i64,
        }
    }

    /// Its excess over a limit given in thousandths, as a fraction of the limit.
    pub fn excess_over(self, thousandths: u32) -> Score {
        match self {
            Self::Rational(numerator, denominator) => {
                let limit = i128::from(thousandths) * denominator;
                Score::ratio(1000 * numerator - limit, limit)
            }
            Self::Irrational(root) => {
                let limit = f64::from(thousandths) / 1000.0;
                Score::from_float((root - limit) / limit)
            }
        }
    }
}

fn greatest_common_divisor(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

fn whole_root(square: i128) -> Option<i128> {
    // What is left after cancelling is small where both are squares of what can be counted.
    let root = square.checked_isqrt().filter(|root| *root <= i128::from(u64::MAX))?;
    (root * root == square).then_some(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_of_squares_is_exact() {
        assert_eq!(Root::of_ratio(2 * 49, 2 * 9), Root::Rational(7, 3));
        assert_eq!(Root::of_ratio(49, 9).rounded(1000), 2333);
        assert_eq!(Root::of_ratio(9, 4).rounded(1), 2);
        // 7/3 lies a sixth above 2.
        assert_eq!(Root::of_ratio(49, 9).excess_over(2000).units(), 166_666_666_666_666);
    }

    #[test]
    fn any_other_is_close() {
        assert_eq!(Root::of_ratio(2, 1).rounded(1000), 1414);
        assert_eq!(Root::of_ratio(5, 1).excess_over(2000).thousandths(), 118);
        assert!(matches!(Root::of_ratio(i128::MAX, 3), Root::Irrational(_)));
    }
}
