//! How the scores of the rules that triggered become one.

use serde::{Deserialize, Serialize};
use streamflow_model::{Score, Thousandths};

/// How the scores of the rules that triggered become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Combination {
    /// Sum of score * weight over sum of weights.
    #[default]
    WeightedMean,
    /// 1 - product of (1 - weight * score): it never falls when a rule joins.
    NoisyOr,
}

/// A score of 1 times a weight of 1, which is in thousandths.
const WHOLE: u128 = 1000 * Score::ONE.units() as u128;

impl Combination {
    /// All.
    pub const ALL: [Self; 2] = [Self::WeightedMean, Self::NoisyOr];

    /// The name that users write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WeightedMean => "weighted_mean",
            Self::NoisyOr => "noisy_or",
        }
    }

    /// The combined score; `None` where no weight is above zero.
    ///
    /// Each score is cut at 1e-15, so the outcome may be too small, by less than a unit. Rounding up corrects
    /// that: a combined score that is a decimal in exact arithmetic is that decimal here, and one on a
    /// threshold reaches it.
    pub fn combine(self, hits: impl Iterator<Item = (Score, Thousandths)> + Clone) -> Option<Score> {
        let weights: u128 = hits.clone().map(|(_, weight)| u128::from(weight.0)).sum();
        if weights == 0 {
            return None;
        }
        let products = hits.map(|(score, weight)| u128::from(score.units()) * u128::from(weight.0));
        let units = match self {
            Self::WeightedMean => products.sum::<u128>().div_ceil(weights),
            Self::NoisyOr => {
                let missed = products.fold(WHOLE, |missed, product| missed * (WHOLE - product) / WHOLE);
                (WHOLE - missed).div_ceil(1000)
            }
        };
        Some(Score::from_units(units as u64))
    }

    /// At most how many times as far as each of the scores the combined one moves, for the sum of the
    /// weights of the rules that triggered.
    pub fn sensitivity(self, weights: Thousandths) -> f64 {
        match self {
            Self::WeightedMean => 1.0,
            Self::NoisyOr => (f64::from(weights.0) / 1000.0).max(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combined(combination: Combination, hits: &[(i128, i128, u32)]) -> Option<Score> {
        let score = |(numerator, denominator, weight): &(i128, i128, u32)| {
            (Score::ratio(*numerator, *denominator), Thousandths(*weight))
        };
        combination.combine(hits.iter().map(score))
    }

    #[test]
    fn a_noisy_or_is_one_less_what_all_have_missed() {
        let noisy_or = |hits: &[_]| combined(Combination::NoisyOr, hits);
        assert_eq!(noisy_or(&[(1, 1, 300)]), Some(Score::ratio(3, 10)));
        // 1 - 0.7 * (1 - 0.25 * 0.2) = 0.335
        assert_eq!(noisy_or(&[(1, 1, 300), (1, 5, 250)]), Some(Score::ratio(335, 1000)));
        // Two thirds are no decimal, their product with 0.3 is.
        assert_eq!(noisy_or(&[(2, 3, 300)]), Some(Score::ratio(1, 5)));
        assert_eq!(noisy_or(&[(1, 1, 1000), (1, 1, 1000)]), Some(Score::ONE));
        assert_eq!(noisy_or(&[(1, 1, 0)]), None);
    }

    #[test]
    fn one_rule_more_never_lowers_a_noisy_or() {
        let mut hits = Vec::new();
        let mut before = Score::ZERO;
        for (numerator, weight) in [(1, 100), (7, 1), (3, 999), (0, 5), (9, 20), (1, 1000)] {
            hits.push((numerator, 10, weight));
            let now = combined(Combination::NoisyOr, &hits).unwrap();
            assert!(now >= before, "{hits:?}");
            before = now;
        }
    }

    #[test]
    fn a_weighted_mean_may_fall() {
        let mean = |hits: &[_]| combined(Combination::WeightedMean, hits);
        assert_eq!(mean(&[(1, 1, 300)]), Some(Score::ONE));
        assert_eq!(mean(&[(1, 1, 300), (0, 1, 100)]), Some(Score::ratio(3, 4)));
        assert_eq!(mean(&[]), None);
    }
}
