//! A detector's hit and its evidence: the numbers it compared.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use streamflow_model::timestamp::{MINUTE, Rfc3339};
use streamflow_model::{Cents, Entity, Id, ListEntry, Score};

/// The five detectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Rule {
    /// FR-001: an amount far above the customer's mean.
    HighValue,
    /// FR-002: many transactions in a short time.
    Velocity,
    /// FR-003: two places too far apart for the time between.
    ImpossibleTravel,
    /// FR-004: a time of day that the customer does not use.
    UnusualHour,
    /// FR-005: a listed customer or store.
    Blacklist,
}

impl Rule {
    /// All rules in the order of their ids.
    pub const ALL: [Self; 5] =
        [Self::HighValue, Self::Velocity, Self::ImpossibleTravel, Self::UnusualHour, Self::Blacklist];

    /// The id that users see.
    pub fn id(self) -> &'static str {
        match self {
            Self::HighValue => "FR-001",
            Self::Velocity => "FR-002",
            Self::ImpossibleTravel => "FR-003",
            Self::UnusualHour => "FR-004",
            Self::Blacklist => "FR-005",
        }
    }
}

/// A detector that triggered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hit {
    /// Its score, above 0 and at most 1.
    pub score: Score,
    /// What it saw.
    pub evidence: Evidence,
}

/// The numbers that a detector compared, as integers, so that hits compare exactly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Evidence {
    /// The amount against the mean of the earlier ones.
    HighValue {
        /// Amount of the transaction.
        amount: Cents,
        /// Mean of the earlier amounts, rounded to the cent.
        mean: Cents,
        /// Number of earlier transactions.
        count: u64,
    },
    /// The transactions in the window that ends with this one.
    Velocity {
        /// Transactions in the window, this one included.
        count: u64,
        /// Length of the window in microseconds.
        window: i64,
    },
    /// The latest earlier transaction with a place.
    ImpossibleTravel {
        /// Distance in metres.
        metres: i64,
        /// Time between the two in microseconds.
        elapsed: i64,
        /// The other transaction.
        previous: Id,
    },
    /// The minute of the local day against the earlier ones.
    UnusualHour {
        /// Minute of the local day.
        minute: u16,
        /// abs(minute - mean) / standard deviation, in thousandths.
        z: i64,
        /// Mean minute in hundredths.
        mean: i64,
        /// Sample standard deviation in hundredths of a minute.
        deviation: i64,
        /// Number of earlier transactions.
        count: u64,
    },
    /// The list entry that was in force.
    Blacklist {
        /// Who is listed.
        entity: Entity,
        /// The entry.
        entry: ListEntry,
    },
}

impl Hit {
    /// The detector.
    pub fn rule(&self) -> Rule {
        match self.evidence {
            Evidence::HighValue { .. } => Rule::HighValue,
            Evidence::Velocity { .. } => Rule::Velocity,
            Evidence::ImpossibleTravel { .. } => Rule::ImpossibleTravel,
            Evidence::UnusualHour { .. } => Rule::UnusualHour,
            Evidence::Blacklist { .. } => Rule::Blacklist,
        }
    }

    /// The hit as it stands in `rule_details`: score to 3 decimals, money as text, times in RFC 3339.
    pub fn details(&self) -> Value {
        let score = thousandths(i64::from(self.score.thousandths()));
        match &self.evidence {
            Evidence::HighValue { amount, mean, count } => json!({
                "score": score, "amount": amount.to_string(), "mean": mean.to_string(), "count": count,
            }),
            Evidence::Velocity { count, window } => json!({
                "score": score, "count": count, "window_minutes": *window as f64 / MINUTE as f64,
            }),
            Evidence::ImpossibleTravel { metres, elapsed, previous } => json!({
                "score": score, "km": thousandths(*metres),
                "minutes": hundredths(elapsed * 100 / MINUTE), "previous_transaction_id": previous,
            }),
            Evidence::UnusualHour { minute, z, mean, deviation, count } => json!({
                "score": score, "minute": minute, "z": thousandths(*z), "mean": hundredths(*mean),
                "std": hundredths(*deviation), "count": count,
            }),
            Evidence::Blacklist { entity, entry } => json!({
                "score": score, "entity": entity.kind(), "id": entity.id(), "reason": entry.reason,
                "valid_from": entry.valid_from.map(|at| Rfc3339(at).to_string()),
                "expires_at": entry.expires_at.map(|at| Rfc3339(at).to_string()),
            }),
        }
    }
}

fn thousandths(value: i64) -> f64 {
    value as f64 / 1000.0
}

fn hundredths(value: i64) -> f64 {
    value as f64 / 100.0
}
