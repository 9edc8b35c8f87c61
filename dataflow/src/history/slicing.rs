//! Slices of event time: a history folds a slice at once.

use streamflow_model::timestamp::SECOND;

/// Slices in a horizon. Fewer keep more entries beyond the horizon; more visit each customer more often.
const SLICES: i64 = 64;

/// How event time is cut into slices.
#[derive(Clone, Copy, Debug)]
pub struct Slicing {
    /// In microseconds.
    length: i64,
}

impl Slicing {
    /// The slices of a horizon in microseconds.
    #[must_use]
    pub fn new(horizon: i64) -> Self {
        Self { length: (horizon / SLICES).max(SECOND) }
    }

    /// Number of the slice of an event time, microseconds since 1970.
    pub(super) fn slice(self, event_time: i64) -> i64 {
        event_time.div_euclid(self.length)
    }

    /// Start of a slice, microseconds since 1970.
    pub(super) fn start(self, slice: i64) -> i64 {
        slice.saturating_mul(self.length)
    }

    /// With transactions before `settled` final, those before this event time are folded: whole slices only.
    #[must_use]
    pub fn folded_before(self, settled: i64) -> i64 {
        self.start(self.slice(settled))
    }
}
