//! Who shops where and for what: customers, stores, products and the blacklist.

mod activity;
mod blacklist;
mod cities;
mod customers;
mod names;
mod products;
mod stores;

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use serde::Serialize;

pub(crate) use activity::{Activity, is_preferred};
pub(crate) use blacklist::{Entry, Listed};
pub(crate) use cities::{CITIES, Coordinates};
pub(crate) use customers::Customer;
pub(crate) use stores::{Channel, Store, StoreIndex};

use crate::randomness::{Stream, stream};
use crate::settings::{GeneratorSettings, SettingsError};
use products::{Product, draw_product};

/// A record of a compacted topic: the current row of one entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DimensionRecord {
    /// The entity's id; for the blacklist `customer:ID` or `store:ID`.
    pub key: String,
    /// A JSON object on one line.
    pub value: Vec<u8>,
}

/// Customers, stores, products and the blacklist of one setting.
pub struct Population {
    customers: Vec<Customer>,
    stores: Vec<Store>,
    products: Vec<Product>,
    entries: Vec<Entry>,
    store_index: StoreIndex,
    activity: Activity,
}

impl Population {
    /// Draws a population; only `seed`, `start`, the three sizes and `foreign_customer_rate` matter.
    ///
    /// # Errors
    /// A setting that is out of range.
    pub fn new(settings: &GeneratorSettings) -> Result<Self, SettingsError> {
        settings.validate()?;
        let rng = |concern| stream(settings.seed, concern);
        let stores = draw_all(settings.stores, rng(Stream::Stores), |position, rng| {
            Store::draw(settings, position, rng)
        });
        let products = draw_all(settings.products, rng(Stream::Products), Product::draw);
        let mut entries = blacklist::list_stores(&stores, settings.start);
        let barred_stores = in_force(&entries, settings.start);
        let store_index =
            StoreIndex::new(&stores, |position| barred_stores.contains(&Listed::Store(position)));
        let customers = draw_all(settings.customers, rng(Stream::Customers), |position, rng| {
            Customer::draw(settings, position, &store_index, rng)
        });
        entries.extend(blacklist::list_customers(&customers, settings.start));
        let barred = in_force(&entries, settings.start);
        let activity =
            Activity::new(settings.customers, |position| barred.contains(&Listed::Customer(position)));
        Ok(Self { customers, stores, products, entries, store_index, activity })
    }

    /// Records for `reference.customers`: customer_id, name, email, city, state, risk_profile
    /// (`low`, `normal`, `high`, `critical`), registered_at (RFC 3339).
    pub fn customers(&self) -> impl Iterator<Item = DimensionRecord> {
        self.customers.iter().map(Customer::record)
    }

    /// Records for `reference.stores`: store_id, name, city, state, category, channel (`online`,
    /// `physical`), latitude, longitude (degrees).
    pub fn stores(&self) -> impl Iterator<Item = DimensionRecord> {
        self.stores.iter().enumerate().map(|(position, store)| store.record(position))
    }

    /// Records for `reference.products`: product_id, name, category, price (decimal string, BRL).
    pub fn products(&self) -> impl Iterator<Item = DimensionRecord> {
        self.products.iter().enumerate().map(|(position, product)| product.record(position))
    }

    /// Records for `fraud.blacklist`: entity (`customer`, `store`), id, valid_from and expires_at
    /// (RFC 3339, absent where unlimited), reason. Some have expired. Ordinary traffic avoids whoever
    /// is listed when the traffic starts.
    pub fn blacklist(&self) -> impl Iterator<Item = DimensionRecord> {
        self.entries.iter().map(|entry| entry.record(self))
    }

    pub(crate) fn customer(&self, position: u32) -> &Customer {
        &self.customers[position as usize]
    }

    pub(crate) fn store(&self, position: u32) -> &Store {
        &self.stores[position as usize]
    }

    pub(crate) fn customer_count(&self) -> u32 {
        self.customers.len() as u32
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn store_index(&self) -> &StoreIndex {
        &self.store_index
    }

    pub(crate) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// A product of the store's category.
    pub(crate) fn draw_product(&self, store: u32, rng: &mut ChaCha8Rng) -> u32 {
        draw_product(self.store(store).category, self.products.len() as u32, rng)
    }
}

fn draw_all<T>(count: u32, mut rng: ChaCha8Rng, draw: impl Fn(u32, &mut ChaCha8Rng) -> T) -> Vec<T> {
    (0..count).map(|position| draw(position, &mut rng)).collect()
}

/// Whoever is listed at this time.
fn in_force(entries: &[Entry], at: i64) -> BTreeSet<Listed> {
    entries.iter().filter(|entry| entry.holds_at(at)).map(|entry| entry.listed).collect()
}

/// Strings and finite numbers under fixed names: these always serialize.
fn json(row: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(row).unwrap_or_default()
}
