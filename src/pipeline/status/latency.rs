//! Latencies from the records' own time to their commit.

use crate::histogram::Histogram;

/// Upper bounds of latencies, seconds.
pub const LATENCY_BOUNDS: [f64; 17] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// Latencies, exact to two digits and by bucket.
pub struct Latencies {
    exact: Option<hdrhistogram::Histogram<u64>>,
    buckets: Histogram,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { exact: hdrhistogram::Histogram::new(2).ok(), buckets: Histogram::new(&LATENCY_BOUNDS) }
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

    /// Latencies by bucket, seconds.
    pub fn buckets(&self) -> &Histogram {
        &self.buckets
    }
}
