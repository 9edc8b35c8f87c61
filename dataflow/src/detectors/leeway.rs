//! How far what precedes a transaction may move before a detector shows something else of it.
//!
//! A late event moves the sums behind every later transaction of its customer, mostly by next to nothing. So
//! `history` asks once how far they may move, and evaluates a transaction again only when they have moved
//! farther. Bounds are single floats, rounded to the safe side.

use std::ops::Sub;

/// An interval of movements, both ends included; empty where `low` is above `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    low: f32,
    high: f32,
}

impl Interval {
    /// Every movement.
    pub const ANY: Self = Self { low: f32::NEG_INFINITY, high: f32::INFINITY };
    /// No movement.
    pub const ZERO: Self = Self { low: 0.0, high: 0.0 };
    /// Contains nothing.
    pub const EMPTY: Self = Self { low: f32::INFINITY, high: f32::NEG_INFINITY };

    /// Of allowed movements: rounded inwards.
    #[must_use]
    pub fn within(low: f64, high: f64) -> Self {
        Self { low: above(low), high: below(high) }
    }

    /// Of possible movements: rounded outwards.
    #[must_use]
    pub fn around(low: f64, high: f64) -> Self {
        Self { low: below(low), high: above(high) }
    }

    /// The lower end.
    #[must_use]
    pub fn low(self) -> f64 {
        self.low.into()
    }

    /// The upper end.
    #[must_use]
    pub fn high(self) -> f64 {
        self.high.into()
    }

    fn contains(self, other: Self) -> bool {
        self.low <= other.low && other.high <= self.high
    }

    fn intersect(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }
}

/// What is still allowed after a movement of somewhere in `other`.
impl Sub for Interval {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        if other == Self::ZERO {
            return self;
        }
        Self::within(self.low() - other.low(), self.high() - other.high())
    }
}

/// The nearest single float that is not below.
fn above(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) < value { near.next_up() } else { near }
}

/// The nearest single float that is not above.
fn below(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) > value { near.next_down() } else { near }
}

/// How far the earlier transactions move, or may move, in each respect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Movement {
    /// Their number.
    pub count: Interval,
    /// The single ones within the look-back: so many fewer or more. One that changes counts as both.
    pub recent: Interval,
    /// Their mean amount in cents.
    pub mean_amount: Interval,
    /// Their mean minute of the local day.
    pub mean_minute: Interval,
    /// The sample variance of their minutes.
    pub minute_variance: Interval,
}

impl Movement {
    /// Every movement.
    pub const ANY: Self = Self::all(Interval::ANY);
    /// No movement.
    pub const NONE: Self = Self::all(Interval::ZERO);
    /// Contains nothing, not even standing still.
    pub const EMPTY: Self = Self::all(Interval::EMPTY);

    const fn all(interval: Interval) -> Self {
        Self {
            count: interval,
            recent: interval,
            mean_amount: interval,
            mean_minute: interval,
            minute_variance: interval,
        }
    }

    /// Whether this allows everything that `other` may be.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.count.contains(other.count)
            && self.recent.contains(other.recent)
            && self.mean_amount.contains(other.mean_amount)
            && self.mean_minute.contains(other.mean_minute)
            && self.minute_variance.contains(other.minute_variance)
    }

    /// What both allow.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        self.zip(other, Interval::intersect)
    }

    fn zip(&self, other: &Self, combine: impl Fn(Interval, Interval) -> Interval) -> Self {
        Self {
            count: combine(self.count, other.count),
            recent: combine(self.recent, other.recent),
            mean_amount: combine(self.mean_amount, other.mean_amount),
            mean_minute: combine(self.mean_minute, other.mean_minute),
            minute_variance: combine(self.minute_variance, other.minute_variance),
        }
    }
}

/// What is still allowed after a movement of somewhere in `other`.
impl Sub for Movement {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.zip(&other, Interval::sub)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_movements_are_rounded_inwards_and_possible_ones_outwards() {
        let third = 1.0 / 3.0;
        let (allowed, possible) = (Interval::within(-third, third), Interval::around(-third, third));
        assert!(allowed.low() > -third && allowed.high() < third);
        assert!(possible.low() < -third && possible.high() > third);
        assert!(possible.contains(allowed) && !allowed.contains(possible));
    }

    #[test]
    fn standing_still_is_allowed_unless_nothing_is() {
        assert!(Movement::ANY.contains(&Movement::NONE) && Movement::NONE.contains(&Movement::NONE));
        assert!(!Movement::EMPTY.contains(&Movement::NONE));
        let undefined = Movement { mean_amount: Interval::around(f64::NAN, f64::NAN), ..Movement::NONE };
        assert!(!Movement::NONE.contains(&undefined));
        assert!(!Movement::ANY.intersect(&Movement::EMPTY).contains(&Movement::NONE));
    }

    #[test]
    fn what_has_moved_already_is_no_longer_allowed() {
        let rest = Interval::within(-1.0, 2.0) - Interval::around(0.5, 0.75);
        assert!(rest.low() >= -1.5 && rest.low() < -1.4999);
        assert!(rest.high() <= 1.25 && rest.high() > 1.2499);
    }
}
