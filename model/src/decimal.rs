//! Decimal parameters, exact to three places.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// A non-negative decimal with three places, in thousandths: weights, thresholds and factors of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thousandths(pub u32);

impl Thousandths {
    /// The number one.
    pub const ONE: Self = Self(1000);

    /// `None` where `value` is negative, not finite, above four million or has more than three decimals.
    pub fn from_decimal(value: f64) -> Option<Self> {
        let scaled = value * 1000.0;
        let rounded = scaled.round();
        let exact = (scaled - rounded).abs() < 1e-6 * scaled.abs().max(1.0);
        (exact && (0.0..=4e9).contains(&rounded)).then_some(Self(rounded as u32))
    }
}

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
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
