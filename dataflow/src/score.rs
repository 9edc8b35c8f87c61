//! Scored transactions. Their combined score is the weighted mean of the detectors that triggered.

use crate::detectors::{Context, Hit, Rules};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use streamflow_model::{Score, Transaction};

/// The outcome of the rules on one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Verdict {
    /// The combined score.
    pub score: Score,
    /// The score reaches the alert threshold.
    pub alert: bool,
    /// The detectors that triggered, by rule id.
    pub hits: Vec<Hit>,
}

/// A current transaction, voided ones included, with its verdict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scored {
    /// The transaction; shared, because many operators pass it on.
    pub transaction: Arc<Transaction>,
    /// Its score and hits; zero and none for a voided one.
    pub verdict: Verdict,
    /// It is its customer's first in its minute of event time (never for a voided one).
    pub first_in_minute: bool,
    /// Number of changes of its alert, over all versions.
    pub alert_changes: u32,
}

/// A transaction that is final, voided ones included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Settled {
    /// The transaction.
    pub transaction: Transaction,
    /// Its score and hits; zero and none for a voided one.
    pub verdict: Verdict,
}

/// The verdict of `rules` on a transaction in its context.
pub fn verdict(rules: &Rules, context: &Context<'_>) -> Verdict {
    let hits = rules.hits(context);
    if hits.is_empty() {
        return Verdict::default();
    }
    combine(rules, hits)
}

/// Sum of score * weight over sum of weights, compared with the threshold before it is rounded for display.
///
/// Each hit's score is cut at 1e-15, so the sum may be too small, by less than a unit. Rounding up corrects
/// that: a combined score that is a decimal in exact arithmetic is that decimal here, and one on the
/// threshold reaches it.
fn combine(rules: &Rules, hits: Vec<Hit>) -> Verdict {
    let weight = |hit: &Hit| u128::from(rules.detector(hit.rule()).weight().0);
    let total: u128 = hits.iter().map(|hit| u128::from(hit.score.units()) * weight(hit)).sum();
    let weights: u128 = hits.iter().map(weight).sum();
    let score = if weights == 0 { Score::ZERO } else { Score::from_units(total.div_ceil(weights) as u64) };
    let threshold = Score::ratio(i128::from(rules.alert_threshold.0), 1000);
    Verdict { score, alert: weights > 0 && score >= threshold, hits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::Evidence;
    use crate::detectors::examples::{Past, context, earlier};
    use crate::detectors::velocity::VelocityEvidence;

    fn velocity(score: Score) -> Hit {
        Hit { score, evidence: Evidence::Velocity(VelocityEvidence { count: 6, window: 1 }) }
    }

    /// So many transactions just before, for FR-002.
    fn burst(count: i64) -> Past {
        Past::of((0..count).map(|_| (-1, 10_000)))
    }

    #[test]
    fn nothing_triggered_scores_zero() {
        assert_eq!(verdict(&Rules::default(), &context()), Verdict::default());
    }

    #[test]
    fn one_detector_scores_as_it_does_alone() {
        let combined = combine(&Rules::default(), vec![velocity(Score::ratio(8, 10))]);
        assert_eq!(combined.score.to_string(), "0.800");
        assert!(combined.alert);
    }

    #[test]
    fn exactly_the_threshold_is_alerted_and_a_hair_below_is_not() {
        let exact = Score::ratio(7, 10);
        assert!(combine(&Rules::default(), vec![velocity(exact)]).alert);
        let below = Score::from_units(exact.units() - 1);
        let combined = combine(&Rules::default(), vec![velocity(below)]);
        assert_eq!(combined.score.to_string(), "0.700");
        assert!(!combined.alert);
    }

    #[test]
    fn a_tie_of_scores_that_are_no_decimals_is_a_tie() {
        // 3.85 times the mean scores 47/60; with FR-002 at 0.6: (47/60 * 0.30 + 0.6 * 0.25) / 0.55 = 0.7.
        let history = earlier(&[(10_000, 600); 5]);
        let context = Context { amount: 38_500, earlier: history, recent: &burst(7), ..context() };
        let combined = verdict(&Rules::default(), &context);
        assert_eq!(combined.score, Score::ratio(7, 10));
        assert!(combined.alert);
    }

    #[test]
    fn a_score_exactly_between_two_roundings_is_rounded_up() {
        // FR-002 at 1.0 and FR-004 at a sixth, z being 7/3: (1 * 0.25 + 1/6 * 0.15) / 0.4 = 0.6875.
        let history = [579, 579, 600, 621, 621].map(|minute| (10_000, minute));
        let context = Context { minute: 649, earlier: earlier(&history), recent: &burst(9), ..context() };
        assert_eq!(verdict(&Rules::default(), &context).score.to_string(), "0.688");
    }

    #[test]
    fn several_detectors_are_weighted() {
        // FR-001 1.0 * 0.30 and FR-002 0.2 * 0.25: 0.35 / 0.55.
        let context =
            Context { amount: 50_000, earlier: earlier(&[(10_000, 600); 5]), recent: &burst(5), ..context() };
        let combined = verdict(&Rules::default(), &context);
        assert_eq!(combined.score.to_string(), "0.636");
        assert!(!combined.alert);
        assert_eq!(combined.hits.len(), 2);
    }
}
