//! The views of a replay, held until its end, and the surrogate keys of its dimensions.

use super::feed::ROLES;
use foldhash::fast::RandomState;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use streamflow_dataflow::changes::{Upsert, ViewChange};
use streamflow_dataflow::rules::SetName;
use streamflow_dataflow::views::rule_performance::{Hits, RuleDay};
use streamflow_dataflow::views::{Rows, Update, View};
use streamflow_medallion::tables::view::Aggregate;
use streamflow_medallion::tables::{Tables, tables};
use streamflow_model::timestamp::{DAY, MINUTE};
use streamflow_model::{Account, BooksEntry, Customer, Id, Product, RuleId, Store};

/// Surrogate keys of a dimension: dense from 1, in the order of first appearance.
#[derive(Default)]
pub struct KeyMap(HashMap<Id, u64, RandomState>);

impl KeyMap {
    /// The key of a member, a new one if need be.
    pub fn key(&mut self, id: &Id) -> u64 {
        if let Some(key) = self.0.get(id) {
            return *key;
        }
        let key = self.0.len() as u64 + 1;
        self.0.insert(id.clone(), key);
        key
    }

    /// The key of a member that has one.
    pub fn find(&self, id: &Id) -> Option<u64> {
        self.0.get(id).copied()
    }

    /// All members by key.
    pub fn by_key(&self) -> Vec<(u64, &Id)> {
        let mut members: Vec<_> = self.0.iter().map(|(id, key)| (*key, id)).collect();
        members.sort_unstable();
        members
    }
}

/// Drops the windows before an instant, microseconds since 1970.
struct DropWindows {
    kept_from: i64,
}

impl Update<Rows, Tables> for DropWindows {
    fn update<V: View>(
        &mut self,
        rows: &mut BTreeMap<V::Key, V::Sum>,
        aggregate: &mut &'static Aggregate<V::Key, V::Sum>,
    ) {
        if let Some(window) = aggregate.table.window {
            rows.retain(|key, _| window(key) >= self.kept_from);
        }
    }
}

/// The views by key, as they are now; profiles are kept with the customers.
#[derive(Default)]
pub struct Views {
    pub rows: streamflow_dataflow::views::Views<Rows>,
    pub books: BTreeMap<BooksEntry, i64>,
    pub customers: BTreeMap<Id, Customer>,
    pub stores: BTreeMap<Id, Store>,
    pub products: BTreeMap<Id, Product>,
    /// The largest partition time of all files, microseconds since 1970.
    pub newest: Option<i64>,
    /// The watermark, at most that.
    pub watermark: i64,
}

impl Views {
    /// Takes note of a change.
    pub fn apply(&mut self, change: ViewChange) {
        match change {
            ViewChange::Row(row) => self.rows.put(row),
            // One of a window that is dropped already is dropped likewise.
            ViewChange::RowDifference(difference) => {
                self.rows.add(difference);
            }
            ViewChange::Books(upsert) => put(&mut self.books, upsert),
            ViewChange::Customer(upsert) => put(&mut self.customers, upsert),
            ViewChange::Store(upsert) => put(&mut self.stores, upsert),
            ViewChange::Product(upsert) => put(&mut self.products, upsert),
            ViewChange::Progress(progress) => self.newest = self.newest.max(progress.partition_time),
            ViewChange::Watermark(time) => {
                // Behind the end of all files time goes on, but nothing more happens in it.
                let watermark = self.newest.map_or(self.watermark, |newest| time.min(newest));
                let crossed = watermark / (60 * MINUTE) > self.watermark / (60 * MINUTE);
                self.watermark = watermark;
                if crossed {
                    self.forget_minutes();
                }
            }
            // Quality counts are for the monitoring of a running pipeline; the rest is written elsewhere.
            ViewChange::Profile(_)
            | ViewChange::Pending(_)
            | ViewChange::Quality(_)
            | ViewChange::Received(_)
            | ViewChange::Scored(..)
            | ViewChange::AlertChange(_)
            | ViewChange::AlertEvidence(_)
            | ViewChange::DeadLetter(_)
            | ViewChange::ListChange(_)
            | ViewChange::RulesChange(_) => {}
        }
    }

    /// Real-time windows are kept for a day behind the watermark.
    pub fn forget_minutes(&mut self) {
        let kept_from = self.watermark.saturating_sub(DAY);
        let kept_from = kept_from.saturating_sub(kept_from.rem_euclid(MINUTE));
        self.rows.update(&mut tables(), &mut DropWindows { kept_from });
    }

    /// The rule in most alerts of each day (days since 1970-01-01), the lowest id of several.
    pub fn top_rules(&self) -> BTreeMap<i32, RuleId> {
        let mut top: BTreeMap<i32, (&RuleDay, &Hits)> = BTreeMap::new();
        let live = |(key, hits): &(&RuleDay, &Hits)| key.set == SetName::Live && hits.alerts > 0;
        for (key, hits) in self.rows.rule_performance.iter().filter(live) {
            let so_far = top.entry(key.day).or_insert((key, hits));
            if hits.alerts > so_far.1.alerts {
                *so_far = (key, hits);
            }
        }
        top.into_iter().map(|(day, (key, _))| (day, key.rule)).collect()
    }

    /// Where each event read ended, by topic.
    pub fn books_by_topic(&self) -> Value {
        let topics = ["transactions", "customers", "stores", "products", "blacklist"];
        let topic_books = |topic: usize| {
            let mut accounts = BTreeMap::new();
            let mut dead_letters = BTreeMap::new();
            let (mut read, mut accepted) = (0, 0);
            for (entry, events) in &self.books {
                match entry {
                    BooksEntry::Read { topic: of } if usize::from(*of) == topic => read += events,
                    BooksEntry::Ended { topic: of, account } if usize::from(*of) == topic => match account {
                        Account::DeadLetter(reason) => {
                            dead_letters.insert(reason.as_str(), *events);
                        }
                        // At the end nothing waits.
                        Account::Pending => {}
                        account => {
                            if matches!(account, Account::New | Account::Correcting | Account::Voiding) {
                                accepted += events;
                            }
                            accounts.insert(account.as_str(), *events);
                        }
                    },
                    _ => {}
                }
            }
            json!({"read": read, "accepted": accepted, "accounts": accounts, "dead_letters": dead_letters})
        };
        let books = (0..ROLES.len()).map(|topic| (topics[topic].to_owned(), topic_books(topic)));
        Value::Object(books.collect())
    }
}

fn put<K: Ord, V>(view: &mut BTreeMap<K, V>, (key, value): Upsert<K, V>) {
    match value {
        Some(value) => view.insert(key, value),
        None => view.remove(&key),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamflow_dataflow::rules::Rules;
    use streamflow_dataflow::views::realtime_metrics::Minute;
    use streamflow_dataflow::views::{CustomerSales, Sales, ViewRow};
    use streamflow_model::{Currency, RuleId};

    fn hits(rule: RuleId, alerts: i64) -> ViewRow {
        let row = Hits { hits: alerts, alerts, alone: 0, score_thousandths: 700 * alerts };
        ViewRow::RulePerformance((RuleDay { day: 3, set: SetName::Live, rule }, Some(row)))
    }

    fn minute(start: i64, transactions: i64) -> ViewRow {
        let sales = Sales { transactions, cents: 5 * i128::from(transactions), alerts: 0 };
        let minute = Minute { start, currency: Currency::BRL };
        ViewRow::RealtimeMetrics((minute, Some(CustomerSales { sales, customers: transactions })))
    }

    #[test]
    fn differences_reach_rows_and_what_is_derived_from_them() {
        let mut views = Views::default();
        views.apply(ViewChange::Row(hits(Rules::IDS[1], 3)));
        views.apply(ViewChange::RowDifference(hits(Rules::IDS[0], 2)));
        assert_eq!(views.top_rules(), BTreeMap::from([(3, Rules::IDS[1])]));
        views.apply(ViewChange::RowDifference(hits(Rules::IDS[1], -2)));
        assert_eq!(views.top_rules(), BTreeMap::from([(3, Rules::IDS[0])]));
        views.apply(ViewChange::RowDifference(hits(Rules::IDS[1], -1)));
        assert_eq!(views.rows.rule_performance.len(), 1);
    }

    #[test]
    fn a_difference_of_a_dropped_window_is_dropped() {
        let mut views = Views { watermark: 2 * DAY, ..Views::default() };
        views.apply(ViewChange::Row(minute(DAY, 3)));
        views.apply(ViewChange::RowDifference(minute(DAY, -1)));
        views.apply(ViewChange::RowDifference(minute(DAY - MINUTE, -1)));
        views.forget_minutes();
        let transactions = views
            .rows
            .realtime_metrics
            .into_iter()
            .map(|(minute, row)| (minute.start, row.sales.transactions));
        assert_eq!(transactions.collect::<Vec<_>>(), [(DAY, 2)]);
    }
}
