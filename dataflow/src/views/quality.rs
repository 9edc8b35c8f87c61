//! The counts behind `silver.quality_check_results`, by quarter hour of partition time.

use crate::operators::Upsert;
use crate::operators::forgetting::Forgetting;
use crate::operators::sums::Key;
use crate::tally::{Observation, Tally, WINDOW};
use serde::{Deserialize, Serialize};
use streamflow_model::{Account, Reason};
use timely::dataflow::StreamVec;

/// What a data-quality check counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Measure {
    /// Events read from transaction topics.
    Read,
    /// Events accepted.
    Accepted,
    /// Accepted events without a place.
    NoPlace,
    /// Accepted events without a product.
    NoProduct,
    /// Accepted events without a payment method.
    NoPaymentMethod,
    /// Accepted events of a newer schema version.
    NewerSchema,
    /// Events whose amount is invalid.
    InvalidAmount,
    /// Accepted events more than a minute behind their partition time.
    Late,
    /// Duplicates.
    Duplicate,
    /// Dead letters for a reason.
    DeadLetter(Reason),
}

/// Key of a data-quality count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QualityKey {
    /// Start of the quarter hour of partition time, microseconds since 1970.
    pub window_start: i64,
    /// What is counted.
    pub measure: Measure,
}

impl Key for QualityKey {
    fn closes_at(&self) -> Option<i64> {
        self.window_start.checked_add(WINDOW)
    }
}

/// Maintains the counts; `tallies` are those of transaction topics.
pub fn quality<'s>(
    forgetting: &Forgetting,
    restored: StreamVec<'s, u64, Upsert<QualityKey, i64>>,
    tallies: StreamVec<'s, u64, Tally>,
) -> StreamVec<'s, u64, Upsert<QualityKey, i64>> {
    super::maintain_counts("quality", forgetting, restored, tallies, key)
}

fn key(tally: &Tally) -> Option<QualityKey> {
    let measure = match tally.observation {
        Observation::Read => Measure::Read,
        Observation::NoPlace => Measure::NoPlace,
        Observation::NoProduct => Measure::NoProduct,
        Observation::NoPaymentMethod => Measure::NoPaymentMethod,
        Observation::NewerSchema => Measure::NewerSchema,
        Observation::InvalidAmount => Measure::InvalidAmount,
        Observation::Late => Measure::Late,
        Observation::Ended(Account::Duplicate) => Measure::Duplicate,
        Observation::Ended(Account::New | Account::Correcting | Account::Voiding) => Measure::Accepted,
        Observation::Ended(_) => return None,
        Observation::DeadLetter(reason) => Measure::DeadLetter(reason),
    };
    Some(QualityKey { window_start: tally.window_start, measure })
}
