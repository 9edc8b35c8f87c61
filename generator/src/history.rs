//! Each customer's purchases so far in order of event time, in their final form: late purchases and final
//! amounts included, voided and unacceptable ones left out. A detector sees the same once everything has
//! arrived.

use crate::time::{MINUTE, SECOND, local_minute};

/// Purchases in ten minutes that a customer makes on an ordinary day, at most.
const UNHURRIED: usize = 5;

/// Amounts in one currency.
#[derive(Clone, Copy, Default)]
struct Amounts {
    count: u32,
    cents: u64,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct History {
    pub(crate) count: u32,
    home: Amounts,
    foreign: Amounts,
    /// Sum and sum of squares of the purchases' minutes of the local day.
    minutes: u64,
    squares: u64,
    /// Times of the latest purchases, seconds since 1970, in no order.
    latest: [u32; UNHURRIED],
}

impl History {
    pub(crate) fn add(&mut self, at: i64, cents: u64, is_foreign: bool) {
        let minute = u64::from(local_minute(at));
        self.latest[self.count as usize % UNHURRIED] = (at / SECOND) as u32;
        self.count += 1;
        let amounts = if is_foreign { &mut self.foreign } else { &mut self.home };
        amounts.count += 1;
        amounts.cents += cents;
        self.minutes += minute;
        self.squares += minute * minute;
    }

    /// Mean amount in cents of the purchases in BRL or in the customer's other currency, once there are five
    /// of them.
    pub(crate) fn mean_cents(&self, is_foreign: bool) -> Option<f64> {
        let Amounts { count, cents } = if is_foreign { self.foreign } else { self.home };
        (count >= 5).then(|| cents as f64 / f64::from(count))
    }

    /// Standard deviations (sample) between the minute of `at` and the mean minute, once there are five
    /// purchases that are not all of the same minute.
    pub(crate) fn deviation_at(&self, at: i64) -> Option<f64> {
        if self.count < 5 {
            return None;
        }
        let count = u128::from(self.count);
        let spread = count * u128::from(self.squares) - u128::from(self.minutes).pow(2);
        let deviation = (spread as f64 / (count * (count - 1)) as f64).sqrt();
        let mean = self.minutes as f64 / f64::from(self.count);
        (spread > 0).then(|| (f64::from(local_minute(at)) - mean).abs() / deviation)
    }

    /// Whether one more purchase at `at` would make a burst.
    pub(crate) fn is_hurried(&self, at: i64) -> bool {
        let since = (at - 10 * MINUTE) / SECOND;
        self.latest.iter().all(|second| i64::from(*second) >= since)
    }
}

/// The histories of all customers, and which customers an episode keeps to itself.
pub(crate) struct Histories {
    customers: Vec<History>,
    reserved_until: Vec<i64>,
}

impl Histories {
    pub(crate) fn new(customers: u32) -> Self {
        let count = customers as usize;
        Self { customers: vec![History::default(); count], reserved_until: vec![i64::MIN; count] }
    }

    pub(crate) fn of(&self, customer: u32) -> &History {
        &self.customers[customer as usize]
    }

    pub(crate) fn add(&mut self, customer: u32, at: i64, cents: u64, is_foreign: bool) {
        self.customers[customer as usize].add(at, cents, is_foreign);
    }

    pub(crate) fn reserve(&mut self, customer: u32, until: i64) {
        self.reserved_until[customer as usize] = until;
    }

    pub(crate) fn is_reserved(&self, customer: u32, at: i64) -> bool {
        at <= self.reserved_until[customer as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::DAY;

    #[test]
    fn worked_example_of_an_unusual_hour() {
        let midnight = 1_769_914_800_000_000;
        let mut history = History::default();
        for (day, minute) in (0..).zip([840, 850, 860, 870, 880]) {
            assert_eq!(history.deviation_at(midnight), None);
            history.add(midnight + day * DAY + minute * MINUTE, 10_000, false);
        }
        let z = history.deviation_at(midnight + 180 * MINUTE);
        assert!(z.is_some_and(|z| (42.9..43.1).contains(&z)));
        assert_eq!(history.mean_cents(false), Some(10_000.0));
        assert_eq!(history.mean_cents(true), None);
    }

    #[test]
    fn the_sixth_within_ten_minutes_is_hurried() {
        let start = 1_769_914_800_000_000;
        let mut history = History::default();
        for minute in 0..5 {
            assert!(!history.is_hurried(start + minute * MINUTE));
            history.add(start + minute * MINUTE, 100, minute % 2 == 0);
        }
        assert!(history.is_hurried(start + 5 * MINUTE));
        assert!(!history.is_hurried(start + 11 * MINUTE));
    }
}
