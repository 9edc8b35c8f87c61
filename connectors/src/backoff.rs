//! Pauses between retries: exponential, with jitter, so that several clients do not retry at the same time.

use std::time::Duration;

/// Grows with each pause; start a new one after a success.
pub struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    /// Pauses from `min` to `max`.
    pub fn new(min: Duration, max: Duration) -> Self {
        Self { next: min.min(max), max }
    }

    /// The next pause, between half and all of the nominal one.
    pub fn pause(&mut self) -> Duration {
        let nominal = self.next;
        self.next = (nominal * 2).min(self.max);
        nominal.mul_f64(rand::random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_limit() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(35));
        for nominal in [10, 20, 35, 35] {
            let pause = backoff.pause();
            let nominal = Duration::from_millis(nominal);
            assert!(pause <= nominal && pause * 2 >= nominal, "{pause:?}");
        }
    }
}
