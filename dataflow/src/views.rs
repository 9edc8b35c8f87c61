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
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
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

/// A detector's hit on a current transaction, with the change of its multiplicity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RuleFact {
    rule: Rule,
    day: i32,
    alert: bool,
    /// No other rule triggered.
    alone: bool,
    score_thousandths: i64,
    diff: i8,
}

/// What the aggregates are made of.
pub struct Facts<'s> {
    /// Of each current, not voided transaction.
    pub transactions: StreamVec<'s, u64, Fact>,
    /// Of each hit.
    pub rules: StreamVec<'s, u64, RuleFact>,
}

/// The facts behind the aggregates.
pub fn facts<'s>(settings: &Settings, scored: VecCollection<'s, u64, Scored, isize>) -> Facts<'s> {
    let mut builder = OperatorBuilder::new("facts".to_owned(), scored.inner.scope());
    let mut input = builder.new_input(scored.inner, Pipeline);
    let (transactions_out, transactions) = builder.new_output();
    let (rules_out, rules) = builder.new_output();
    let calendar = Calendar::new(settings.time_zone);
    builder.build(move |_| {
        let mut transactions_out =
            OutputBuilder::<_, CapacityContainerBuilder<Vec<Fact>>>::from(transactions_out);
        let mut rules_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<RuleFact>>>::from(rules_out);
        move |_| {
            let (mut transactions_out, mut rules_out) = (transactions_out.activate(), rules_out.activate());
            input.for_each(|capability, data| {
                let mut transactions = transactions_out.session(&capability);
                let mut rules = rules_out.session(&capability);
                for (scored, _, diff) in data.drain(..).filter(|(scored, _, _)| !scored.transaction.voided) {
                    let day = calendar.day(scored.transaction.event_time);
                    rules.give_iterator(rule_facts(&scored, day, diff as i8));
                    transactions.give(fact(scored, day, &calendar, diff as i8));
                }
            });
        }
    });
    Facts { transactions, rules }
}

fn fact(scored: Scored, day: i32, calendar: &Calendar, diff: i8) -> Fact {
    let Scored { transaction, verdict, first_in_minute } = scored;
    Fact {
        store: transaction.store.clone(),
        event_time: transaction.event_time,
        hour_start: calendar.hour_start(transaction.event_time),
        day,
        alert: verdict.alert,
        first_in_minute,
        cents: transaction.amount.0,
        score_thousandths: i64::from(verdict.score.thousandths()),
        rules: verdict.hits.iter().fold(0, |bits, hit| bits | 1 << hit.rule() as u8),
        diff,
    }
}

fn rule_facts(scored: &Scored, day: i32, diff: i8) -> impl Iterator<Item = RuleFact> + '_ {
    let verdict = &scored.verdict;
    verdict.hits.iter().map(move |hit| RuleFact {
        rule: hit.rule(),
        day,
        alert: verdict.alert,
        alone: verdict.hits.len() == 1,
        score_thousandths: i64::from(hit.score.thousandths()),
        diff,
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
    facts: StreamVec<'s, u64, RuleFact>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<RuleDay, RulePerformance>> {
    let contributions = facts.map(|fact| {
        let diff = i64::from(fact.diff);
        let alerts = if fact.alert { diff } else { 0 };
        let performance = RulePerformance {
            hits: diff,
            alerts,
            alone: if fact.alone { alerts } else { 0 },
            score_thousandths: diff * fact.score_thousandths,
        };
        (RuleDay { day: fact.day, rule: fact.rule }, performance)
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
