//! Unsigned integers of 256 bits: what a product of two numbers of 128 bits needs before it is reduced.

/// `high * 2^128 + low`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wide {
    // The order of the fields is the order of the comparison.
    high: u128,
    low: u128,
}

const LOW_HALF: u128 = u64::MAX as u128;

impl Wide {
    /// The exact product.
    pub(crate) fn product(left: u128, right: u128) -> Self {
        let (left_high, left_low) = (left >> 64, left & LOW_HALF);
        let (right_high, right_low) = (right >> 64, right & LOW_HALF);
        let lowest = left_low * right_low;
        let (first, second) = (left_high * right_low, left_low * right_high);
        let middle = (lowest >> 64) + (first & LOW_HALF) + (second & LOW_HALF);
        Self {
            high: left_high * right_high + (first >> 64) + (second >> 64) + (middle >> 64),
            low: (middle << 64) | (lowest & LOW_HALF),
        }
    }

    /// The sum, which must be below 2^256.
    pub(crate) fn plus(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        Self { high: self.high.wrapping_add(other.high).wrapping_add(u128::from(carry)), low }
    }

    /// The difference; `other` must not be larger.
    pub(crate) fn minus(self, other: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        Self { high: self.high.wrapping_sub(other.high).wrapping_sub(u128::from(borrow)), low }
    }

    /// The remainder of the division by `divisor`, which is from 1 to 2^127.
    pub(crate) fn remainder(self, divisor: u128) -> u128 {
        self.divided(divisor).1
    }

    /// The quotient and the remainder of the division by `divisor`, which is from 1 to 2^127; no quotient
    /// where it has more than 128 bits.
    pub(crate) fn divided(self, divisor: u128) -> (Option<u128>, u128) {
        let (mut quotient, mut remainder) = (0, self.high % divisor);
        for bit in (0..128).rev() {
            remainder = remainder << 1 | self.low >> bit & 1;
            quotient <<= 1;
            if remainder >= divisor {
                remainder -= divisor;
                quotient |= 1;
            }
        }
        ((self.high < divisor).then_some(quotient), remainder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn big(wide: Wide) -> BigUint {
        (BigUint::from(wide.high) << 128) + wide.low
    }

    #[test]
    fn computes_as_big_integers_do() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut any = || random.random::<u128>() >> random.random_range(0..128) >> 1;
        for _ in 0..2000 {
            let (a, b, c, d, divisor) = (any(), any(), any(), any(), any() + 1);
            let (first, second) = (Wide::product(a, b), Wide::product(c, d));
            assert_eq!(big(first), BigUint::from(a) * b);
            assert_eq!(first.cmp(&second), big(first).cmp(&big(second)));
            assert_eq!(big(first.plus(second)), big(first) + big(second));
            let (larger, smaller) = (first.max(second), first.min(second));
            assert_eq!(big(larger.minus(smaller)), big(larger) - big(smaller));
            let (quotient, remainder) = first.divided(divisor);
            assert_eq!(BigUint::from(remainder), big(first) % divisor);
            assert_eq!(quotient, u128::try_from(big(first) / divisor).ok());
        }
    }
}
