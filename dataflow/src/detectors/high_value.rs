//! FR-001: is the amount far above what this customer usually pays?
//!
//! Triggers with at least five earlier transactions and amount > 3 * mean, compared in integers:
//! amount * n * 1000 > multiple * sum. Score: amount / (3 * mean) - 0.5.

use crate::detectors::rules::HighValue;
use crate::detectors::{Context, Evidence, Hit};
use streamflow_model::{Cents, Score};

/// The hit, if the amount is too high.
pub fn detect(rule: &HighValue, context: &Context<'_>) -> Option<Hit> {
    let earlier = &context.earlier;
    if earlier.count < u64::from(rule.minimum_history) {
        return None;
    }
    let scaled_amount = i128::from(context.amount) * i128::from(earlier.count) * 1000;
    let limit = i128::from(rule.multiple.0) * earlier.cents;
    if scaled_amount <= limit {
        return None;
    }
    let mean = Cents::mean(earlier.cents, earlier.count);
    Some(Hit {
        score: Score::ratio(2 * scaled_amount - limit, 2 * limit),
        evidence: Evidence::HighValue {
            amount: Cents(context.amount),
            mean: Cents(mean as i64),
            count: earlier.count,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::examples::{context, earlier};

    fn score_of(amount: i64, history: &[(i64, u16)]) -> Option<String> {
        let context = Context { amount, earlier: earlier(history), ..context() };
        detect(&HighValue::default(), &context).map(|hit| hit.score.to_string())
    }

    #[test]
    fn five_times_the_mean_scores_one() {
        assert_eq!(score_of(50_000, &[(10_000, 600); 5]).as_deref(), Some("1.000"));
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
