//! Latencies from the records' own time to their commit.

use crate::histogram::{Histogram, LATENCY_BOUNDS};
use std::time::{Duration, Instant};

/// The least time for which the recent ones go back; at most twice that.
const RECENT: Duration = Duration::from_secs(60);

/// Latencies above it count as it, ms: a day.
const LONGEST: u64 = 86_400_000;

/// Latencies in ms, exact to two digits.
type Exact = hdrhistogram::Histogram<u64>;

/// Latencies, exact to two digits and by bucket.
pub struct Latencies {
    exact: Option<Exact>,
    /// What [`Latencies::exact`] was when recent ones began, then what it was halfway.
    before: [Option<Exact>; 2],
    turned: Instant,
    buckets: Histogram,
}

/// Some latencies in short, ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencySummary {
    /// How many there were.
    pub count: u64,
    /// The median.
    pub p50: u64,
    /// What 99 of 100 do not exceed.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            exact: Exact::new_with_max(LONGEST, 2).ok(),
            before: [None, None],
            turned: Instant::now(),
            buckets: Histogram::new(&LATENCY_BOUNDS),
        }
    }
}

impl Latencies {
    /// Adds a latency in ms; below zero, where clocks differ, it counts as zero.
    pub fn add(&mut self, millis: i64) {
        let millis = u64::try_from(millis).unwrap_or(0);
        if let Some(exact) = &mut self.exact {
            exact.saturating_record(millis);
        }
        self.buckets.add(millis as f64 / 1000.0);
    }

    /// The latency, in ms, that the fraction `quantile` does not exceed; `None` without any.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let exact = self.exact.as_ref().filter(|exact| !exact.is_empty())?;
        Some(exact.value_at_quantile(quantile))
    }

    /// Drops latencies that are no longer recent. Call it at intervals.
    pub fn turn(&mut self, now: Instant) {
        if now.saturating_duration_since(self.turned) >= RECENT {
            self.turned = now;
            self.before.swap(0, 1);
            self.before[1].clone_from(&self.exact);
        }
    }

    /// Those of the last minute or two; `None` without any.
    pub fn recent(&self) -> Option<LatencySummary> {
        let mut recent = self.exact.clone()?;
        if let [Some(before), _] = &self.before {
            recent.subtract(before).ok()?;
        }
        let quantile = |quantile| recent.value_at_quantile(quantile);
        let summary = LatencySummary {
            count: recent.len(),
            p50: quantile(0.5),
            p99: quantile(0.99),
            max: recent.max(),
        };
        (summary.count > 0).then_some(summary)
    }

    /// Latencies by bucket, seconds.
    pub fn buckets(&self) -> &Histogram {
        &self.buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_forgotten_after_two_minutes() {
        let (mut latencies, begun) = (Latencies::default(), Instant::now());
        assert_eq!(latencies.recent(), None);
        latencies.add(90_000);
        (0..99).for_each(|_| latencies.add(7));
        let Some(LatencySummary { count: 100, p50: 7, p99: 7, max }) = latencies.recent() else {
            panic!("{:?}", latencies.recent())
        };
        assert!((90_000..91_000).contains(&max), "{max}");
        latencies.turn(begun + RECENT);
        assert!(latencies.recent().is_some_and(|recent| recent.max == max));
        latencies.add(3);
        latencies.turn(begun + RECENT * 2);
        assert_eq!(latencies.recent(), Some(LatencySummary { count: 1, p50: 3, p99: 3, max: 3 }));
        latencies.turn(begun + RECENT * 3);
        assert_eq!((latencies.recent(), latencies.buckets().count()), (None, 101));
    }
}
