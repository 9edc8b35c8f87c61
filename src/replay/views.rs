//! The views of a replay, held until its end, and the surrogate keys of its dimensions.

use super::feed::ROLES;
use foldhash::fast::RandomState;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use streamflow_dataflow::changes::{Upsert, ViewChange};
use streamflow_dataflow::views::rows::{
    DailyFraud, Minute, RuleDay, RulePerformance, Sales, StoreDay, StoreHour, StoreMinute,
};
use streamflow_model::timestamp::{DAY, MINUTE};
use streamflow_model::{Account, BooksEntry, Customer, Id, Product, Store};

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

    /// All members by key.
    pub fn by_key(&self) -> Vec<(u64, &Id)> {
        let mut members: Vec<_> = self.0.iter().map(|(id, key)| (*key, id)).collect();
        members.sort_unstable();
        members
    }
}

/// The views by key, as last upserted; profiles stand with the customers.
#[derive(Default)]
pub struct Views {
    pub hourly_sales: BTreeMap<StoreHour, Sales>,
    pub store_performance: BTreeMap<StoreDay, Sales>,
    pub daily_fraud: BTreeMap<i32, DailyFraud>,
    pub rule_performance: BTreeMap<RuleDay, RulePerformance>,
    pub minutes: BTreeMap<i64, Minute>,
    pub store_minutes: BTreeMap<StoreMinute, Sales>,
    pub books: BTreeMap<BooksEntry, i64>,
    pub customers: BTreeMap<Id, Customer>,
    pub stores: BTreeMap<Id, Store>,
    pub products: BTreeMap<Id, Product>,
    /// The largest reference time of all files, microseconds since 1970.
    pub newest: Option<i64>,
    /// The watermark, at most that.
    pub watermark: i64,
}

impl Views {
    /// Takes note of a change.
    pub fn apply(&mut self, change: ViewChange) {
        match change {
            ViewChange::HourlySales(upsert) => put(&mut self.hourly_sales, upsert),
            ViewChange::StorePerformance(upsert) => put(&mut self.store_performance, upsert),
            ViewChange::DailyFraud(upsert) => put(&mut self.daily_fraud, upsert),
            ViewChange::RulePerformance(upsert) => put(&mut self.rule_performance, upsert),
            ViewChange::Minute(upsert) => put(&mut self.minutes, upsert),
            ViewChange::StoreMinute(upsert) => put(&mut self.store_minutes, upsert),
            ViewChange::Books(upsert) => put(&mut self.books, upsert),
            ViewChange::Customer(upsert) => put(&mut self.customers, upsert),
            ViewChange::Store(upsert) => put(&mut self.stores, upsert),
            ViewChange::Product(upsert) => put(&mut self.products, upsert),
            ViewChange::Progress(progress) => self.newest = self.newest.max(progress.reference_time),
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
            | ViewChange::Quality(_)
            | ViewChange::Received(_)
            | ViewChange::Scored(..)
            | ViewChange::AlertChange(_)
            | ViewChange::DeadLetter(_)
            | ViewChange::ListChange(_)
            | ViewChange::RulesChange(_) => {}
        }
    }

    /// Real-time windows are kept for a day behind the watermark.
    pub fn forget_minutes(&mut self) {
        let kept_from = self.watermark.saturating_sub(DAY);
        let kept_from = kept_from.saturating_sub(kept_from.rem_euclid(MINUTE));
        self.minutes = self.minutes.split_off(&kept_from);
        let first = StoreMinute { minute_start: kept_from, store: Id::default() };
        self.store_minutes = self.store_minutes.split_off(&first);
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
