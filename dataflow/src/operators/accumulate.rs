//! Maintained sums by key: the operator behind every aggregate.
//!
//! Law: at a complete epoch, each key that is still open has exactly the sum of all its contributions up to it, and the
//! stream of upserts, folded by key, says so. A key whose bucket lies wholly behind the settled instant can get no more
//! contributions; it is let go without a word, and the row that was last written stays.

use super::holding::HoldingLog;
use super::stash::Stash;
use super::watermark::{ReferenceTime, Watermark};
use crate::changes::Upsert;
use std::hash::Hash;
use std::ops::AddAssign;
use timely::ExchangeData;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

type Map<K, V> = hashbrown::HashMap<K, V, foldhash::fast::FixedState>;

/// A key of an aggregate.
pub trait Key: ExchangeData + Clone + Hash + Eq + Ord {
    /// The first instant behind the key's bucket, microseconds since 1970; `None` for a key that stays open.
    fn closes_at(&self) -> Option<i64>;
}

/// A value of an aggregate: a commutative group.
pub trait Sum: ExchangeData + Clone + Default + PartialEq + AddAssign {}

impl<V: ExchangeData + Clone + Default + PartialEq + AddAssign> Sum for V {}

/// The sums of `contributions` by key, as upserts: the new sum of each key that changed, none where it came to zero. Those
/// of `restored` are there from the beginning, without a word.
pub fn accumulate<'s, K: Key, V: Sum>(
    name: &str,
    horizon: i64,
    restored: StreamVec<'s, u64, (K, V)>,
    contributions: StreamVec<'s, u64, (K, V)>,
    references: StreamVec<'s, u64, ReferenceTime>,
) -> StreamVec<'s, u64, Upsert<K, V>> {
    let by_key = || Exchange::new(|(key, _): &(K, V)| hash(key));
    let scope = contributions.scope();
    let mut builder = OperatorBuilder::new(name.to_owned(), scope);
    let holding = HoldingLog::new(scope, &builder.operator_info());
    let mut contributions = builder.new_input(contributions, by_key());
    let mut references = builder.new_input(references, Pipeline);
    let mut restored = builder.new_input(restored, by_key());
    let (changes_out, changes) = builder.new_output();
    builder.build(move |_| {
        let mut changes_out =
            OutputBuilder::<_, CapacityContainerBuilder<Vec<Upsert<K, V>>>>::from(changes_out);
        let mut stash = Stash::new(1);
        let mut watermark = Watermark::default();
        let mut sums = Sums::default();
        move |frontiers| {
            if streamflow_failpoint::is_stalled(streamflow_failpoint::AGGREGATES) {
                return;
            }
            contributions.for_each(|capability, data| stash.hold_first(&capability, data));
            references.for_each(|capability, data| stash.hold_second(&capability, data));
            restored.for_each(|_, data| sums.restore(data.drain(..)));
            if !frontiers[2].is_empty() {
                return;
            }
            while let Some(mut epoch) = stash.next_complete(&[&frontiers[0], &frontiers[1]]) {
                sums.add(epoch.first.drain(..));
                if let Some(capability) = epoch.capabilities.first() {
                    changes_out.activate().session(capability).give_iterator(sums.take_changes());
                }
                watermark.update(epoch.second.drain(..));
                sums.forget(watermark.settled(horizon));
                holding.tell(|| (sums.open.len(), sums.open.allocation_size()));
            }
        }
    });
    changes
}

fn hash<K: Hash>(key: &K) -> u64 {
    use std::hash::BuildHasher;
    foldhash::fast::FixedState::with_seed(0x0a_cc_5e_ed).hash_one(key)
}

struct Sums<K, V> {
    open: Map<K, Slot<V>>,
    /// Keys whose slot is marked.
    changed: Vec<K>,
    /// Where the last sweep for closed keys stood.
    swept: i64,
}

#[derive(Default)]
struct Slot<V> {
    sum: V,
    changed: bool,
}

impl<K: Key, V: Sum> Default for Sums<K, V> {
    fn default() -> Self {
        Self { open: Map::default(), changed: Vec::new(), swept: i64::MIN }
    }
}

/// Keys are swept this often in settled time, microseconds.
const SWEEP: i64 = streamflow_model::timestamp::MINUTE;

impl<K: Key, V: Sum> Sums<K, V> {
    fn add(&mut self, contributions: impl Iterator<Item = (K, V)>) {
        for (key, value) in contributions {
            let slot = self.open.entry_ref(&key).or_default();
            slot.sum += value;
            if !slot.changed {
                slot.changed = true;
                self.changed.push(key);
            }
        }
    }

    fn restore(&mut self, sums: impl Iterator<Item = (K, V)>) {
        sums.for_each(|(key, sum)| self.open.entry(key).or_default().sum += sum);
    }

    fn take_changes(&mut self) -> impl Iterator<Item = Upsert<K, V>> + '_ {
        let open = &mut self.open;
        self.changed.drain(..).map(|key| {
            let slot = open.get_mut(&key).filter(|slot| slot.sum != V::default());
            let sum = slot.map(|slot| {
                slot.changed = false;
                slot.sum.clone()
            });
            if sum.is_none() {
                open.remove(&key);
            }
            (key, sum)
        })
    }

    fn forget(&mut self, settled: i64) {
        if settled.saturating_sub(self.swept) < SWEEP {
            return;
        }
        self.swept = settled;
        self.open.retain(|key, _| key.closes_at().is_none_or(|end| end > settled));
    }
}
