//! The maintained views: one function each, named like its table, with its question.

use crate::model::timestamp::{DAY, HOUR, MINUTE};
use crate::model::views::{
    DailyFraud, Measure, Minute, QualityKey, RuleDay, RulePerformance, Sales, StoreDay, StoreHour,
    StoreMinute,
};
use crate::model::{Account, BooksEntry, Calendar, Id, Rule, Scored, Settings, Upsert};
use crate::operators::accumulate::{Key, accumulate};
use crate::operators::watermark::ReferenceTime;
use crate::tally::{Observation, Tally, WINDOW};
use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::vec::Map;

/// What the aggregates need of a current, not voided transaction, with the change of its multiplicity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fact {
    store: Id,
    event_time: i64,
    hour_start: i64,
    day: i32,
    alert: bool,
    first_in_minute: bool,
    cents: i64,
    score_thousandths: i64,
    /// The rules that triggered, as bits in the order of [`Rule::ALL`].
    rules: u8,
    diff: i8,
}

impl Fact {
    fn sales(&self) -> Sales {
        let diff = i64::from(self.diff);
        Sales {
            transactions: diff,
            cents: i128::from(self.cents * diff),
            alerts: if self.alert { diff } else { 0 },
        }
    }

    fn minute_start(&self) -> i64 {
        self.event_time - self.event_time.rem_euclid(MINUTE)
    }
}

/// The facts behind the aggregates.
pub fn facts<'s>(
    settings: &Settings,
    scored: VecCollection<'s, u64, Scored, isize>,
) -> StreamVec<'s, u64, Fact> {
    let calendar = Calendar::new(settings.time_zone);
    scored.inner.flat_map(move |(scored, _, diff)| {
        let Scored { transaction, verdict, first_in_minute } = scored;
        let event_time = transaction.event_time;
        (!transaction.voided).then(|| Fact {
            store: transaction.store,
            event_time,
            hour_start: calendar.hour_start(event_time),
            day: calendar.day(event_time),
            alert: verdict.alert,
            first_in_minute,
            cents: transaction.amount.0,
            score_thousandths: i64::from(verdict.score.thousandths()),
            rules: verdict.hits.iter().fold(0, |bits, hit| bits | 1 << hit.rule() as u8),
            diff: diff as i8,
        })
    })
}

/// `gold.agg_hourly_sales`: what did each store sell in each hour?
///
/// ```sql
/// SELECT date_trunc('hour', transaction_at), store_key, count(*), sum(amount), sum(is_fraud::int)
/// FROM gold.fact_transactions GROUP BY 1, 2
/// ```
pub fn agg_hourly_sales<'s>(
    settings: &Settings,
    facts: StreamVec<'s, u64, Fact>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<StoreHour, Sales>> {
    let contributions = facts.map(|fact| {
        let sales = fact.sales();
        (StoreHour { hour_start: fact.hour_start, store: fact.store }, sales)
    });
    accumulate("agg_hourly_sales", settings.correction_horizon, contributions, references)
}

/// `gold.store_performance`: what did each store sell on each day, and how much of it was alerted?
///
/// ```sql
/// SELECT store_key, date_key, count(*), sum(amount), sum(is_fraud::int) FROM gold.fact_transactions GROUP BY 1, 2
/// ```
pub fn store_performance<'s>(
    settings: &Settings,
    facts: StreamVec<'s, u64, Fact>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<StoreDay, Sales>> {
    let contributions = facts.map(|fact| {
        let sales = fact.sales();
        (StoreDay { day: fact.day, store: fact.store }, sales)
    });
    accumulate("store_performance", settings.correction_horizon, contributions, references)
}

/// `gold.agg_daily_fraud`: how much of each day was alerted, and mostly by which rule?
///
/// ```sql
/// SELECT date_key, count(*), sum(is_fraud::int), avg(fraud_score) FILTER (WHERE is_fraud)
/// FROM gold.fact_transactions GROUP BY 1
/// ```
pub fn agg_daily_fraud<'s>(
    settings: &Settings,
    facts: StreamVec<'s, u64, Fact>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<i32, DailyFraud>> {
    let contributions = facts.map(|fact| {
        let diff = i64::from(fact.diff);
        let alerted = if fact.alert { diff } else { 0 };
        let daily = DailyFraud {
            transactions: diff,
            alerts: alerted,
            score_thousandths: alerted * fact.score_thousandths,
            alerts_by_rule: std::array::from_fn(|rule| alerted * i64::from(fact.rules >> rule & 1)),
        };
        (Day(fact.day), daily)
    });
    let days = accumulate("agg_daily_fraud", settings.correction_horizon, contributions, references);
    days.map(|(Day(day), daily)| (day, daily))
}

/// `gold.rule_performance`: how often did each rule trigger on each day, and what came of it?
///
/// ```sql
/// SELECT rule, date_key, count(*), sum(is_fraud::int), sum((is_fraud AND rules = 1)::int), avg(score) FROM hits GROUP BY 1, 2
/// ```
pub fn rule_performance<'s>(
    settings: &Settings,
    scored: VecCollection<'s, u64, Scored, isize>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<RuleDay, RulePerformance>> {
    let calendar = Calendar::new(settings.time_zone);
    let contributions = scored.inner.flat_map(move |(scored, _, diff)| {
        let day = calendar.day(scored.transaction.event_time);
        let diff = diff as i64;
        let alerts = if scored.verdict.alert { diff } else { 0 };
        let alone = if scored.verdict.hits.len() == 1 { alerts } else { 0 };
        let contribution = move |hit: crate::model::Hit| {
            let score_thousandths = diff * i64::from(hit.score.thousandths());
            let performance = RulePerformance { hits: diff, alerts, alone, score_thousandths };
            (RuleDay { day, rule: hit.rule() }, performance)
        };
        scored.verdict.hits.into_iter().map(contribution)
    });
    accumulate("rule_performance", settings.correction_horizon, contributions, references)
}

/// `gold.realtime_metrics`, all stores: what happened in each minute?
///
/// ```sql
/// SELECT date_trunc('minute', transaction_at), count(*), sum(amount), sum(is_fraud::int), count(DISTINCT customer_key)
/// FROM gold.fact_transactions GROUP BY 1
/// ```
pub fn realtime_metrics<'s>(
    settings: &Settings,
    facts: StreamVec<'s, u64, Fact>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<i64, Minute>> {
    let contributions = facts.map(|fact| {
        let customers = if fact.first_in_minute { i64::from(fact.diff) } else { 0 };
        (MinuteStart(fact.minute_start()), Minute { sales: fact.sales(), customers })
    });
    let minutes = accumulate("realtime_metrics", settings.correction_horizon, contributions, references);
    minutes.map(|(MinuteStart(start), minute)| (start, minute))
}

/// `gold.realtime_metrics` by store: what happened in each store in each minute?
///
/// ```sql
/// SELECT date_trunc('minute', transaction_at), store_key, count(*), sum(amount), sum(is_fraud::int)
/// FROM gold.fact_transactions GROUP BY 1, 2
/// ```
pub fn realtime_store_metrics<'s>(
    settings: &Settings,
    facts: StreamVec<'s, u64, Fact>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<StoreMinute, Sales>> {
    let contributions = facts.map(|fact| {
        let sales = fact.sales();
        (StoreMinute { minute_start: fact.minute_start(), store: fact.store }, sales)
    });
    accumulate("realtime_store_metrics", settings.correction_horizon, contributions, references)
}

/// The books: how many events were read from each topic, and where did each of them end?
pub fn books<'s>(
    settings: &Settings,
    tallies: StreamVec<'s, u64, Tally>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<BooksEntry, i64>> {
    let contributions = tallies.flat_map(|tally| {
        let topic = tally.topic;
        let entry = match tally.observation {
            Observation::Read => BooksEntry::Read { topic },
            Observation::Ended(account) => BooksEntry::Ended { topic, account },
            Observation::DeadLetter(reason) => {
                BooksEntry::Ended { topic, account: Account::DeadLetter(reason) }
            }
            _ => return None,
        };
        Some((entry, tally.events))
    });
    accumulate("books", settings.correction_horizon, contributions, references)
}

/// The counts behind `silver.quality_check_results`, by quarter hour of reference time; `tallies` of transaction topics only.
pub fn quality<'s>(
    settings: &Settings,
    tallies: StreamVec<'s, u64, Tally>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<QualityKey, i64>> {
    let contributions = tallies.flat_map(|tally| {
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
        Some((QualityKey { window_start: tally.window_start, measure }, tally.events))
    });
    accumulate("quality", settings.correction_horizon, contributions, references)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Day(i32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct MinuteStart(i64);

impl Key for Day {
    fn closes_at(&self) -> Option<i64> {
        day_end(self.0)
    }
}

impl Key for MinuteStart {
    fn closes_at(&self) -> Option<i64> {
        self.0.checked_add(MINUTE)
    }
}

impl Key for StoreMinute {
    fn closes_at(&self) -> Option<i64> {
        self.minute_start.checked_add(MINUTE)
    }
}

impl Key for StoreHour {
    fn closes_at(&self) -> Option<i64> {
        self.hour_start.checked_add(HOUR)
    }
}

impl Key for StoreDay {
    fn closes_at(&self) -> Option<i64> {
        day_end(self.day)
    }
}

impl Key for RuleDay {
    fn closes_at(&self) -> Option<i64> {
        day_end(self.day)
    }
}

impl Key for QualityKey {
    fn closes_at(&self) -> Option<i64> {
        self.window_start.checked_add(WINDOW)
    }
}

impl Key for BooksEntry {
    fn closes_at(&self) -> Option<i64> {
        None
    }
}

/// An instant at which a local day is over in every time zone.
fn day_end(day: i32) -> Option<i64> {
    Some((i64::from(day) + 3) * DAY)
}

impl AddAssign for Sales {
    fn add_assign(&mut self, other: Self) {
        self.transactions += other.transactions;
        self.cents += other.cents;
        self.alerts += other.alerts;
    }
}

impl AddAssign for Minute {
    fn add_assign(&mut self, other: Self) {
        self.sales += other.sales;
        self.customers += other.customers;
    }
}

impl AddAssign for DailyFraud {
    fn add_assign(&mut self, other: Self) {
        self.transactions += other.transactions;
        self.alerts += other.alerts;
        self.score_thousandths += other.score_thousandths;
        for (count, more) in self.alerts_by_rule.iter_mut().zip(other.alerts_by_rule) {
            *count += more;
        }
    }
}

impl AddAssign for RulePerformance {
    fn add_assign(&mut self, other: Self) {
        self.hits += other.hits;
        self.alerts += other.alerts;
        self.alone += other.alone;
        self.score_thousandths += other.score_thousandths;
    }
}

// The bits of `Fact::rules` follow the declaration of `Rule`.
const _: () = assert!(Rule::Blacklist as u8 == 4);
