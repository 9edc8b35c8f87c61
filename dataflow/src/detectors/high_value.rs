//! FR-001: is the amount far above what this customer usually pays?
//!
//! Triggers with at least five earlier transactions in the same currency and amount > 3 * mean, compared in
//! integers: amount * n * 1000 > multiple * sum. Score: amount / (3 * mean) - 0.5.

use crate::detectors::{Bound, Context, Detection, Detector, Evidence, Finding, Interval, Movement};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use streamflow_model::{Cents, Score, Thousandths};

/// Settings of FR-001.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HighValue {
    /// Weight in the combined score.
    pub weight: Thousandths,
    /// Earlier transactions needed, in the same currency.
    pub minimum_history: u32,
    /// How many times the mean is too much.
    pub multiple: Thousandths,
}

impl Default for HighValue {
    fn default() -> Self {
        Self { weight: Thousandths(300), minimum_history: 5, multiple: Thousandths(3000) }
    }
}

impl Detector for HighValue {
    fn key(&self) -> &'static str {
        "high_value"
    }

    fn weight(&self) -> Thousandths {
        self.weight
    }

    fn bounds(&self) -> Vec<Bound> {
        vec![
            Bound::decimal("multiple", self.multiple, 1..=1_000_000),
            Bound::count("minimum_history", self.minimum_history, 1..=1_000_000),
        ]
    }

    fn detect(&self, context: &Context<'_>) -> Option<Detection> {
        let earlier = &context.earlier;
        if earlier.count < u64::from(self.minimum_history) {
            return None;
        }
        let scaled_amount = i128::from(context.amount) * i128::from(earlier.count) * 1000;
        let limit = i128::from(self.multiple.0) * earlier.cents;
        if scaled_amount <= limit {
            return None;
        }
        let mean = Cents::mean(earlier.cents, earlier.count);
        Some(Detection {
            score: Score::ratio(2 * scaled_amount - limit, 2 * limit),
            evidence: Evidence::HighValue(HighValueEvidence {
                amount: Cents(context.amount),
                mean: Cents(mean as i64),
                count: earlier.count,
            }),
        })
    }

    fn leeway(&self, context: &Context<'_>, score: Interval) -> Movement {
        let (count, minimum) = (context.earlier.count as f64, f64::from(self.minimum_history));
        if count < minimum {
            let count = Interval::within(f64::NEG_INFINITY, minimum - 1.0 - count);
            return Movement { count, ..Movement::ANY };
        }
        let mean = context.earlier.cents as f64 / count;
        // The mean of which the amount is exactly the multiple; with lower ones it triggers.
        let limit = context.amount as f64 * 1000.0 / f64::from(self.multiple.0);
        let (lowest, highest) = if limit <= mean {
            (limit, f64::INFINITY)
        } else {
            let now = (limit / mean - 0.5).min(1.0);
            let mean_at = |score: f64| limit / (score + 0.5);
            let most = now + score.high();
            let lowest = if most >= 1.0 { f64::NEG_INFINITY } else { mean_at(most) };
            (lowest, mean_at((now + score.low()).max(0.5)))
        };
        // Floats are off by far less.
        let margin = 1e-9 * mean;
        Movement {
            count: Interval::within(minimum - count, f64::INFINITY),
            mean_amount: Interval::within(lowest - mean + margin, highest - mean - margin),
            ..Movement::ANY
        }
    }
}

/// The amount against the mean of the earlier ones in its currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HighValueEvidence {
    /// Amount of the transaction.
    pub amount: Cents,
    /// Mean of the earlier amounts, rounded to the cent.
    pub mean: Cents,
    /// Number of earlier transactions in the same currency.
    pub count: u64,
}

impl Finding for HighValueEvidence {
    fn details(&self) -> Value {
        json!({"amount": self.amount.to_string(), "mean": self.mean.to_string(), "count": self.count})
    }

    fn explanation(&self) -> String {
        format!("{} against a mean of {} of {}", self.amount, self.mean, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::examples::{context, earlier};

    fn score_of(amount: i64, history: &[(i64, u16)]) -> Option<String> {
        let context = Context { amount, earlier: earlier(history), ..context() };
        HighValue::default().detect(&context).map(|hit| hit.score.to_string())
    }

    #[test]
    fn five_times_the_mean_scores_one() {
        assert_eq!(score_of(50_000, &[(10_000, 600); 5]).as_deref(), Some("1.000"));
    }

    #[test]
    fn the_explanation_names_both_amounts() {
        let context = Context { amount: 50_000, earlier: earlier(&[(10_000, 600); 5]), ..context() };
        let hit = HighValue::default().detect(&context).unwrap();
        assert_eq!(hit.explanation(), "500.00 against a mean of 100.00 of 5");
    }

    #[test]
    fn three_and_a_half_times_the_mean_scores_two_thirds() {
        assert_eq!(score_of(35_000, &[(10_000, 600); 5]).as_deref(), Some("0.667"));
    }

    #[test]
    fn exactly_three_times_the_mean_is_normal() {
        assert_eq!(score_of(30_000, &[(10_000, 600); 5]), None);
        assert_eq!(score_of(30_001, &[(10_000, 600); 5]).as_deref(), Some("0.500"));
    }

    #[test]
    fn four_earlier_transactions_are_too_few_and_five_are_enough() {
        assert_eq!(score_of(50_000, &[(10_000, 600); 4]), None);
        assert!(score_of(50_000, &[(10_000, 600); 5]).is_some());
    }

    #[test]
    fn a_mean_that_is_no_whole_cent_is_compared_exactly() {
        // Mean 33.333...: three times is exactly 100.00 for three of a kind; with five, sum 166.67.
        let history = [(3333, 0), (3333, 0), (3333, 0), (3334, 0), (3334, 0)];
        assert_eq!(score_of(10_000, &history), None);
        assert!(score_of(10_001, &history).is_some());
    }
}
