//! Customers of a replay: the view with a change for nearly every transaction, and its surrogate keys.

use std::collections::BTreeMap;
use streamflow_dataflow::changes::Upsert;
use streamflow_dataflow::roster::{BATCH, Member, Roster};
use streamflow_dataflow::score::Settled;
use streamflow_dataflow::views::customer_profile::{Profile, ProfileKey};
use streamflow_model::{Currency, Id};

struct Row {
    id: Id,
    /// Zero until a final transaction names the customer.
    key: u64,
    /// The profile in the customer's first currency.
    profile: Option<(Currency, Profile)>,
}

impl Member for Row {
    fn new(id: Id) -> Self {
        Self { id, key: 0, profile: None }
    }

    fn id(&self) -> &Id {
        &self.id
    }

    fn touch(&self) {
        let alerts = self.profile.as_ref().map(|(_, profile)| profile.alerts);
        std::hint::black_box((self.key, alerts));
    }
}

/// A customer's profile in a currency.
pub struct CustomerProfile<'a> {
    pub id: &'a Id,
    pub key: u64,
    pub currency: Currency,
    pub profile: &'a Profile,
}

/// All customers.
#[derive(Default)]
pub struct Customers {
    rows: Roster<Row>,
    /// Profiles in other currencies, which few customers have.
    others: BTreeMap<ProfileKey, Profile>,
    /// Keys given out: dense from 1, in the order of first appearance.
    keys: u64,
}

impl Customers {
    /// Takes note of profiles.
    pub fn apply(&mut self, profiles: &[Upsert<ProfileKey, Profile>]) {
        for batch in profiles.chunks(BATCH) {
            let slots = self.rows.slots(batch.iter().map(|(key, _)| &key.customer));
            for ((key, profile), slot) in batch.iter().zip(slots) {
                let row = self.rows.get_mut(slot);
                let is_first = row.profile.is_none_or(|(currency, _)| currency == key.currency);
                if is_first && !self.others.contains_key(key) {
                    row.profile = profile.map(|profile| (key.currency, profile));
                } else if let Some(profile) = profile {
                    self.others.insert(key.clone(), *profile);
                } else {
                    self.others.remove(key);
                }
            }
        }
    }

    /// The slots of the customers of at most [`BATCH`] transactions.
    pub fn slots<'a>(&mut self, transactions: impl Iterator<Item = &'a Settled> + Clone) -> Vec<u32> {
        self.rows.slots(transactions.map(|settled| &settled.transaction.customer))
    }

    /// The slot of a customer.
    pub fn slot(&mut self, id: &Id) -> u32 {
        self.rows.slot(id)
    }

    /// The slot of a customer that is known.
    pub fn find(&self, id: &Id) -> Option<u32> {
        self.rows.find(id)
    }

    /// The surrogate key of the customer at a slot.
    pub fn key(&mut self, slot: u32) -> u64 {
        let row = self.rows.get_mut(slot);
        if row.key == 0 {
            self.keys += 1;
            row.key = self.keys;
        }
        row.key
    }

    /// The surrogate key of a customer.
    pub fn key_of(&mut self, id: &Id) -> u64 {
        let slot = self.rows.slot(id);
        self.key(slot)
    }

    /// All customers that have a key, by key.
    pub fn by_key(&self) -> Vec<(u64, &Id)> {
        let rows = self.rows.in_use().map(|slot| self.rows.get(slot));
        let mut keyed: Vec<_> = rows.filter(|row| row.key > 0).map(|row| (row.key, &row.id)).collect();
        keyed.sort_unstable();
        keyed
    }

    /// All profiles by customer id and currency.
    pub fn profiles(&self) -> Vec<CustomerProfile<'_>> {
        let rows = self.rows.in_use().map(|slot| self.rows.get(slot));
        let firsts = rows.filter_map(|row| {
            let (currency, profile) = row.profile.as_ref()?;
            Some(CustomerProfile { id: &row.id, key: row.key, currency: *currency, profile })
        });
        let others = self.others.iter().map(|(of, profile)| {
            let key = self.rows.find(&of.customer).map_or(0, |slot| self.rows.get(slot).key);
            CustomerProfile { id: &of.customer, key, currency: of.currency, profile }
        });
        let mut profiles: Vec<_> = firsts.chain(others).collect();
        profiles.sort_unstable_by_key(|profile| (profile.id, profile.currency));
        profiles
    }
}
