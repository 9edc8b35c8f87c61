//! Customers of a replay: the view with a change for nearly every transaction, and its surrogate keys.

use streamflow_dataflow::changes::Upsert;
use streamflow_dataflow::roster::{BATCH, Member, Roster};
use streamflow_dataflow::score::Settled;
use streamflow_dataflow::views::customer_profile::Profile;
use streamflow_model::Id;

struct Row {
    id: Id,
    /// Zero until a final transaction names the customer.
    key: u64,
    profile: Option<Profile>,
}

impl Member for Row {
    fn new(id: Id) -> Self {
        Self { id, key: 0, profile: None }
    }

    fn id(&self) -> &Id {
        &self.id
    }

    fn touch(&self) {
        let alerts = self.profile.as_ref().map(|profile| profile.alerts);
        std::hint::black_box((self.key, alerts));
    }
}

/// All customers.
#[derive(Default)]
pub struct Customers {
    rows: Roster<Row>,
    /// Keys given out: dense from 1, in the order of first appearance.
    keys: u64,
}

impl Customers {
    /// Takes note of profiles.
    pub fn apply(&mut self, mut profiles: Vec<Upsert<Id, Profile>>) {
        for batch in profiles.chunks_mut(BATCH) {
            let slots = self.rows.slots(batch.iter().map(|(id, _)| id));
            for ((_, profile), slot) in batch.iter_mut().zip(slots) {
                self.rows.get_mut(slot).profile = profile.take();
            }
        }
    }

    /// The slots of the customers of at most [`BATCH`] transactions.
    pub fn slots<'a>(&mut self, transactions: impl Iterator<Item = &'a Settled> + Clone) -> Vec<u32> {
        self.rows.slots(transactions.map(|settled| &settled.transaction.customer))
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

    /// All profiles by customer id, with the customers' keys.
    pub fn profiles(&self) -> Vec<(&Id, u64, &Profile)> {
        let rows = self.rows.in_use().map(|slot| self.rows.get(slot));
        let mut profiles: Vec<_> =
            rows.filter_map(|row| Some((&row.id, row.key, row.profile.as_ref()?))).collect();
        profiles.sort_unstable_by_key(|(id, _, _)| *id);
        profiles
    }
}
