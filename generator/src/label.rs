//! The truth about injected fraud, kept beside the traffic and never inside it.

use serde::{Deserialize, Serialize};

/// Kind of fraud, one for each detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// An amount far above the customer's mean.
    HighValue,
    /// A burst of payments.
    Velocity,
    /// Two payments too far apart for the time between them.
    ImpossibleTravel,
    /// A payment at an hour the customer never shops.
    UnusualHour,
    /// A listed customer, or a payment at a listed store.
    Blacklist,
    /// A few tiny payments, then a large one.
    CardTesting,
}

impl Pattern {
    /// The patterns of the detectors that are on by default, in the order of their ids.
    pub const USUAL: [Self; 5] =
        [Self::HighValue, Self::Velocity, Self::ImpossibleTravel, Self::UnusualHour, Self::Blacklist];
}

/// Marks a transaction as injected fraud. As JSON:
/// `{"transaction_id":"txn-...","pattern":"velocity","episode":7}`.
///
/// Every transaction of an episode is labelled, also those that only prepare it: the first five of a
/// burst, the nearer one of two distant payments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The injected transaction.
    pub transaction_id: String,
    /// The kind of fraud.
    pub pattern: Pattern,
    /// Number of the episode, from 1, unique within the traffic.
    pub episode: u64,
}

/// A label whose transaction has no id yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) pattern: Pattern,
    pub(crate) episode: u64,
}
