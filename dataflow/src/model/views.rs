//! The rows of the maintained views: keys, and the exact sums from which their SQL columns derive.

use super::rules::Rules;
use super::{
    AlertChange, BooksEntry, Customer, DeadLetter, Id, ListChange, PartitionId, Product, Received, Rule,
    RulesChange,
};
use super::{Scored, Store, Sums};
use serde::{Deserialize, Serialize};

/// The new row of a key; `None` removes it. Within one stream the last one of a key counts.
pub type Upsert<K, V> = (K, Option<V>);

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
    DeadLetter(super::Reason),
}

/// Key of a data-quality count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QualityKey {
    /// Start of the quarter hour of reference time, microseconds since 1970.
    pub window_start: i64,
    /// What is counted.
    pub measure: Measure,
}

/// How far a partition has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionProgress {
    /// The partition.
    pub partition: PartitionId,
    /// The offset to read next.
    pub next_offset: u64,
    /// The largest record timestamp read, microseconds since 1970; `None` before the first.
    pub reference_time: Option<i64>,
}

/// One change of one view: what sinks receive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ViewChange {
    /// `bronze.raw_transactions` gains a row.
    Received(Received),
    /// `bronze.dead_letters` gains a row.
    DeadLetter(DeadLetter),
    /// `bronze.raw_fraud_alerts` gains a row; `gold.fact_fraud_alerts` follows.
    AlertChange(AlertChange),
    /// A transaction's row loses (-1) or gains (+1) a version. A transaction never leaves: each -1 is followed by a +1.
    Scored(Scored, i8),
    /// `gold.customer_profile`.
    Profile(Upsert<Id, Profile>),
    /// `gold.agg_hourly_sales`.
    HourlySales(Upsert<StoreHour, Sales>),
    /// `gold.store_performance`.
    StorePerformance(Upsert<StoreDay, Sales>),
    /// `gold.agg_daily_fraud`.
    DailyFraud(Upsert<i32, DailyFraud>),
    /// `gold.rule_performance`.
    RulePerformance(Upsert<RuleDay, RulePerformance>),
    /// `gold.realtime_metrics`, all stores.
    Minute(Upsert<i64, Minute>),
    /// `gold.realtime_metrics`, one store.
    StoreMinute(Upsert<StoreMinute, Sales>),
    /// `silver.quality_check_results`, the counts behind it.
    Quality(Upsert<QualityKey, i64>),
    /// The books.
    Books(Upsert<BooksEntry, i64>),
    /// `silver.customers`, `gold.dim_customer`.
    Customer(Upsert<Id, Customer>),
    /// `silver.stores`, `gold.dim_store`.
    Store(Upsert<Id, Store>),
    /// `silver.products`, `gold.dim_product`.
    Product(Upsert<Id, Product>),
    /// `silver.blacklist`: a version more of an entity's entry.
    ListChange(ListChange),
    /// `streamflow.rules`: a version more of the rules.
    RulesChange(RulesChange),
    /// `streamflow.progress`.
    Progress(PartitionProgress),
    /// The smallest reference time of all partitions, microseconds since 1970: what lies a horizon behind it is final.
    Watermark(i64),
}

/// What the views depend on beside the events.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How far behind its partition's reference time an event is still accepted, microseconds.
    pub correction_horizon: i64,
    /// How long ids are remembered beyond the horizon, microseconds.
    pub identity_retention: i64,
    /// How far past its record's time an event may lie, microseconds.
    pub future_allowance: i64,
    /// The zone of local days and hours.
    pub time_zone: chrono_tz::Tz,
    /// The rules at the start.
    pub rules: Rules,
    /// Record time of the last line that a file can have, microseconds since 1970: stands in for the broker's clock.
    pub file_now: i64,
}

impl Default for Settings {
    fn default() -> Self {
        use super::timestamp::{HOUR, MINUTE};
        Self {
            correction_horizon: HOUR,
            identity_retention: HOUR,
            future_allowance: 5 * MINUTE,
            time_zone: chrono_tz::America::Sao_Paulo,
            rules: Rules::default(),
            file_now: i64::MAX - HOUR,
        }
    }
}
