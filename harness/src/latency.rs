//! Latencies in a histogram with three significant digits.

use crate::report::Latency;
use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

/// An hour; what takes longer counts as this.
const LONGEST: u64 = 3_600_000_000;

const SIGNIFICANT_DIGITS: u8 = 3;

/// Collects latencies.
#[derive(Clone, Debug)]
pub struct Recorder(Histogram<u64>);

impl Recorder {
    /// An empty one.
    ///
    /// # Errors
    /// None with these bounds.
    pub fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LONGEST, SIGNIFICANT_DIGITS)?))
    }

    /// Adds a latency, microseconds. What happened before it was due took no time.
    pub fn add(&mut self, microseconds: i64) {
        self.0.saturating_record(u64::try_from(microseconds).unwrap_or(0));
    }

    /// So many percent are at most this, microseconds; within three digits.
    pub fn percentile(&self, percent: f64) -> u64 {
        self.0.value_at_percentile(percent).min(self.0.max())
    }

    /// The percentiles and the whole histogram.
    ///
    /// # Errors
    /// The histogram cannot be encoded.
    pub fn latency(&self) -> Result<Latency> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.0, &mut bytes)?;
        Ok(Latency {
            count: self.0.len(),
            p50: self.percentile(50.0),
            p90: self.percentile(90.0),
            p99: self.percentile(99.0),
            p99_9: self.percentile(99.9),
            max: self.0.max(),
            histogram: STANDARD.encode(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::Deserializer;

    #[test]
    fn percentiles_are_those_of_the_values() {
        let mut recorder = Recorder::new().unwrap();
        (1..=2047).for_each(|value| recorder.add(value));
        let latency = recorder.latency().unwrap();
        let Latency { count, p50, p90, p99, p99_9, max, .. } = latency;
        assert_eq!([count, p50, p90, p99, p99_9, max], [2047, 1024, 1843, 2027, 2045, 2047]);
    }

    #[test]
    fn what_was_early_took_no_time_and_what_takes_for_ever_an_hour() {
        let mut recorder = Recorder::new().unwrap();
        recorder.add(-5);
        assert_eq!(recorder.percentile(100.0), 0);
        recorder.add(i64::MAX);
        let hour = recorder.percentile(100.0);
        assert!(hour.abs_diff(LONGEST) <= LONGEST / 1000, "{hour}");
    }

    #[test]
    fn the_whole_histogram_can_be_read_back() {
        let mut recorder = Recorder::new().unwrap();
        [3, 70_000, 8_000_000].into_iter().for_each(|value| recorder.add(value));
        let bytes = STANDARD.decode(recorder.latency().unwrap().histogram).unwrap();
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        assert_eq!(read, recorder.0);
    }

    #[test]
    fn nothing_has_no_latency() {
        let latency = Recorder::new().unwrap().latency().unwrap();
        assert_eq!((latency.count, latency.p50, latency.max), (0, 0, 0));
    }
}
