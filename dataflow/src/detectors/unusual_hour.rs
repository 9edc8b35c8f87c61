//! FR-004: does this customer ever pay at this time of day?
//!
//! Triggers with at least five earlier transactions when z = abs(m - mean) / std > 2, m and mean in minutes of the
//! local day, std the sample standard deviation. With S and Q the sums of minutes and of squared minutes,
//! z^2 = (n m - S)^2 (n - 1) / (n (n Q - S^2)), so the comparison is made in integers. Score: (z - 2) / 2.

use crate::detectors::rules::UnusualHour;
use crate::detectors::{Context, Evidence, Hit};
use streamflow_model::money::divide_rounded;
use streamflow_model::root::Root;

/// The hit, if the hour is unusual.
pub fn detect(rule: &UnusualHour, context: &Context<'_>) -> Option<Hit> {
    let earlier = &context.earlier;
    let spread = earlier.minute_spread();
    if earlier.count < u64::from(rule.minimum_history) || spread == 0 {
        return None;
    }
    let count = i128::from(earlier.count);
    let distance = count * i128::from(context.minute) - i128::from(earlier.minutes);
    let squared_limit = i128::from(rule.deviations.0) * i128::from(rule.deviations.0);
    // Both sides fit for histories of up to a hundred million transactions; beyond, the customer is not scored.
    let left = (distance * distance).checked_mul((count - 1) * 1_000_000)?;
    let right = squared_limit.checked_mul(count.checked_mul(spread)?)?;
    if left <= right {
        return None;
    }
    let z = Root::of_ratio(distance * distance * (count - 1), count * spread);
    let deviation = Root::of_ratio(spread, count * (count - 1));
    Some(Hit {
        score: z.excess_over(rule.deviations.0),
        evidence: Evidence::UnusualHour {
            minute: context.minute,
            z: z.rounded(1000),
            mean: divide_rounded(100 * i128::from(earlier.minutes), count) as i64,
            deviation: deviation.rounded(100),
            count: earlier.count,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::examples::{context, earlier};

    fn hit(minute: u16, minutes: &[u16]) -> Option<Hit> {
        let history: Vec<_> = minutes.iter().map(|minute| (10_000, *minute)).collect();
        let context = Context { minute, earlier: earlier(&history), ..context() };
        detect(&UnusualHour::default(), &context)
    }

    #[test]
    fn three_in_the_night_after_five_afternoons() {
        let hit = hit(180, &[840, 850, 860, 870, 880]).unwrap();
        assert_eq!(hit.score.to_string(), "1.000");
        let expected =
            Evidence::UnusualHour { minute: 180, z: 43_007, mean: 86_000, deviation: 1_581, count: 5 };
        assert_eq!(hit.evidence, expected);
    }

    #[test]
    fn a_z_of_exactly_two_is_normal() {
        // Five minutes 600 -/+ 10 twice and 600: sum of squares about the mean 400, variance 100, deviation 10.
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
            Evidence::UnusualHour { minute: 649, z: 2_333, mean: 60_000, deviation: 2_100, count: 5 };
        assert_eq!(hit.evidence, expected);
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
        let context = Context { minute: 1439, earlier: sums, ..context() };
        assert_eq!(detect(&UnusualHour::default(), &context), None);
    }
}
