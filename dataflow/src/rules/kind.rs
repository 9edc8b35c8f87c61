//! What a rule looks for: one of the detectors, with its parameters.

use crate::detectors::Detector;
use crate::detectors::blacklist::Blacklist;
use crate::detectors::card_testing::CardTesting;
use crate::detectors::expression::ExpressionRule;
use crate::detectors::high_value::HighValue;
use crate::detectors::impossible_travel::ImpossibleTravel;
use crate::detectors::unusual_hour::UnusualHour;
use crate::detectors::velocity::Velocity;
use serde::{Deserialize, Serialize};

/// A detector with its parameters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// An amount far above the customer's mean.
    HighValue(HighValue),
    /// Many transactions in a short time.
    Velocity(Velocity),
    /// Two places too far apart for the time between.
    ImpossibleTravel(ImpossibleTravel),
    /// A time of day that the customer does not use.
    UnusualHour(UnusualHour),
    /// A listed customer or store.
    Blacklist(Blacklist),
    /// Small transactions, then a large one.
    CardTesting(CardTesting),
    /// What an analyst has written.
    Expression(ExpressionRule),
}

impl Kind {
    /// The detector.
    pub fn detector(&self) -> &dyn Detector {
        match self {
            Self::HighValue(detector) => detector,
            Self::Velocity(detector) => detector,
            Self::ImpossibleTravel(detector) => detector,
            Self::UnusualHour(detector) => detector,
            Self::Blacklist(detector) => detector,
            Self::CardTesting(detector) => detector,
            Self::Expression(detector) => detector,
        }
    }
}
