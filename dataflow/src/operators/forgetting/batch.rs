//! The batches of a forgetting arrangement: sorted updates, and the merger that drops what has closed.

use super::{Closes, Settled};
use differential_dataflow::batcher::Extract;
use differential_dataflow::consolidation::consolidate_updates;
use differential_dataflow::difference::Semigroup;
use differential_dataflow::trace::implementations::spine_fueled::{Merger, Spine, SpineBatch};
use differential_dataflow::trace::{Batcher, Builder};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::rc::Rc;
use timely::progress::Antichain;
use timely::progress::frontier::AntichainRef;

/// Bounds of keys and values in arrangements.
pub trait Datum: Ord + Clone + Debug + 'static {}
impl<D: Ord + Clone + Debug + 'static> Datum for D {}

/// Bounds of differences in arrangements.
pub trait Difference: Semigroup + Ord + 'static {}
impl<R: Semigroup + Ord + 'static> Difference for R {}

/// An update of a collection: data, epoch, difference.
pub type Update<K, V, R> = ((K, V), u64, R);

/// The trace of a forgetting arrangement.
pub type OpenSpine<K, V, R> = Spine<Rc<OpenBatch<K, V, R>>>;

/// Consolidated updates, sorted by data, and the cell with the instant before which they are closed.
pub struct OpenBatch<K, V, R> {
    pub(super) updates: Vec<Update<K, V, R>>,
    settled: Settled,
}

impl<K, V, R> OpenBatch<K, V, R> {
    /// `None` where there are no updates.
    fn new(updates: Vec<Update<K, V, R>>, settled: Settled) -> Option<Self> {
        (!updates.is_empty()).then_some(Self { updates, settled })
    }

    /// Memory of the updates, without what keys and values hold elsewhere, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.updates.capacity() * size_of::<Update<K, V, R>>()
    }
}

impl<K: Datum, V: Datum, R: Difference> SpineBatch for OpenBatch<K, V, R>
where
    (K, V): Closes,
{
    type Time = u64;
    type Merger = OpenMerger<K, V, R>;

    fn len(&self) -> usize {
        self.updates.len()
    }
}

/// Merges two batches, a bounded number of updates at a time.
pub struct OpenMerger<K, V, R> {
    since: Option<u64>,
    cell: Settled,
    /// The cell's value when the merge began.
    settled: i64,
    next_of_one: usize,
    next_of_other: usize,
    merged: Vec<Update<K, V, R>>,
}

impl<K: Datum, V: Datum, R: Difference> OpenMerger<K, V, R>
where
    (K, V): Closes,
{
    fn push(&mut self, (data, time, diff): &Update<K, V, R>) {
        let time = self.since.map_or(*time, |since| since.max(*time));
        if let Some(last) = self.merged.last_mut() {
            if last.1 == time && last.0 == *data {
                last.2.plus_equals(diff);
                return;
            }
            self.drop_cancelled();
        }
        if data.closes_at().is_none_or(|end| end > self.settled) {
            self.merged.push((data.clone(), time, diff.clone()));
        }
    }

    /// Drops the last update, which is complete, if it is zero.
    fn drop_cancelled(&mut self) {
        if self.merged.last().is_some_and(|(_, _, diff)| diff.is_zero()) {
            self.merged.pop();
        }
    }
}

impl<K: Datum, V: Datum, R: Difference> Merger<OpenBatch<K, V, R>> for OpenMerger<K, V, R>
where
    (K, V): Closes,
{
    fn new(one: &OpenBatch<K, V, R>, other: &OpenBatch<K, V, R>, since: AntichainRef<'_, u64>) -> Self {
        Self {
            since: since.first().copied(),
            cell: one.settled.clone(),
            settled: one.settled.get(),
            next_of_one: 0,
            next_of_other: 0,
            merged: Vec::with_capacity(one.updates.len() + other.updates.len()),
        }
    }

    fn work(&mut self, one: &OpenBatch<K, V, R>, other: &OpenBatch<K, V, R>, fuel: &mut isize) {
        while *fuel > 0 {
            let of_one = one.updates.get(self.next_of_one);
            let of_other = other.updates.get(self.next_of_other);
            let from_one = match (of_one, of_other) {
                (None, None) => break,
                (Some(a), Some(b)) => a.0 <= b.0,
                (of_one, None) => of_one.is_some(),
                (None, Some(_)) => false,
            };
            let next = if from_one { of_one } else { of_other };
            let Some(update) = next else { break };
            if from_one {
                self.next_of_one += 1;
            } else {
                self.next_of_other += 1;
            }
            self.push(update);
            *fuel -= 1;
        }
    }

    fn done(mut self) -> Option<OpenBatch<K, V, R>> {
        self.drop_cancelled();
        self.merged.shrink_to_fit();
        OpenBatch::new(self.merged, self.cell)
    }
}

/// Gathers updates by epoch until their epochs are complete.
pub(super) struct OpenBatcher<K, V, R> {
    held: BTreeMap<u64, Vec<Update<K, V, R>>>,
    lowest: Antichain<u64>,
    settled: Settled,
}

impl<K, V, R> OpenBatcher<K, V, R> {
    pub(super) fn new(settled: Settled) -> Self {
        Self { held: BTreeMap::new(), lowest: Antichain::new(), settled }
    }

    /// Nearly always the updates of a container are of one epoch.
    fn hold(&mut self, updates: impl Iterator<Item = Update<K, V, R>>) {
        let mut updates = updates.peekable();
        while let Some((_, time, _)) = updates.peek() {
            let time = *time;
            let held = self.held.entry(time).or_default();
            held.extend(std::iter::from_fn(|| updates.next_if(|update| update.1 == time)));
        }
    }
}

impl<K: Datum, V: Datum, R: Difference> Extract for OpenBatcher<K, V, R> {
    type Time = u64;
    type Output = OpenBatch<K, V, R>;

    fn extract<'a>(
        &'a mut self,
        upper: AntichainRef<'_, u64>,
    ) -> (Option<OpenBatch<K, V, R>>, AntichainRef<'a, u64>) {
        let later = upper.first().map(|upper| self.held.split_off(upper)).unwrap_or_default();
        let mut complete = std::mem::replace(&mut self.held, later).into_values();
        let mut updates = complete.next().unwrap_or_default();
        complete.for_each(|mut more| updates.append(&mut more));
        consolidate_updates(&mut updates);
        self.lowest.clear();
        self.lowest.extend(self.held.keys().next().copied());
        (OpenBatch::new(updates, self.settled.clone()), self.lowest.borrow())
    }
}

impl<K: Datum, V: Datum, R: Difference> Batcher<Vec<Update<K, V, R>>> for OpenBatcher<K, V, R> {
    fn insert(&mut self, container: &mut Vec<Update<K, V, R>>) {
        self.hold(container.drain(..));
    }
}

/// A collection of keys alone is arranged as it comes.
impl<K: Datum, R: Difference> Batcher<Vec<(K, u64, R)>> for OpenBatcher<K, (), R> {
    fn insert(&mut self, container: &mut Vec<(K, u64, R)>) {
        self.hold(container.drain(..).map(|(key, time, diff)| ((key, ()), time, diff)));
    }
}

/// Updates for a batch, and the cell that it will consult.
pub struct Chunk<K, V, R> {
    pub(super) updates: Vec<Update<K, V, R>>,
    pub(super) settled: Settled,
}

impl<K, V, R> Default for Chunk<K, V, R> {
    fn default() -> Self {
        Self { updates: Vec::new(), settled: Settled::default() }
    }
}

/// Builds a batch from sorted updates: the output of a reduction.
pub struct OpenBuilder<K, V, R>(Chunk<K, V, R>);

impl<K, V, R> Default for OpenBuilder<K, V, R> {
    fn default() -> Self {
        Self(Chunk::default())
    }
}

impl<K: Datum, V: Datum, R: Difference> Builder for OpenBuilder<K, V, R> {
    type Input = Chunk<K, V, R>;
    type Time = u64;
    type Output = OpenBatch<K, V, R>;

    fn push(&mut self, chunk: &mut Self::Input) {
        self.0.updates.append(&mut chunk.updates);
        self.0.settled.clone_from(&chunk.settled);
    }

    fn done(self) -> Option<Self::Output> {
        OpenBatch::new(self.0.updates, self.0.settled)
    }
}
