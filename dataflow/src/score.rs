//! The combined score of a transaction: the weighted mean of the detectors that triggered.

use crate::detectors;
use crate::model::{Context, Hit, Rule, Rules, Score, Thousandths, Verdict};

/// The verdict of `rules` on a transaction in its context.
pub fn verdict(rules: &Rules, context: &Context<'_>) -> Verdict {
    let hits = detectors::hits(rules, context);
    if hits.is_empty() {
        return Verdict::default();
    }
    combine(rules, hits)
}

/// Sum of score * weight over sum of weights; the unrounded value is compared with the threshold.
fn combine(rules: &Rules, hits: Vec<Hit>) -> Verdict {
    let weighted = |hit: &Hit| i128::from(hit.score.units()) * i128::from(weight(rules, hit.rule()).0);
    let total: i128 = hits.iter().map(weighted).sum();
    let weights: i128 = hits.iter().map(|hit| i128::from(weight(rules, hit.rule()).0)).sum();
    let threshold = i128::from(rules.alert_threshold.0) * i128::from(Score::ONE.units()) / 1000;
    let score = if weights == 0 { 0 } else { total / weights };
    Verdict {
        score: Score::from_units(score as u64),
        alert: weights > 0 && total >= threshold * weights,
        hits,
    }
}

fn weight(rules: &Rules, rule: Rule) -> Thousandths {
    match rule {
        Rule::HighValue => rules.high_value.weight,
        Rule::Velocity => rules.velocity.weight,
        Rule::ImpossibleTravel => rules.impossible_travel.weight,
        Rule::UnusualHour => rules.unusual_hour.weight,
        Rule::Blacklist => rules.blacklist.weight,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::examples::{context, earlier};
    use crate::model::Evidence;

    fn velocity(score: Score) -> Hit {
        Hit { score, evidence: Evidence::Velocity { count: 6, window: 1 } }
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
    fn several_detectors_are_weighted() {
        // FR-001 1.0 * 0.30 and FR-002 0.2 * 0.25: 0.35 / 0.55.
        let context =
            Context { amount: 50_000, earlier: earlier(&[(10_000, 600); 5]), in_window: 6, ..context() };
        let combined = verdict(&Rules::default(), &context);
        assert_eq!(combined.score.to_string(), "0.636");
        assert!(!combined.alert);
        assert_eq!(combined.hits.len(), 2);
    }
}
