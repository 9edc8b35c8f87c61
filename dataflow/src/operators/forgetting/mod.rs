//! Arrangements that forget: differential's own spine over batches that drop, while merging, the updates
//! whose bucket has closed.
//!
//! Law: once *settled* has passed the end of a bucket, no input changes a key of it any more. So such a key
//! is not looked up again, and its updates make no difference to any result: they are dropped without a
//! retraction.
//!
//! ```text
//! collection ── arrange ── OpenArrangement ──┬── reader ──┐
//!                                            └── reader ──┤ probe
//! partition times ──────────────────────────── settle ────┘ ── the cell that merges consult
//! ```
//!
//! A reader that has not yet seen an epoch could still look up what closes with it. [`Forgetting`] therefore
//! moves the cell only when every reader's frontier has passed the epoch. The trace of an [`OpenArrangement`]
//! is private: its methods are the only readers, and each registers what it builds.

mod batch;
mod cursor;
mod readers;
#[cfg(test)]
mod tests;

pub use batch::{OpenBatch, OpenBuilder, OpenSpine, Update};
pub use readers::OpenArrangement;

use super::stash::Stash;
use super::watermark::{PartitionTime, Watermark};
use batch::{Datum, Difference, OpenBatcher};
use differential_dataflow::difference::Semigroup;
use differential_dataflow::operators::arrange::arrangement::arrange_core;
use differential_dataflow::trace::Batcher;
use differential_dataflow::{ExchangeData, Hashable, VecCollection};
use std::cell::Cell;
use std::rc::Rc;
use timely::Container;
use timely::dataflow::channels::pact::{Exchange, ParallelizationContract, Pipeline};
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::{ProbeHandle, Stream, StreamVec};

/// Data whose bucket closes.
pub trait Closes {
    /// The first instant after the bucket, microseconds since 1970; `None` for data that stays open.
    fn closes_at(&self) -> Option<i64>;
}

/// The instant before which everything is closed, microseconds since 1970, as far as all readers of a graph
/// have read.
#[derive(Clone, Debug)]
pub struct Settled(Rc<Cell<i64>>);

impl Default for Settled {
    fn default() -> Self {
        Self(Rc::new(Cell::new(i64::MIN)))
    }
}

impl Settled {
    /// The instant.
    pub fn get(&self) -> i64 {
        self.0.get()
    }
}

/// What the forgetting arrangements of one graph on one worker share.
#[derive(Clone)]
pub struct Forgetting {
    settled: Settled,
    readers: ProbeHandle<u64>,
    first_epoch: u64,
}

impl Forgetting {
    /// For a graph whose own input begins with `first_epoch`. Earlier updates are restored from the tables,
    /// so [`OpenArrangement::totals`] does not emit them.
    pub fn new(first_epoch: u64) -> Self {
        Self { settled: Settled::default(), readers: ProbeHandle::new(), first_epoch }
    }

    /// The first epoch of the graph's own input.
    pub fn first_epoch(&self) -> u64 {
        self.first_epoch
    }

    /// Arranges a collection by key. Where keys sort by the end of their bucket, the closed ones are a
    /// prefix.
    pub fn arrange<'s, K, V, R>(
        &self,
        name: &str,
        collection: VecCollection<'s, u64, (K, V), R>,
    ) -> OpenArrangement<'s, K, V, R>
    where
        K: ExchangeData + Hashable,
        V: ExchangeData,
        R: ExchangeData + Semigroup,
        (K, V): Closes,
    {
        let by_key = Exchange::new(|((key, _), _, _): &Update<K, V, R>| key.hashed().into());
        self.arrange_core(name, collection.inner, by_key)
    }

    /// Arranges a collection of keys.
    pub fn arrange_by_self<'s, K, R>(
        &self,
        name: &str,
        collection: VecCollection<'s, u64, K, R>,
    ) -> OpenArrangement<'s, K, (), R>
    where
        K: ExchangeData + Hashable,
        R: ExchangeData + Semigroup,
        (K, ()): Closes,
    {
        let by_key = Exchange::new(|(key, _, _): &(K, u64, R)| key.hashed().into());
        self.arrange_core(name, collection.inner, by_key)
    }

    /// Arranges a collection of keys where it is: all updates of a key must already be on one worker.
    pub fn arrange_in_place<'s, K, R>(
        &self,
        name: &str,
        collection: VecCollection<'s, u64, K, R>,
    ) -> OpenArrangement<'s, K, (), R>
    where
        K: ExchangeData,
        R: ExchangeData + Semigroup,
        (K, ()): Closes,
    {
        self.arrange_core(name, collection.inner, Pipeline)
    }

    fn arrange_core<'s, K: Datum, V: Datum, R: Difference, C, P>(
        &self,
        name: &str,
        updates: Stream<'s, u64, C>,
        by_key: P,
    ) -> OpenArrangement<'s, K, V, R>
    where
        (K, V): Closes,
        C: Container + Clone + 'static,
        P: ParallelizationContract<u64, C>,
        OpenBatcher<K, V, R>: Batcher<C, Time = u64, Output = OpenBatch<K, V, R>>,
    {
        let settled = self.settled.clone();
        let batcher = move |_, _| OpenBatcher::new(settled);
        let arranged = arrange_core::<_, _, OpenBatcher<K, V, R>, _>(updates, by_key, name, batcher);
        OpenArrangement { arranged, forgetting: self.clone() }
    }

    /// Lets the arrangements forget: `times` are the partition times, on every worker; what lies `horizon`
    /// (microseconds) behind their smallest is settled.
    pub fn settle<'s>(self, horizon: i64, times: StreamVec<'s, u64, PartitionTime>) {
        let mut stash = Stash::<PartitionTime>::new(0);
        let mut watermark = Watermark::default();
        times.sink(Pipeline, "settle", move |(input, frontier)| {
            input.for_each(|capability, times| stash.hold_first(&capability, times));
            while let Some(epoch) = stash.first_epoch()
                && !self.readers.less_equal(&epoch)
                && let Some(mut epoch) = stash.next_complete(&[frontier])
            {
                watermark.update(epoch.first.drain(..));
                self.settled.0.set(watermark.settled(horizon));
            }
        });
    }

    /// Adds the frontier of a reader's output to those that `settle` waits for.
    fn register<'s, C: Container>(&self, stream: Stream<'s, u64, C>) -> Stream<'s, u64, C> {
        stream.probe_with(&self.readers)
    }
}
