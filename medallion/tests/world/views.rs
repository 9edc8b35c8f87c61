//! The aggregates of a set of transactions, computed from scratch, and the upserts from one set to the next.

use std::collections::{BTreeMap, BTreeSet};
use streamflow_dataflow::changes::{Upsert, ViewChange};
use streamflow_dataflow::rules::SetName;
use streamflow_dataflow::score::{Scored, ShownHit};
use streamflow_dataflow::views::agg_daily_fraud::{DailyFraud, Day};
use streamflow_dataflow::views::agg_hourly_sales::StoreHour;
use streamflow_dataflow::views::customer_profile::{Profile, ProfileKey};
use streamflow_dataflow::views::payment_performance::{MethodDay, UNKNOWN};
use streamflow_dataflow::views::realtime_metrics::Minute;
use streamflow_dataflow::views::realtime_store_metrics::StoreMinute;
use streamflow_dataflow::views::rule_performance::{Hits, RuleDay};
use streamflow_dataflow::views::store_performance::StoreDay;
use streamflow_dataflow::views::{CustomerSales, Sales, ViewRow};
use streamflow_model::timestamp::MINUTE;
use streamflow_model::{Calendar, Id};

#[derive(Default)]
pub struct Views {
    profiles: BTreeMap<ProfileKey, Profile>,
    hours: BTreeMap<StoreHour, CustomerSales>,
    days: BTreeMap<StoreDay, Sales>,
    payments: BTreeMap<MethodDay, Sales>,
    daily: BTreeMap<Day, DailyFraud>,
    rules: BTreeMap<RuleDay, Hits>,
    minutes: BTreeMap<Minute, CustomerSales>,
    store_minutes: BTreeMap<StoreMinute, Sales>,
    visitors: BTreeSet<(Minute, Id)>,
    store_visitors: BTreeSet<(StoreHour, Id)>,
}

impl Views {
    pub fn of<'a>(transactions: impl Iterator<Item = &'a Scored>, calendar: &Calendar) -> Self {
        let mut views = Self::default();
        for scored in transactions.filter(|scored| !scored.transaction.voided) {
            views.add(scored, calendar);
        }
        views
    }

    fn add(&mut self, scored: &Scored, calendar: &Calendar) {
        let transaction = &scored.transaction;
        let (at, cents) = (transaction.event_time, transaction.amount.0);
        let day = calendar.day(at);
        let minute_start = at - at.rem_euclid(MINUTE);
        let (store, currency) = (transaction.store.clone(), transaction.currency);
        let alerts = i64::from(scored.verdict.alert);
        let sales = Sales { transactions: 1, cents: i128::from(cents), alerts };
        let hour = StoreHour { hour_start: calendar.hour_start(at), store: store.clone(), currency };
        let hourly = self.hours.entry(hour.clone()).or_default();
        add(&mut hourly.sales, sales);
        hourly.customers += i64::from(self.store_visitors.insert((hour, transaction.customer.clone())));
        add(self.days.entry(StoreDay { day, store: store.clone(), currency }).or_default(), sales);
        let method = transaction.payment_method.clone().unwrap_or_else(|| UNKNOWN.into());
        let payment = MethodDay { day, method, currency };
        add(self.payments.entry(payment).or_default(), sales);
        add(self.store_minutes.entry(StoreMinute { minute_start, store, currency }).or_default(), sales);
        let minute = Minute { start: minute_start, currency };
        let row = self.minutes.entry(minute).or_default();
        add(&mut row.sales, sales);
        row.customers += i64::from(self.visitors.insert((minute, transaction.customer.clone())));
        let unseen = Profile { first_seen: at, last_seen: at, ..Profile::default() };
        let key = ProfileKey { customer: transaction.customer.clone(), currency };
        let profile = self.profiles.entry(key).or_insert(unseen);
        profile.sums.add(cents, calendar.minute_of_day(at));
        profile.first_seen = profile.first_seen.min(at);
        profile.last_seen = profile.last_seen.max(at);
        profile.alerts += alerts as u64;
        self.add_rules(scored, day);
    }

    fn add_rules(&mut self, scored: &Scored, day: i32) {
        let verdict = &scored.verdict;
        let alert = i64::from(verdict.alert);
        let daily = self.daily.entry(Day(day)).or_default();
        daily.transactions += 1;
        daily.alerts += alert;
        daily.score_thousandths += alert * i64::from(verdict.score.thousandths());
        self.add_hits(day, SetName::Live, &verdict.hits, alert);
        for shadow in &verdict.shadows {
            self.add_hits(day, shadow.set, &shadow.hits, 1);
        }
    }

    fn add_hits(&mut self, day: i32, set: SetName, hits: &[ShownHit], alert: i64) {
        for hit in hits {
            let rule = self.rules.entry(RuleDay { day, set, rule: hit.rule }).or_default();
            rule.hits += 1;
            rule.alerts += alert;
            rule.alone += alert * i64::from(hits.len() == 1);
            rule.score_thousandths += i64::from(hit.score.thousandths());
        }
    }

    /// The upserts that lead from these views to `new`.
    pub fn changes_to(&self, new: &Self, changes: &mut Vec<ViewChange>) {
        changes.extend(difference(&self.profiles, &new.profiles).map(ViewChange::Profile));
        let mut rows = Vec::new();
        rows.extend(difference(&self.hours, &new.hours).map(ViewRow::AggHourlySales));
        rows.extend(difference(&self.days, &new.days).map(ViewRow::StorePerformance));
        rows.extend(difference(&self.payments, &new.payments).map(ViewRow::PaymentPerformance));
        rows.extend(difference(&self.daily, &new.daily).map(ViewRow::AggDailyFraud));
        rows.extend(difference(&self.rules, &new.rules).map(ViewRow::RulePerformance));
        rows.extend(difference(&self.minutes, &new.minutes).map(ViewRow::RealtimeMetrics));
        rows.extend(difference(&self.store_minutes, &new.store_minutes).map(ViewRow::RealtimeStoreMetrics));
        changes.extend(rows.into_iter().map(ViewChange::Row));
    }
}

fn add(sum: &mut Sales, sales: Sales) {
    sum.transactions += sales.transactions;
    sum.cents += sales.cents;
    sum.alerts += sales.alerts;
}

fn difference<'a, K: Ord + Clone, V: Clone + PartialEq>(
    old: &'a BTreeMap<K, V>,
    new: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = Upsert<K, V>> + 'a {
    let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), None));
    let changed = new.iter().filter(|(key, value)| old.get(*key) != Some(*value));
    gone.chain(changed.map(|(key, value)| (key.clone(), Some(value.clone()))))
}
