//! The only ways to read a forgetting arrangement. Each registers its output, so that nothing is forgotten
//! before it has been read.

use super::batch::{Chunk, Datum, Difference};
use super::{Closes, Forgetting, OpenBatch, OpenBuilder, OpenSpine};
use crate::operators::Upsert;
use crate::operators::output::VecBuilder;
use crate::operators::state_size::StateSizeLog;
use differential_dataflow::difference::{Abelian, Monoid, Multiply, Semigroup};
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::operators::{CountTotal, ThresholdTotal};
use differential_dataflow::trace::cursor::cursor_list;
use differential_dataflow::trace::{BatchCursor, Cursor, Navigable, SpanOf, TraceReader};
use differential_dataflow::{AsCollection, Data, ExchangeData, VecCollection};
use std::collections::BTreeMap;
use std::rc::Rc;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;
use timely::progress::Antichain;

type Agent<K, V, R> = TraceAgent<OpenSpine<K, V, R>>;

/// An arrangement that forgets what has closed.
pub struct OpenArrangement<'s, K: Datum, V: Datum, R: Difference>
where
    (K, V): Closes,
{
    pub(super) arranged: Arranged<'s, Agent<K, V, R>>,
    pub(super) forgetting: Forgetting,
}

impl<K: Datum, V: Datum, R: Difference> Clone for OpenArrangement<'_, K, V, R>
where
    (K, V): Closes,
{
    fn clone(&self) -> Self {
        Self { arranged: self.arranged.clone(), forgetting: self.forgetting.clone() }
    }
}

impl<'s, K, V, R> OpenArrangement<'s, K, V, R>
where
    K: ExchangeData,
    V: ExchangeData,
    R: ExchangeData + Semigroup,
    (K, V): Closes,
{
    fn register<D: Clone + 'static, S: Clone + 'static>(
        &self,
        collection: VecCollection<'s, u64, D, S>,
    ) -> VecCollection<'s, u64, D, S> {
        self.forgetting.register(collection.inner).as_collection()
    }

    /// Differential's `join_core` with another arrangement. What closes is not retracted here, so a change on
    /// the other side can still reach it: end such a view in a filter by bucket.
    pub fn join<Tr, I, R2>(
        self,
        other: Arranged<'s, Tr>,
        result: impl FnMut(&K, &V, <BatchCursor<Tr> as Cursor>::Val<'_>) -> I + 'static,
    ) -> VecCollection<'s, u64, I::Item, <R as Multiply<R2>>::Output>
    where
        Tr: TraceReader<Batch: Navigable, Time = u64> + Clone + 'static,
        BatchCursor<Tr>: Cursor<Diff = R2, Time = u64>,
        for<'a> BatchCursor<Tr>: Cursor<Key<'a> = &'a K>,
        R: Multiply<R2, Output: Semigroup + 'static>,
        I: IntoIterator<Item: Data>,
    {
        let joined = self.arranged.clone().join_core(other, result);
        self.register(joined)
    }

    /// Differential's `reduce_abelian`, into an arrangement that forgets likewise.
    pub fn reduce<V2, R2>(
        self,
        name: &str,
        logic: impl FnMut(&K, &[(&V, R)], &mut Vec<(V2, R2)>) + 'static,
    ) -> OpenArrangement<'s, K, V2, R2>
    where
        V2: ExchangeData,
        R2: ExchangeData + Abelian,
        (K, V2): Closes,
    {
        let settled = self.forgetting.settled.clone();
        let push = move |chunk: &mut Chunk<K, V2, R2>, key: &K, updates: &mut Vec<(V2, u64, R2)>| {
            chunk.updates.clear();
            chunk
                .updates
                .extend(updates.drain(..).map(|(value, time, diff)| ((key.clone(), value), time, diff)));
            chunk.settled.clone_from(&settled);
        };
        let forgetting = self.forgetting;
        let reduced = self
            .arranged
            .reduce_abelian::<_, OpenBuilder<K, V2, R2>, OpenSpine<K, V2, R2>, Vec<K>, _>(name, logic, push);
        let Arranged { stream, trace } = reduced;
        let stream = forgetting.register(stream);
        OpenArrangement { arranged: Arranged { stream, trace }, forgetting }
    }
}

impl<'s, K, R> OpenArrangement<'s, K, (), R>
where
    K: ExchangeData,
    R: ExchangeData + Semigroup,
    (K, ()): Closes,
{
    /// Differential's `count_total`: each key with the sum of its differences.
    pub fn count_total(self) -> VecCollection<'s, u64, (K, R), isize> {
        let counted = self.arranged.clone().count_total();
        self.register(counted)
    }

    /// Differential's `distinct_total`: each key once, while its count is not zero.
    pub fn distinct_total(self) -> VecCollection<'s, u64, K, isize> {
        let distinct = self.arranged.clone().threshold_total(|_, _| 1isize);
        self.register(distinct)
    }

    /// The sum of each key's differences, as what `row` makes of upserts: one for each epoch that changed it,
    /// none where it became zero. The same as `count_total`, with half the data.
    pub fn totals<D: Clone + 'static>(
        self,
        name: &str,
        row: impl Fn(Upsert<K, R>) -> D + 'static,
    ) -> StreamVec<'s, u64, D>
    where
        R: Monoid,
    {
        let Self { arranged: Arranged { stream, mut trace }, forgetting } = self;
        let scope = stream.scope();
        let first_epoch = forgetting.first_epoch;
        let totals =
            stream.unary::<VecBuilder<D>, _, _, _>(Pipeline, &format!("{name}: totals"), move |_, info| {
                let state_size = StateSizeLog::new(scope, &info);
                let mut upper = Antichain::from_elem(0);
                move |spans, output| {
                    if streamflow_failpoint::is_stalled(streamflow_failpoint::AGGREGATES) {
                        return;
                    }
                    spans.for_each(|capability, spans| {
                        let mut changed = changed_totals(&mut trace, &mut upper, spans);
                        for (time, upserts) in changed.split_off(&first_epoch) {
                            let capability = capability.delayed(&time, 0);
                            output.session(&capability).give_iterator(upserts.into_iter().map(&row));
                        }
                    });
                    trace.advance_upper(&mut upper);
                    trace.set_logical_compaction(upper.borrow());
                    trace.set_physical_compaction(upper.borrow());
                    state_size.report(|| held(&trace));
                }
            });
        forgetting.register(totals)
    }
}

/// The totals that `spans` change, by epoch; `upper` moves behind them.
fn changed_totals<K: ExchangeData, R: ExchangeData + Monoid>(
    trace: &mut Agent<K, (), R>,
    upper: &mut Antichain<u64>,
    spans: &mut Vec<SpanOf<Agent<K, (), R>>>,
) -> BTreeMap<u64, Vec<Upsert<K, R>>>
where
    (K, ()): Closes,
{
    let mut changed: BTreeMap<u64, Vec<Upsert<K, R>>> = BTreeMap::new();
    for span in spans.drain(..) {
        let lower = std::mem::replace(upper, span.upper().clone());
        let Some(batch) = span.inner else { continue };
        let before = trace.batches_through(lower.borrow()).unwrap_or_default();
        let (mut before, earlier) = cursor_list(before);
        let mut cursor = batch.cursor();
        while let Some(key) = cursor.get_key(&batch) {
            let mut total = R::zero();
            before.seek_key(&earlier, key);
            if before.get_key(&earlier) == Some(key) {
                before.map_times(&earlier, |_, diff| total.plus_equals(diff));
            }
            cursor.map_times(&batch, |time, diff| {
                total.plus_equals(diff);
                let row = (!total.is_zero()).then(|| total.clone());
                changed.entry(*time).or_default().push((key.clone(), row));
            });
            cursor.step_key(&batch);
        }
    }
    changed
}

/// Records and bytes of a trace.
fn held<K: Datum, V: Datum, R: Difference>(trace: &Agent<K, V, R>) -> (usize, usize)
where
    (K, V): Closes,
{
    let (mut records, mut bytes) = (0, 0);
    trace.map_spans(|span| {
        if let Some(batch) = &span.inner {
            let batch: &Rc<OpenBatch<K, V, R>> = batch;
            records += batch.updates.len();
            bytes += batch.bytes();
        }
    });
    (records, bytes)
}
