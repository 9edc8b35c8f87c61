//! FR-002: are there many transactions in a short time?
//!
//! Triggers with more than 5 transactions in (t - 10 min, t], this one included. Score: (c - 5) / 5.

use crate::detectors::rules::Velocity;
use crate::detectors::{Context, Evidence, Hit};
use streamflow_model::Score;

/// The hit, if the window holds too many.
pub fn detect(rule: &Velocity, context: &Context<'_>) -> Option<Hit> {
    let (count, limit) = (context.in_window, u64::from(rule.limit));
    (count > limit).then(|| Hit {
        score: Score::ratio(i128::from(count - limit), i128::from(limit)),
        evidence: Evidence::Velocity { count, window: rule.window() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::examples::context;

    fn score_of(in_window: u64) -> Option<String> {
        let context = Context { in_window, ..context() };
        detect(&Velocity::default(), &context).map(|hit| hit.score.to_string())
    }

    #[test]
    fn exactly_five_are_normal() {
        assert_eq!(score_of(5), None);
    }

    #[test]
    fn each_one_more_adds_a_fifth_up_to_one() {
        assert_eq!(score_of(6).as_deref(), Some("0.200"));
        assert_eq!(score_of(9).as_deref(), Some("0.800"));
        assert_eq!(score_of(10).as_deref(), Some("1.000"));
        assert_eq!(score_of(400).as_deref(), Some("1.000"));
    }
}
