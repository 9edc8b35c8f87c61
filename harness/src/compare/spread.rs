//! Values of repeated runs.

use std::fmt;

/// The smallest, the middle and the largest of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// The middle one; of an even number, the mean of the two in the middle.
    pub median: f64,
    /// The largest.
    pub max: f64,
    /// How many there are.
    pub runs: usize,
}

impl Spread {
    /// Of `values`; `None` without any.
    ///
    /// ```
    /// use streamflow_harness::compare::spread::Spread;
    ///
    /// let spread = Spread::of(&[3.0, 1.0, 2.0, 10.0]).expect("there are some");
    /// assert_eq!((spread.min, spread.median, spread.max), (1.0, 2.5, 10.0));
    /// assert_eq!(Spread::of(&[]), None);
    /// ```
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Some(Self { min, median, max, runs: sorted.len() })
    }

    /// Whether all of these values are below all of the others.
    #[must_use]
    pub fn is_below(&self, other: &Self) -> bool {
        self.max < other.min
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.runs == 1 {
            return f.write_str(&short(self.median));
        }
        write!(f, "{} - {} - {}", short(self.min), short(self.median), short(self.max))
    }
}

/// A value with three digits that say something, whole thousands apart.
#[must_use]
pub fn short(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = match magnitude {
        _ if magnitude >= 100.0 || magnitude == 0.0 => 0,
        _ if magnitude >= 10.0 => 1,
        _ if magnitude >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (digits, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let (sign, digits) = digits.split_at(usize::from(digits.starts_with('-')));
    let grouped: Vec<_> =
        digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group)).collect();
    format!("{sign}{}{rest}", grouped.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_shown_and_thousands_are_apart() {
        let shown = [0.0, 0.0123, 1.234, 12.34, 123.4, 1234.5, 1_234_567.0, -1234.0].map(short);
        assert_eq!(shown, ["0", "0.012", "1.23", "12.3", "123", "1,234", "1,234,567", "-1,234"]);
    }

    #[test]
    fn a_single_run_has_no_spread() {
        let shown = |values: &[f64]| Spread::of(values).unwrap().to_string();
        assert_eq!((shown(&[2.0]).as_str(), shown(&[2.0, 1.0]).as_str()), ("2.00", "1.00 - 1.50 - 2.00"));
    }
}
