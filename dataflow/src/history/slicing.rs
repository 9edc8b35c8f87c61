//! Slices of event time: what a history folds together.

use streamflow_model::timestamp::SECOND;

/// Slices in a horizon: fewer keep more beyond it, more look at each customer more often.
const SLICES: i64 = 64;

/// How event time is cut into slices.
#[derive(Clone, Copy, Debug)]
pub struct Slicing {
    /// Microseconds.
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

    /// Where a slice begins, microseconds since 1970.
    pub(super) fn start(self, slice: i64) -> i64 {
        slice.saturating_mul(self.length)
    }

    /// Where transactions before `settled` are final, those before this event time are folded: whole slices only.
    #[must_use]
    pub fn folded_before(self, settled: i64) -> i64 {
        self.start(self.slice(settled))
    }
}
