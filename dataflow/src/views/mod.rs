//! The maintained views: one function each, named like its table, with its question.

pub mod rows;

use crate::changes::{Upsert, ViewChange};
use crate::detectors::Rule;
use crate::operators::accumulate::{Key, accumulate};
use crate::operators::combine::Combined;
use crate::operators::watermark::ReferenceTime;
use crate::score::{Scored, Verdict};
use crate::settings::Settings;
use crate::tally::{Observation, Tally, WINDOW};
use crate::views::rows::{
    DailyFraud, Measure, Minute, QualityKey, RuleDay, RulePerformance, Sales, StoreDay, StoreHour,
    StoreMinute,
};
use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;
use streamflow_model::timestamp::{DAY, HOUR, MINUTE};
use streamflow_model::{Account, BooksEntry, Calendar, Id, Transaction};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Map;

/// What current, not voided transactions contribute to the aggregates: a value for each key, negative for what was.
pub struct Contributions<'s> {
    /// To a store's hour.
    pub store_hours: StreamVec<'s, u64, (StoreHour, Sales)>,
    /// To a store's day.
    pub store_days: StreamVec<'s, u64, (StoreDay, Sales)>,
    /// To a day.
    pub days: StreamVec<'s, u64, (Day, DailyFraud)>,
    /// Of each hit, to its rule's day.
    pub rule_days: StreamVec<'s, u64, (RuleDay, RulePerformance)>,
    /// To a minute.
    pub minutes: StreamVec<'s, u64, (MinuteStart, Minute)>,
    /// To a store's minute.
    pub store_minutes: StreamVec<'s, u64, (StoreMinute, Sales)>,
}

/// What the tables hold where a graph goes on.
pub struct Restored<'s> {
    /// The sums of the aggregates.
    pub sums: Contributions<'s>,
    /// Events of each account.
    pub books: StreamVec<'s, u64, (BooksEntry, i64)>,
    /// What the data-quality checks counted.
    pub quality: StreamVec<'s, u64, (QualityKey, i64)>,
}

/// The rows of each view among `rows`.
pub fn restored<'s>(rows: &StreamVec<'s, u64, ViewChange>) -> Restored<'s> {
    let sums = Contributions {
        store_hours: pick(rows, |row| match row {
            ViewChange::HourlySales((key, sum)) => Some((key, sum?)),
            _ => None,
        }),
        store_days: pick(rows, |row| match row {
            ViewChange::StorePerformance((key, sum)) => Some((key, sum?)),
            _ => None,
        }),
        days: pick(rows, |row| match row {
            ViewChange::DailyFraud((day, sum)) => Some((Day(day), sum?)),
            _ => None,
        }),
        rule_days: pick(rows, |row| match row {
            ViewChange::RulePerformance((key, sum)) => Some((key, sum?)),
            _ => None,
        }),
        minutes: pick(rows, |row| match row {
            ViewChange::Minute((start, sum)) => Some((MinuteStart(start), sum?)),
            _ => None,
        }),
        store_minutes: pick(rows, |row| match row {
            ViewChange::StoreMinute((key, sum)) => Some((key, sum?)),
            _ => None,
        }),
    };
    let books = pick(rows, |row| match row {
        ViewChange::Books((entry, events)) => Some((entry, events?)),
        _ => None,
    });
    let quality = pick(rows, |row| match row {
        ViewChange::Quality((key, events)) => Some((key, events?)),
        _ => None,
    });
    Restored { sums, books, quality }
}

fn pick<'s, K: Clone + 'static, V: Clone + 'static>(
    rows: &StreamVec<'s, u64, ViewChange>,
    row: impl Fn(ViewChange) -> Option<(K, V)> + 'static,
) -> StreamVec<'s, u64, (K, V)> {
    rows.clone().flat_map(row)
}

/// The contributions of each scored transaction: one operator for all, so that a transaction is looked at once.
pub fn contributions<'s>(
    settings: &Settings,
    scored: VecCollection<'s, u64, Scored, isize>,
) -> Contributions<'s> {
    let mut builder = OperatorBuilder::new("contributions".to_owned(), scored.inner.scope());
    let mut input = builder.new_input(scored.inner, Pipeline);
    let (hours_out, store_hours) = builder.new_output();
    let (store_days_out, store_days) = builder.new_output();
    let (days_out, days) = builder.new_output();
    let (rules_out, rule_days) = builder.new_output();
    let (minutes_out, minutes) = builder.new_output();
    let (store_minutes_out, store_minutes) = builder.new_output();
    let mut batch = Batch::new(settings);
    builder.build(move |_| {
        let mut hours_out = OutputBuilder::<_, Buffer<_>>::from(hours_out);
        let mut store_days_out = OutputBuilder::<_, Buffer<_>>::from(store_days_out);
        let mut days_out = OutputBuilder::<_, Buffer<_>>::from(days_out);
        let mut rules_out = OutputBuilder::<_, Buffer<_>>::from(rules_out);
        let mut minutes_out = OutputBuilder::<_, Buffer<_>>::from(minutes_out);
        let mut store_minutes_out = OutputBuilder::<_, Buffer<_>>::from(store_minutes_out);
        move |_| {
            let (mut hours, mut store_days) = (hours_out.activate(), store_days_out.activate());
            let (mut days, mut rules) = (days_out.activate(), rules_out.activate());
            let (mut minutes, mut store_minutes) = (minutes_out.activate(), store_minutes_out.activate());
            input.for_each(|capability, data| {
                data.drain(..).for_each(|(scored, _, diff)| batch.add(&scored, diff as i64));
                days.session(&capability).give_iterator(batch.days.drain());
                rules.session(&capability).give_iterator(batch.rule_days.drain());
                minutes.session(&capability).give_iterator(batch.minutes.drain());
                let (mut hours, mut store_days) =
                    (hours.session(&capability), store_days.session(&capability));
                let mut store_minutes = store_minutes.session(&capability);
                for (Bucket { day, hour_start, minute_start, store }, sales) in batch.stores.drain() {
                    store_days.give((StoreDay { day, store: store.clone() }, sales));
                    hours.give((StoreHour { hour_start, store: store.clone() }, sales));
                    store_minutes.give((StoreMinute { minute_start, store }, sales));
                }
            });
        }
    });
    Contributions { store_hours, store_days, days, rule_days, minutes, store_minutes }
}

type Buffer<D> = CapacityContainerBuilder<Vec<D>>;

/// What a batch of transactions contributes.
struct Batch {
    calendar: Calendar,
    days: Combined<Day, DailyFraud>,
    rule_days: Combined<RuleDay, RulePerformance>,
    minutes: Combined<MinuteStart, Minute>,
    stores: Combined<Bucket, Sales>,
}

/// Where a transaction belongs in all aggregates by store.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Bucket {
    day: i32,
    hour_start: i64,
    minute_start: i64,
    store: Id,
}

impl Batch {
    fn new(settings: &Settings) -> Self {
        Self {
            calendar: Calendar::new(settings.time_zone),
            days: Combined::default(),
            rule_days: Combined::default(),
            minutes: Combined::default(),
            stores: Combined::default(),
        }
    }

    fn add(&mut self, scored: &Scored, diff: i64) {
        let Transaction { ref store, event_time, voided, .. } = *scored.transaction;
        if voided {
            return;
        }
        let day = self.calendar.day(event_time);
        let minute_start = event_time - event_time.rem_euclid(MINUTE);
        let sales = sales(scored, diff);
        let customers = if scored.first_in_minute { diff } else { 0 };
        let hour_start = self.calendar.hour_start(event_time);
        self.days.add(Day(day), daily_fraud(&scored.verdict, diff));
        self.minutes.add(MinuteStart(minute_start), Minute { sales, customers });
        self.stores.add(Bucket { day, hour_start, minute_start, store: store.clone() }, sales);
        for (key, performance) in rule_performances(scored, day, diff) {
            self.rule_days.add(key, performance);
        }
    }
}

fn sales(scored: &Scored, diff: i64) -> Sales {
    Sales {
        transactions: diff,
        cents: i128::from(scored.transaction.amount.0 * diff),
        alerts: if scored.verdict.alert { diff } else { 0 },
    }
}

fn daily_fraud(verdict: &Verdict, diff: i64) -> DailyFraud {
    let alerts = if verdict.alert { diff } else { 0 };
    let mut alerts_by_rule = [0; Rule::ALL.len()];
    for hit in &verdict.hits {
        alerts_by_rule[hit.rule() as usize] = alerts;
    }
    let score_thousandths = alerts * i64::from(verdict.score.thousandths());
    DailyFraud { transactions: diff, alerts, score_thousandths, alerts_by_rule }
}

fn rule_performances(
    scored: &Scored,
    day: i32,
    diff: i64,
) -> impl Iterator<Item = (RuleDay, RulePerformance)> + '_ {
    let verdict = &scored.verdict;
    let alerts = if verdict.alert { diff } else { 0 };
    verdict.hits.iter().map(move |hit| {
        let performance = RulePerformance {
            hits: diff,
            alerts,
            alone: if verdict.hits.len() == 1 { alerts } else { 0 },
            score_thousandths: diff * i64::from(hit.score.thousandths()),
        };
        (RuleDay { day, rule: hit.rule() }, performance)
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
    restored: StreamVec<'s, u64, (StoreHour, Sales)>,
    contributions: StreamVec<'s, u64, (StoreHour, Sales)>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<StoreHour, Sales>> {
    accumulate("agg_hourly_sales", settings.correction_horizon, restored, contributions, references)
}

/// `gold.store_performance`: what did each store sell on each day, and how much of it was alerted?
///
/// ```sql
/// SELECT store_key, date_key, count(*), sum(amount), sum(is_fraud::int) FROM gold.fact_transactions GROUP BY 1, 2
/// ```
pub fn store_performance<'s>(
    settings: &Settings,
    restored: StreamVec<'s, u64, (StoreDay, Sales)>,
    contributions: StreamVec<'s, u64, (StoreDay, Sales)>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<StoreDay, Sales>> {
    accumulate("store_performance", settings.correction_horizon, restored, contributions, references)
}

/// `gold.agg_daily_fraud`: how much of each day was alerted, and mostly by which rule?
///
/// ```sql
/// SELECT date_key, count(*), sum(is_fraud::int), avg(fraud_score) FILTER (WHERE is_fraud)
/// FROM gold.fact_transactions GROUP BY 1
/// ```
pub fn agg_daily_fraud<'s>(
    settings: &Settings,
    restored: StreamVec<'s, u64, (Day, DailyFraud)>,
    contributions: StreamVec<'s, u64, (Day, DailyFraud)>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<i32, DailyFraud>> {
    let days =
        accumulate("agg_daily_fraud", settings.correction_horizon, restored, contributions, references);
    days.map(|(Day(day), daily)| (day, daily))
}

/// `gold.rule_performance`: how often did each rule trigger on each day, and what came of it?
///
/// ```sql
/// SELECT rule, date_key, count(*), sum(is_fraud::int), sum((is_fraud AND rules = 1)::int), avg(score) FROM hits GROUP BY 1, 2
/// ```
pub fn rule_performance<'s>(
    settings: &Settings,
    restored: StreamVec<'s, u64, (RuleDay, RulePerformance)>,
    contributions: StreamVec<'s, u64, (RuleDay, RulePerformance)>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<RuleDay, RulePerformance>> {
    accumulate("rule_performance", settings.correction_horizon, restored, contributions, references)
}

/// `gold.realtime_metrics`, all stores: what happened in each minute?
///
/// ```sql
/// SELECT date_trunc('minute', transaction_at), count(*), sum(amount), sum(is_fraud::int), count(DISTINCT customer_key)
/// FROM gold.fact_transactions GROUP BY 1
/// ```
pub fn realtime_metrics<'s>(
    settings: &Settings,
    restored: StreamVec<'s, u64, (MinuteStart, Minute)>,
    contributions: StreamVec<'s, u64, (MinuteStart, Minute)>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<i64, Minute>> {
    let minutes =
        accumulate("realtime_metrics", settings.correction_horizon, restored, contributions, references);
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
    restored: StreamVec<'s, u64, (StoreMinute, Sales)>,
    contributions: StreamVec<'s, u64, (StoreMinute, Sales)>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<StoreMinute, Sales>> {
    accumulate("realtime_store_metrics", settings.correction_horizon, restored, contributions, references)
}

/// The books: how many events were read from each topic, and where did each of them end?
pub fn books<'s>(
    settings: &Settings,
    restored: StreamVec<'s, u64, (BooksEntry, i64)>,
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
    accumulate("books", settings.correction_horizon, restored, contributions, references)
}

/// The counts behind `silver.quality_check_results`, by quarter hour of reference time; `tallies` of transaction topics only.
pub fn quality<'s>(
    settings: &Settings,
    restored: StreamVec<'s, u64, (QualityKey, i64)>,
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
    accumulate("quality", settings.correction_horizon, restored, contributions, references)
}

/// A local day, in days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(pub i32);

/// When a minute began, microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MinuteStart(pub i64);

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

// `DailyFraud::alerts_by_rule` follows the declaration of `Rule`.
const _: () = assert!(Rule::Blacklist as usize + 1 == Rule::ALL.len());
