//! The open loop: when each event is due, whatever has become of those before.
//!
//! Who sends the next event only when the system has taken the last one measures nothing while the system
//! stands still (coordinated omission). Here an event is due at its time, and what is late counts from then.

use std::time::{Duration, Instant};

/// Microseconds since a beginning: one clock for all threads of a run.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Microseconds since the beginning.
    pub fn now(&self) -> i64 {
        i64::try_from(self.0.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    /// Waits until a time; returns how late it is, microseconds: 0 where it had to wait.
    pub fn wait_until(&self, time: i64) -> i64 {
        let early = time - self.now();
        if let Ok(early @ 1..) = u64::try_from(early) {
            std::thread::sleep(Duration::from_micros(early));
        }
        (self.now() - time).max(0)
    }
}

/// Events at equal distances.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    start: i64,
    rate: f64,
}

impl Schedule {
    /// The first event is due at `start`, microseconds; `rate` events a second.
    pub fn new(start: i64, rate: f64) -> Self {
        Self { start, rate }
    }

    /// When an event is due, microseconds.
    pub fn due(&self, number: u64) -> i64 {
        self.start + (number as f64 * 1e6 / self.rate) as i64
    }

    /// How many events are due by then.
    pub fn due_by(&self, time: i64) -> u64 {
        if time < self.start {
            return 0;
        }
        ((time - self.start) as f64 * self.rate / 1e6) as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_due_at_equal_distances_for_ever() {
        let schedule = Schedule::new(1_000_000, 2_000.0);
        assert_eq!([0, 1, 2000].map(|number| schedule.due(number)), [1_000_000, 1_000_500, 2_000_000]);
        // Distances that are no whole microseconds do not add up errors.
        let odd = Schedule::new(0, 3_000.0);
        assert_eq!(odd.due(3_000_000_000), 1_000_000_000_000);
    }

    #[test]
    fn an_event_is_due_by_its_time_and_not_before() {
        let schedule = Schedule::new(500, 1_000.0);
        assert_eq!([0, 499, 500, 1_499, 1_500].map(|time| schedule.due_by(time)), [0, 0, 1, 1, 2]);
    }

    #[test]
    fn an_event_that_is_late_is_not_waited_for() {
        let clock = Clock(Instant::now() - Duration::from_secs(3_600));
        assert!(clock.wait_until(0) >= 3_600_000_000);
    }
}
