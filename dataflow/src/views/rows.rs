//! The rows of the maintained views: keys, and the exact sums from which their SQL columns derive.

use crate::detectors::{Rule, Sums};
use serde::{Deserialize, Serialize};
use streamflow_model::{Id, Reason};

/// Sums over transactions: of `gold.agg_hourly_sales`, `gold.store_performance` and the store windows of
/// `gold.realtime_metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sales {
    /// Current transactions.
    pub transactions: i64,
    /// Their amounts in cents.
    pub cents: i128,
    /// Those alerted.
    pub alerts: i64,
}

/// Key of `gold.agg_hourly_sales`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoreHour {
    /// Start of the local hour, microseconds since 1970.
    pub hour_start: i64,
    /// The store.
    pub store: Id,
}

/// Key of `gold.store_performance`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoreDay {
    /// Local day, days since 1970-01-01.
    pub day: i32,
    /// The store.
    pub store: Id,
}

/// Key of a store's window in `gold.realtime_metrics`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoreMinute {
    /// Start of the minute, microseconds since 1970.
    pub minute_start: i64,
    /// The store.
    pub store: Id,
}

/// Row of a minute over all stores in `gold.realtime_metrics`; its key is the start of the minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Minute {
    /// The sums.
    pub sales: Sales,
    /// Distinct customers.
    pub customers: i64,
}

/// Row of `gold.agg_daily_fraud`; its key is the local day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DailyFraud {
    /// Current transactions.
    pub transactions: i64,
    /// Those alerted.
    pub alerts: i64,
    /// Sum of the alerts' scores in thousandths.
    pub score_thousandths: i64,
    /// Alerts in which each rule took part, in the order of [`Rule::ALL`].
    pub alerts_by_rule: [i64; 5],
}

impl DailyFraud {
    /// The rule in most of the day's alerts; the lowest id of several; none without alerts.
    pub fn top_rule(&self) -> Option<Rule> {
        let most = *self.alerts_by_rule.iter().max()?;
        let place = self.alerts_by_rule.iter().position(|count| *count == most)?;
        (most > 0).then(|| Rule::ALL[place])
    }
}

/// Key of `gold.rule_performance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleDay {
    /// Local day, days since 1970-01-01.
    pub day: i32,
    /// The rule.
    pub rule: Rule,
}

/// Row of `gold.rule_performance`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RulePerformance {
    /// Transactions in which the rule triggered.
    pub hits: i64,
    /// Alerts in which it took part.
    pub alerts: i64,
    /// Alerts in which no other rule took part.
    pub alone: i64,
    /// Sum of its hits' scores in thousandths.
    pub score_thousandths: i64,
}

/// Row of `gold.customer_profile`; its key is the customer. A customer without current transactions has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Profile {
    /// Sums over all current transactions.
    pub sums: Sums,
    /// Event time of the first one, microseconds since 1970.
    pub first_seen: i64,
    /// Event time of the last one, microseconds since 1970.
    pub last_seen: i64,
    /// Those alerted.
    pub alerts: u64,
}

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
    /// Accepted events more than a minute behind their partition's reference time.
    Late,
    /// Duplicates.
    Duplicate,
    /// Dead letters for a reason.
    DeadLetter(Reason),
}

/// Key of a data-quality count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QualityKey {
    /// Start of the quarter hour of reference time, microseconds since 1970.
    pub window_start: i64,
    /// What is counted.
    pub measure: Measure,
}
