//! Dense integer keys of the dimensions' members.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use postgres::Client;
use postgres::fallible_iterator::FallibleIterator;
use std::iter;
use streamflow_connectors::postgres::PostgresError;
use streamflow_model::Id;

/// The keys of one dimension, from 1, in memory as in the table. Those assigned since the last commit are
/// fresh: their rows are still to be written, and a rollback revokes them.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    known: HashMap<Id, i32, RandomState>,
    last: i32,
    fresh: Vec<Id>,
}

impl Keys {
    /// Reads all keys; `query` selects key and id.
    pub(crate) fn load(client: &mut Client, query: &str) -> Result<Self, PostgresError> {
        let mut keys = Self::default();
        let mut rows = client.query_raw(query, iter::empty::<i32>())?;
        while let Some(row) = rows.next()? {
            let key: i32 = row.try_get(0)?;
            keys.known.insert(Id::from(row.try_get::<_, &str>(1)?), key);
            keys.last = keys.last.max(key);
        }
        Ok(keys)
    }

    /// The key of `id`, assigned now if it has none.
    pub(crate) fn of(&mut self, id: &Id) -> i32 {
        if let Some(key) = self.known.get(id) {
            return *key;
        }
        self.last += 1;
        self.known.insert(id.clone(), self.last);
        self.fresh.push(id.clone());
        self.last
    }

    /// The key of `id`, if it has one.
    pub(crate) fn known(&self, id: &Id) -> Option<i32> {
        self.known.get(id).copied()
    }

    /// Members assigned since the last commit, with their keys.
    pub(crate) fn fresh(&self) -> impl Iterator<Item = (i32, &Id)> {
        let first = self.last - self.fresh.len() as i32 + 1;
        (first..).zip(&self.fresh)
    }

    pub(crate) fn commit(&mut self) {
        self.fresh.clear();
    }

    pub(crate) fn roll_back(&mut self) {
        self.last -= self.fresh.len() as i32;
        for id in self.fresh.drain(..) {
            self.known.remove(&id);
        }
    }
}

/// The keys of all dimensions.
#[derive(Debug, Default)]
pub(crate) struct Dimensions {
    pub(crate) customers: Keys,
    pub(crate) stores: Keys,
    pub(crate) products: Keys,
}

impl Dimensions {
    pub(crate) fn load(client: &mut Client) -> Result<Self, PostgresError> {
        Ok(Self {
            customers: Keys::load(client, "SELECT customer_key, customer_id FROM gold.dim_customer")?,
            stores: Keys::load(client, "SELECT store_key, store_id FROM gold.dim_store")?,
            products: Keys::load(client, "SELECT product_key, product_id FROM gold.dim_product")?,
        })
    }

    pub(crate) fn commit(&mut self) {
        self.customers.commit();
        self.stores.commit();
        self.products.commit();
    }

    pub(crate) fn roll_back(&mut self) {
        self.customers.roll_back();
        self.stores.roll_back();
        self.products.roll_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_gives_keys_back_in_the_same_order() {
        let mut keys = Keys::default();
        assert_eq!(keys.of(&"a".into()), 1);
        keys.commit();
        assert_eq!((keys.of(&"b".into()), keys.of(&"c".into()), keys.of(&"b".into())), (2, 3, 2));
        assert_eq!(
            keys.fresh().map(|(key, id)| (key, id.as_str())).collect::<Vec<_>>(),
            [(2, "b"), (3, "c")]
        );
        keys.roll_back();
        assert_eq!(keys.known(&"b".into()), None);
        assert_eq!((keys.of(&"c".into()), keys.of(&"a".into())), (2, 1));
    }
}
