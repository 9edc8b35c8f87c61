//! FR-004: does this customer ever pay at this time of day?
//!
//! Triggers with at least five earlier transactions when z = abs(m - mean) / std > 2, m and mean in minutes
//! of the local day, std the sample standard deviation. With S and Q the sums of minutes and of squared
//! minutes, z^2 = (n m - S)^2 (n - 1) / (n (n Q - S^2)), so the comparison is made in integers. Score: (z -
//! 2) / 2.

use crate::detectors::hit::{hundredths, thousandths};
use crate::detectors::{Bound, Context, Detection, Detector, Evidence, Finding, Interval, Movement};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use streamflow_model::Thousandths;
use streamflow_model::money::divide_rounded;
use streamflow_model::root::Root;

/// Settings of FR-004.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnusualHour {
    /// Weight in the combined score.
    pub weight: Thousandths,
    /// Earlier transactions needed.
    pub minimum_history: u32,
    /// Standard deviations that are still normal.
    pub deviations: Thousandths,
}

impl Default for UnusualHour {
    fn default() -> Self {
        Self { weight: Thousandths(150), minimum_history: 5, deviations: Thousandths(2000) }
    }
}

impl Detector for UnusualHour {
    fn key(&self) -> &'static str {
        "unusual_hour"
    }

    fn weight(&self) -> Thousandths {
        self.weight
    }

    fn bounds(&self) -> Vec<Bound> {
        vec![
            Bound::decimal("deviations", self.deviations, 1..=100_000),
            Bound::count("minimum_history", self.minimum_history, 2..=1_000_000),
        ]
    }

    fn detect(&self, context: &Context<'_>) -> Option<Detection> {
        let earlier = &context.earlier_minutes;
        let spread = earlier.spread();
        if earlier.count < u64::from(self.minimum_history) || spread == 0 {
            return None;
        }
        let count = i128::from(earlier.count);
        let distance = count * i128::from(context.minute) - i128::from(earlier.minutes);
        let squared_limit = i128::from(self.deviations.0) * i128::from(self.deviations.0);
        // Both sides fit for histories of up to a hundred million transactions; beyond, the customer is not
        // scored.
        let left = (distance * distance).checked_mul((count - 1) * 1_000_000)?;
        let right = squared_limit.checked_mul(count.checked_mul(spread)?)?;
        if left <= right {
            return None;
        }
        let z = Root::of_ratio(distance * distance * (count - 1), count * spread);
        let deviation = Root::of_ratio(spread, count * (count - 1));
        Some(Detection {
            score: z.excess_over(self.deviations.0),
            evidence: Evidence::UnusualHour(UnusualHourEvidence {
                minute: context.minute,
                z: z.rounded(1000),
                mean: divide_rounded(100 * i128::from(earlier.minutes), count) as i64,
                deviation: deviation.rounded(100),
                count: earlier.count,
            }),
        })
    }

    fn leeway(&self, context: &Context<'_>, score: Interval) -> Movement {
        let earlier = &context.earlier_minutes;
        let (count, minimum) = (earlier.count as f64, f64::from(self.minimum_history));
        if count < minimum {
            let count = Interval::within(f64::NEG_INFINITY, minimum - 1.0 - count);
            return Movement { count, ..Movement::ANY };
        }
        let spread = earlier.spread();
        if spread == 0 {
            return Movement { minute_variance: Interval::ZERO, ..Movement::ANY };
        }
        let mean = earlier.minutes as f64 / count;
        let variance = spread as f64 / (count * (count - 1.0));
        let distance = (f64::from(context.minute) - mean).abs();
        let limit = f64::from(self.deviations.0) / 1000.0;
        let z = distance / variance.sqrt();
        let (lowest, highest) = if z <= limit {
            (0.0, limit)
        } else {
            let now = (z / limit - 1.0).min(1.0);
            let most = now + score.high();
            let highest = if most >= 1.0 { f64::INFINITY } else { limit * (1.0 + most) };
            (limit * (1.0 + (now + score.low()).max(0.0)), highest)
        };
        let room = Room { distance, variance, lowest, highest };
        let (mean, variance) = room.share();
        Movement {
            count: Interval::within(minimum - count, LARGEST_HISTORY - count),
            mean_minute: Interval::within(-mean, mean),
            minute_variance: variance,
            ..Movement::ANY
        }
    }
}

/// Below it, no product in `detect` overflows with any settings.
const LARGEST_HISTORY: f64 = 1e7;

/// How far z = distance / deviation may go.
struct Room {
    distance: f64,
    variance: f64,
    lowest: f64,
    highest: f64,
}

impl Room {
    /// Half of the room for the distance, either way, the other for the variance. Margins are far above what
    /// floats can be off by.
    fn share(&self) -> (f64, Interval) {
        let Self { distance, variance, lowest, highest } = *self;
        let deviation = variance.sqrt();
        let (mut share, mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY);
        if lowest > 0.0 {
            let below = (distance - lowest * deviation) / 2.0;
            share = share.min(below);
            most = ((distance - below) / lowest).powi(2);
        }
        if highest.is_finite() {
            let above = (highest * deviation - distance) / 2.0;
            share = share.min(above);
            least = ((distance + above) / highest).powi(2);
        }
        let margin = 1e-6 + 1e-9 * variance;
        (share - 1e-6, Interval::within(least - variance + margin, most - variance - margin))
    }
}

/// The minute of the local day against the earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnusualHourEvidence {
    /// Minute of the local day.
    pub minute: u16,
    /// abs(minute - mean) / standard deviation, in thousandths.
    pub z: i64,
    /// Mean minute in hundredths.
    pub mean: i64,
    /// Sample standard deviation in hundredths of a minute.
    pub deviation: i64,
    /// Number of earlier transactions.
    pub count: u64,
}

impl Finding for UnusualHourEvidence {
    fn details(&self) -> Value {
        json!({
            "minute": self.minute, "z": thousandths(self.z), "mean": hundredths(self.mean),
            "std": hundredths(self.deviation), "count": self.count,
        })
    }

    fn explanation(&self) -> String {
        let day_time = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
        let (at, mean) = (day_time(i64::from(self.minute)), day_time(self.mean / 100));
        let (deviation, z) = (hundredths(self.deviation), thousandths(self.z));
        format!("at {at} against {mean} \u{b1} {deviation:.0} min, z {z:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::examples::{context, earlier};

    fn hit(minute: u16, minutes: &[u16]) -> Option<Detection> {
        let history: Vec<_> = minutes.iter().map(|minute| (10_000, *minute)).collect();
        let context = Context { minute, earlier_minutes: earlier(&history).into(), ..context() };
        UnusualHour::default().detect(&context)
    }

    #[test]
    fn three_in_the_night_after_five_afternoons() {
        let hit = hit(180, &[840, 850, 860, 870, 880]).unwrap();
        assert_eq!(hit.score.to_string(), "1.000");
        let expected =
            UnusualHourEvidence { minute: 180, z: 43_007, mean: 86_000, deviation: 1_581, count: 5 };
        assert_eq!(hit.evidence, Evidence::UnusualHour(expected));
        assert_eq!(hit.explanation(), "at 03:00 against 14:20 \u{b1} 16 min, z 43.0");
    }

    #[test]
    fn a_z_of_exactly_two_is_normal() {
        // Five minutes 600 -/+ 10 twice and 600: sum of squares about the mean 400, variance 100, deviation
        // 10.
        let history = [590, 590, 600, 610, 610];
        assert_eq!(hit(620, &history), None);
        assert_eq!(hit(580, &history), None);
        let just_above = hit(621, &history).unwrap();
        assert_eq!(just_above.score.to_string(), "0.050");
    }

    #[test]
    fn a_z_of_exactly_seven_thirds_is_exactly_a_sixth_above_the_limit() {
        // Sum of squares about the mean of 600: 4 * 21 * 21, variance 441, deviation 21; 49 minutes off.
        let hit = hit(649, &[579, 579, 600, 621, 621]).unwrap();
        assert_eq!(hit.score.units(), 166_666_666_666_666);
        let expected =
            UnusualHourEvidence { minute: 649, z: 2_333, mean: 60_000, deviation: 2_100, count: 5 };
        assert_eq!(hit.evidence, Evidence::UnusualHour(expected));
    }

    #[test]
    fn without_spread_nothing_is_unusual() {
        assert_eq!(hit(0, &[600; 8]), None);
    }

    #[test]
    fn four_earlier_transactions_are_too_few() {
        assert_eq!(hit(180, &[840, 850, 860, 870]), None);
    }

    #[test]
    fn a_long_history_does_not_overflow() {
        let mut sums = earlier(&[(1, 0), (1, 1439)]);
        let times = 50_000_000;
        sums.count *= times;
        sums.minutes *= times;
        sums.squared_minutes *= times;
        let context = Context { minute: 1439, earlier_minutes: sums.into(), ..context() };
        assert_eq!(UnusualHour::default().detect(&context), None);
    }
}
