//! Listed customers and stores.

use serde::Serialize;

use super::customers::{Customer, Risk};
use super::stores::Store;
use super::{DimensionRecord, Population, json};
use crate::time::{DAY, local};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Listed {
    Customer(u32),
    Store(u32),
}

/// An entry holds from `valid_from` (included) to `expires_at` (excluded), where given.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) listed: Listed,
    valid_from: Option<i64>,
    expires_at: Option<i64>,
    reason: &'static str,
}

/// An entry as published.
#[derive(Serialize)]
struct PublishedEntry {
    entity: &'static str,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    reason: &'static str,
}

impl Entry {
    /// The entry number `position` of its kind. Every fourth has run out before the traffic starts,
    /// every fourth holds for a year, the others for good.
    fn new(listed: Listed, position: usize, start: i64) -> Self {
        let (valid_from, expires_at) = match position % 4 {
            1 => (Some(start - 30 * DAY), Some(start + 365 * DAY)),
            3 => (Some(start - 60 * DAY), Some(start - DAY)),
            _ => (None, None),
        };
        let reasons = ["chargebacks", "stolen card", "account takeover"];
        Self { listed, valid_from, expires_at, reason: reasons[position % reasons.len()] }
    }

    pub(crate) fn holds_at(&self, at: i64) -> bool {
        self.valid_from.is_none_or(|from| from <= at) && self.expires_at.is_none_or(|end| at < end)
    }

    pub(super) fn record(&self, population: &Population) -> DimensionRecord {
        let (entity, id) = match self.listed {
            Listed::Customer(position) => ("customer", population.customer(position).id()),
            Listed::Store(position) => ("store", population.store(position).id()),
        };
        let published = PublishedEntry {
            entity,
            valid_from: self.valid_from.map(local),
            expires_at: self.expires_at.map(local),
            reason: self.reason,
            id,
        };
        DimensionRecord { key: format!("{entity}:{}", published.id), value: json(&published) }
    }
}

/// One store in a hundred is listed, at least one of twenty or more; the last ones, so that the
/// founding stores remain.
pub(super) fn list_stores(stores: &[Store], start: i64) -> Vec<Entry> {
    let wanted = if stores.len() < 20 { 0 } else { (stores.len() / 100).max(1) };
    let last = (0..stores.len() as u32).rev().take(wanted);
    last.enumerate().map(|(position, store)| Entry::new(Listed::Store(store), position, start)).collect()
}

/// One customer in two hundred is listed, out of those of critical risk.
pub(super) fn list_customers(customers: &[Customer], start: i64) -> Vec<Entry> {
    let critical = (0..).zip(customers).filter(|(_, customer)| customer.risk == Risk::Critical);
    critical
        .take(customers.len() / 200)
        .enumerate()
        .map(|(position, (customer, _))| Entry::new(Listed::Customer(customer), position, start))
        .collect()
}
