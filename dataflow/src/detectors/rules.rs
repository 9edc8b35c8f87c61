//! The parameters of the detectors and of the score.

use serde::{Deserialize, Serialize};
use streamflow_model::Thousandths;
use streamflow_model::timestamp::SECOND;

/// All parameters of scoring. Defaults are those of the specification.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// The combined score from which a transaction is alerted, 0 to 1.
    pub alert_threshold: Thousandths,
    /// FR-001.
    pub high_value: HighValue,
    /// FR-002.
    pub velocity: Velocity,
    /// FR-003.
    pub impossible_travel: ImpossibleTravel,
    /// FR-004.
    pub unusual_hour: UnusualHour,
    /// FR-005.
    pub blacklist: Blacklist,
}

/// FR-001: amount > multiple * mean of at least `minimum_history` earlier transactions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HighValue {
    /// Weight in the combined score.
    pub weight: Thousandths,
    /// Earlier transactions needed.
    pub minimum_history: u32,
    /// How many times the mean is too much.
    pub multiple: Thousandths,
}

/// FR-002: more than `limit` transactions within `window_seconds`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Velocity {
    /// Weight in the combined score.
    pub weight: Thousandths,
    /// Transactions that are still normal.
    pub limit: u32,
    /// Length of the window in seconds.
    pub window_seconds: u32,
}

/// FR-003: more than `distance_km` within `within_seconds`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImpossibleTravel {
    /// Weight in the combined score.
    pub weight: Thousandths,
    /// Kilometres that are still possible.
    pub distance_km: Thousandths,
    /// Seconds that the two transactions may lie apart.
    pub within_seconds: u32,
    /// Kilometres at which the score is 1.
    pub full_score_km: Thousandths,
}

/// FR-004: a minute of the day more than `deviations` standard deviations off the mean.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnusualHour {
    /// Weight in the combined score.
    pub weight: Thousandths,
    /// Earlier transactions needed.
    pub minimum_history: u32,
    /// Standard deviations that are still normal.
    pub deviations: Thousandths,
}

/// FR-005: customer or store listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Blacklist {
    /// Weight in the combined score.
    pub weight: Thousandths,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            alert_threshold: Thousandths(700),
            high_value: HighValue::default(),
            velocity: Velocity::default(),
            impossible_travel: ImpossibleTravel::default(),
            unusual_hour: UnusualHour::default(),
            blacklist: Blacklist::default(),
        }
    }
}

impl Default for HighValue {
    fn default() -> Self {
        Self { weight: Thousandths(300), minimum_history: 5, multiple: Thousandths(3000) }
    }
}

impl Default for Velocity {
    fn default() -> Self {
        Self { weight: Thousandths(250), limit: 5, window_seconds: 600 }
    }
}

impl Default for ImpossibleTravel {
    fn default() -> Self {
        Self {
            weight: Thousandths(200),
            distance_km: Thousandths(500_000),
            within_seconds: 3600,
            full_score_km: Thousandths(1_000_000),
        }
    }
}

impl Default for UnusualHour {
    fn default() -> Self {
        Self { weight: Thousandths(150), minimum_history: 5, deviations: Thousandths(2000) }
    }
}

impl Default for Blacklist {
    fn default() -> Self {
        Self { weight: Thousandths(100) }
    }
}

impl Velocity {
    /// The window's length in microseconds.
    pub fn window(&self) -> i64 {
        i64::from(self.window_seconds) * SECOND
    }
}

impl ImpossibleTravel {
    /// The time that the two transactions may lie apart in microseconds.
    pub fn within(&self) -> i64 {
        i64::from(self.within_seconds) * SECOND
    }
}

impl Rules {
    /// What is wrong with the parameters, if anything: the key, its value and what is allowed.
    pub fn problem(&self) -> Option<String> {
        let limits = [
            ("alert_threshold", self.alert_threshold.0, 1, 1000),
            ("high_value.weight", self.high_value.weight.0, 0, 1000),
            ("velocity.weight", self.velocity.weight.0, 0, 1000),
            ("impossible_travel.weight", self.impossible_travel.weight.0, 0, 1000),
            ("unusual_hour.weight", self.unusual_hour.weight.0, 0, 1000),
            ("blacklist.weight", self.blacklist.weight.0, 0, 1000),
            ("high_value.multiple", self.high_value.multiple.0, 1, 1_000_000),
            ("impossible_travel.distance_km", self.impossible_travel.distance_km.0, 0, 20_040_000),
            ("impossible_travel.full_score_km", self.impossible_travel.full_score_km.0, 1, 20_040_000),
            ("unusual_hour.deviations", self.unusual_hour.deviations.0, 1, 100_000),
        ];
        let decimal = limits.iter().find(|(_, value, low, high)| !(low..=high).contains(&value));
        if let Some((key, value, low, high)) = decimal {
            let show = |value: u32| Thousandths(value).to_string();
            return Some(format!("{key} = {}: must be {} to {}", show(*value), show(*low), show(*high)));
        }
        let counts = [
            ("high_value.minimum_history", self.high_value.minimum_history, 1, 1_000_000),
            ("unusual_hour.minimum_history", self.unusual_hour.minimum_history, 2, 1_000_000),
            ("velocity.limit", self.velocity.limit, 1, 1_000_000),
            ("velocity.window_seconds", self.velocity.window_seconds, 1, 86_400),
            ("impossible_travel.within_seconds", self.impossible_travel.within_seconds, 1, 86_400),
        ];
        let count = counts.iter().find(|(_, value, low, high)| !(low..=high).contains(&value));
        count.map(|(key, value, low, high)| format!("{key} = {value}: must be {low} to {high}"))
    }
}

/// A change of the rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RulesChange {
    /// The event time from which transactions are judged by them, microseconds since 1970.
    pub applies_from: i64,
    /// The new rules.
    pub rules: Rules,
}
