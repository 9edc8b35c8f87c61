//! FR-002: are there many transactions in a short time?
//!
//! Triggers with more than 5 transactions in (t - 10 min, t], this one included. Score: (c - 5) / 5.

use crate::detectors::{
    Bound, Context, Detection, Detector, Evidence, Finding, Interval, LookBack, Movement,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use streamflow_model::timestamp::{MINUTE, SECOND};
use streamflow_model::{Score, Thousandths};

/// Settings of FR-002.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Velocity {
    /// Weight in the combined score.
    pub weight: Thousandths,
    /// Transactions that are still normal.
    pub limit: u32,
    /// Length of the window in seconds.
    pub window_seconds: u32,
}

impl Default for Velocity {
    fn default() -> Self {
        Self { weight: Thousandths(250), limit: 5, window_seconds: 600 }
    }
}

impl Velocity {
    /// The window's length in microseconds.
    fn window(&self) -> i64 {
        i64::from(self.window_seconds) * SECOND
    }

    /// Transactions in the window that ends with this one.
    fn count(&self, context: &Context<'_>) -> u64 {
        context.recent.count_after(context.event_time - self.window()) + 1
    }
}

impl Detector for Velocity {
    fn key(&self) -> &'static str {
        "velocity"
    }

    fn weight(&self) -> Thousandths {
        self.weight
    }

    fn bounds(&self) -> Vec<Bound> {
        vec![
            Bound::count("limit", self.limit, 1..=1_000_000),
            Bound::count("window_seconds", self.window_seconds, 1..=86_400),
        ]
    }

    fn look_back(&self) -> LookBack {
        LookBack { transactions: self.window(), ..LookBack::default() }
    }

    fn detect(&self, context: &Context<'_>) -> Option<Detection> {
        let count = self.count(context);
        let limit = u64::from(self.limit);
        (count > limit).then(|| Detection {
            score: Score::ratio(i128::from(count - limit), i128::from(limit)),
            evidence: Evidence::Velocity(VelocityEvidence { count, window: self.window() }),
        })
    }

    fn leeway(&self, context: &Context<'_>, score: Interval) -> Movement {
        let (count, limit) = (self.count(context) as f64, f64::from(self.limit));
        // From twice the limit on the score is 1.
        let full = 2.0 * limit;
        let recent = if count <= limit {
            Interval::within(f64::NEG_INFINITY, limit - count)
        } else {
            let fewest = (count.min(full) + (score.low() * limit).ceil()).max(limit + 1.0);
            let most = if count >= full { f64::INFINITY } else { count + (score.high() * limit).floor() };
            Interval::within(fewest - count, most - count)
        };
        Movement { recent, ..Movement::ANY }
    }
}

/// The transactions in the window that ends with this one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VelocityEvidence {
    /// Transactions in the window, this one included.
    pub count: u64,
    /// Length of the window in microseconds.
    pub window: i64,
}

impl VelocityEvidence {
    fn minutes(&self) -> f64 {
        self.window as f64 / MINUTE as f64
    }
}

impl Finding for VelocityEvidence {
    fn details(&self) -> Value {
        json!({"count": self.count, "window_minutes": self.minutes()})
    }

    fn explanation(&self) -> String {
        format!("{} transactions within {} min", self.count, self.minutes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::examples::{Past, context};

    /// The last one of `count` transactions, each `gap` microseconds after the one before.
    fn hit(count: i64, gap: i64) -> Option<Detection> {
        let past = Past::of((1..count).rev().map(|before| (-before * gap, 10_000)));
        Velocity::default().detect(&Context { recent: &past, ..context() })
    }

    fn score_of(count: i64, gap: i64) -> Option<String> {
        hit(count, gap).map(|hit| hit.score.to_string())
    }

    #[test]
    fn exactly_five_are_normal() {
        assert_eq!(score_of(5, 1), None);
    }

    #[test]
    fn each_one_more_adds_a_fifth_up_to_one() {
        assert_eq!(score_of(6, 1).as_deref(), Some("0.200"));
        assert_eq!(score_of(9, 1).as_deref(), Some("0.800"));
        assert_eq!(score_of(10, 1).as_deref(), Some("1.000"));
        assert_eq!(score_of(400, 1).as_deref(), Some("1.000"));
    }

    #[test]
    fn exactly_ten_minutes_back_is_outside_the_window() {
        assert_eq!(score_of(6, 2 * MINUTE), None);
        let hit = hit(6, 2 * MINUTE - 1).unwrap();
        assert_eq!(hit.explanation(), "6 transactions within 10 min");
    }
}
