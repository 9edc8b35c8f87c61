//! FR-006: was a card tried out with small payments before this one? Off unless `enabled` is set.
//!
//! Looks at the k transactions in the same currency below 5.00 in (t - 30 min, t] before this one. Triggers with k >= 3 and
//! amount >= 10 * mean of the small ones, compared in integers: amount * k * 1000 >= multiple * sum.
//! Score: amount / (2 * 10 * mean).
//!
//! Example: after 1.00, 2.00 and 3.00 the mean is 2.00. 19.99 is normal, 20.00 scores 0.500, 28.00 scores
//! 0.700 and 40.00 or more scores 1.000.

use crate::detectors::{
    Bound, Context, Detection, Detector, Evidence, Finding, Interval, LookBack, Movement,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use streamflow_model::timestamp::{MINUTE, SECOND};
use streamflow_model::{Cents, Score, Thousandths};

/// Settings of FR-006.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CardTesting {
    /// Whether it looks at all.
    pub enabled: bool,
    /// Weight in the combined score.
    pub weight: Thousandths,
    /// The amount below which a transaction is small, in units of its currency.
    pub small_amount: Thousandths,
    /// Small transactions needed.
    pub minimum_count: u32,
    /// Length of the window in seconds.
    pub window_seconds: u32,
    /// How many times the mean of the small ones is too much.
    pub multiple: Thousandths,
}

impl Default for CardTesting {
    fn default() -> Self {
        Self {
            enabled: false,
            weight: Thousandths(250),
            small_amount: Thousandths(5000),
            minimum_count: 3,
            window_seconds: 1800,
            multiple: Thousandths(10_000),
        }
    }
}

impl CardTesting {
    /// The window's length in microseconds.
    fn window(&self) -> i64 {
        i64::from(self.window_seconds) * SECOND
    }

    /// Number and cents of the small transactions in the window.
    fn small_ones(&self, context: &Context<'_>) -> (u64, i128) {
        let in_window = context.recent.newest_first(context.event_time - self.window());
        let cents = in_window.map(|earlier| i128::from(earlier.cents));
        // Ten thousandths are a cent.
        let small = cents.filter(|cents| cents * 10 < i128::from(self.small_amount.0));
        small.fold((0, 0), |(count, sum), cents| (count + 1, sum + cents))
    }
}

impl Detector for CardTesting {
    fn key(&self) -> &'static str {
        "card_testing"
    }

    fn weight(&self) -> Thousandths {
        self.weight
    }

    fn bounds(&self) -> Vec<Bound> {
        vec![
            Bound::decimal("small_amount", self.small_amount, 10..=1_000_000_000),
            Bound::decimal("multiple", self.multiple, 1..=1_000_000),
            Bound::count("minimum_count", self.minimum_count, 1..=1_000_000),
            Bound::count("window_seconds", self.window_seconds, 1..=86_400),
        ]
    }

    fn look_back(&self) -> LookBack {
        let transactions = if self.enabled { self.window() } else { 0 };
        LookBack { transactions, ..LookBack::default() }
    }

    fn detect(&self, context: &Context<'_>) -> Option<Detection> {
        if !self.enabled {
            return None;
        }
        let (count, sum) = self.small_ones(context);
        if count < u64::from(self.minimum_count) {
            return None;
        }
        let scaled_amount = i128::from(context.amount) * i128::from(count) * 1000;
        let limit = i128::from(self.multiple.0) * sum;
        (scaled_amount >= limit).then(|| Detection {
            score: Score::ratio(scaled_amount, 2 * limit),
            evidence: Evidence::CardTesting(CardTestingEvidence {
                amount: Cents(context.amount),
                mean: Cents(Cents::mean(sum, count) as i64),
                count,
                window: self.window(),
            }),
        })
    }

    fn leeway(&self, _context: &Context<'_>, _score: Interval) -> Movement {
        let recent = if self.enabled { Interval::ZERO } else { Interval::ANY };
        Movement { recent, ..Movement::ANY }
    }
}

/// The amount against the small ones before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CardTestingEvidence {
    /// Amount of the transaction.
    pub amount: Cents,
    /// Mean of the small amounts, rounded to the cent.
    pub mean: Cents,
    /// Number of small transactions.
    pub count: u64,
    /// Length of the window in microseconds.
    pub window: i64,
}

impl CardTestingEvidence {
    fn minutes(&self) -> f64 {
        self.window as f64 / MINUTE as f64
    }
}

impl Finding for CardTestingEvidence {
    fn details(&self) -> Value {
        json!({
            "amount": self.amount.to_string(), "mean": self.mean.to_string(), "count": self.count,
            "window_minutes": self.minutes(),
        })
    }

    fn explanation(&self) -> String {
        let Self { amount, mean, count, .. } = self;
        format!("{amount} after {count} small ones with a mean of {mean} within {} min", self.minutes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::examples::{Past, context};

    const ON: CardTesting = CardTesting {
        enabled: true,
        weight: Thousandths(250),
        small_amount: Thousandths(5000),
        minimum_count: 3,
        window_seconds: 1800,
        multiple: Thousandths(10_000),
    };

    fn hit(amount: i64, earlier: &[(i64, i64)]) -> Option<Detection> {
        let recent = &Past::of(earlier.iter().copied());
        ON.detect(&Context { amount, recent, ..context() })
    }

    fn score_of(amount: i64, earlier: &[(i64, i64)]) -> Option<String> {
        hit(amount, earlier).map(|hit| hit.score.to_string())
    }

    const TRIED_OUT: [(i64, i64); 3] = [(-3 * MINUTE, 100), (-2 * MINUTE, 200), (-MINUTE, 300)];

    #[test]
    fn ten_times_the_mean_scores_a_half_and_twenty_times_one() {
        let scores = [1999, 2000, 2800, 4000, 90_000].map(|amount| score_of(amount, &TRIED_OUT));
        let expected = [None, Some("0.500"), Some("0.700"), Some("1.000"), Some("1.000")];
        assert_eq!(scores.each_ref().map(Option::as_deref), expected);
    }

    #[test]
    fn the_evidence_is_of_the_small_ones() {
        let hit = hit(50_000, &[TRIED_OUT.as_slice(), &[(-1, 7000)]].concat()).unwrap();
        let details = json!({
            "amount": "500.00", "mean": "2.00", "count": 3, "window_minutes": 30.0,
        });
        assert_eq!(hit.evidence.finding().details(), details);
        assert_eq!(hit.explanation(), "500.00 after 3 small ones with a mean of 2.00 within 30 min");
    }

    #[test]
    fn two_small_ones_are_too_few_and_exactly_five_is_not_small() {
        assert_eq!(score_of(50_000, &TRIED_OUT[1..]), None);
        assert_eq!(score_of(50_000, &[(-3, 500), (-2, 499), (-1, 499)]), None);
        assert!(score_of(50_000, &[(-3, 499), (-2, 499), (-1, 499)]).is_some());
    }

    #[test]
    fn exactly_half_an_hour_back_is_outside_the_window() {
        let first_at = |at| [[(at, 100)].as_slice(), &TRIED_OUT[1..]].concat();
        assert_eq!(score_of(50_000, &first_at(-30 * MINUTE)), None);
        assert!(score_of(50_000, &first_at(1 - 30 * MINUTE)).is_some());
    }

    #[test]
    fn it_is_off_by_default_and_then_looks_back_nowhere() {
        assert_eq!(CardTesting { enabled: true, ..CardTesting::default() }, ON);
        let recent = &Past::of(TRIED_OUT);
        let context = Context { amount: 50_000, recent, ..context() };
        assert_eq!(CardTesting::default().detect(&context), None);
        assert_eq!(CardTesting::default().look_back(), LookBack::default());
        assert_eq!(ON.look_back().transactions, 30 * MINUTE);
    }
}
