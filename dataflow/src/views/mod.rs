//! The maintained views over facts: a file each, named like its table in gold.
//!
//! ```text
//! scored ───┬── facts ──┬── sums of agg_daily_fraud ──────── arrange (forgets) ── totals ──┐
//!           │           ├── sums of agg_hourly_sales ─────── arrange (forgets) ── totals ──┼── rows
//!           │           └── ...                                                            ┘
//! amended ──┴── facts in closed buckets ──┬── sums of agg_daily_fraud ───── differences ───┐
//!                                         └── ...                                          ┴── differences
//! ```
//!
//! Law: at a complete epoch the row of each key, which is its last upsert and the differences after it, is the
//! sum of what all current transactions contribute to it. Amounts of different currencies are never added: a key
//! of a sum that holds money names its currency. A key whose bucket ends before settled is forgotten
//! and its row in the table stays; an amended version of a final transaction still reaches it, as a difference
//! of that row. What was settled in the epochs before the version's own decides between the two: then an
//! arrangement still has every key that is open, and no upsert of a key follows a difference.
//!
//! A new view is a module with a type that implements [`View`], and its line in
//! [`for_each_view`](crate::for_each_view).

pub mod agg_daily_fraud;
pub mod agg_hourly_sales;
pub mod books;
pub mod customer_profile;
mod fact;
pub mod payment_performance;
pub mod quality;
pub mod realtime_metrics;
pub mod realtime_store_metrics;
mod registry;
mod rows;
pub mod rule_performance;
mod sales;
pub mod store_performance;
#[cfg(test)]
mod tests;

pub use fact::{Fact, Facts, Group, HourlyGroup};
pub use registry::{PerView, Registered, Take, Update, ViewRow, Views, Visit, VisitBoth, maintain_all};
pub use rows::Rows;
pub use sales::{CustomerSales, Sales};

use crate::operators::Upsert;
use crate::operators::forgetting::Forgetting;
use crate::operators::output::VecBuilder;
use crate::operators::sums::{self, Key, Sum};
use crate::tally::Tally;
use differential_dataflow::{AsCollection, VecCollection};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::vec::Map;

/// The list of all views: module and type.
#[macro_export]
macro_rules! for_each_view {
    ($generate:ident) => {
        $generate! {
            agg_daily_fraud AggDailyFraud,
            agg_hourly_sales AggHourlySales,
            payment_performance PaymentPerformance,
            realtime_metrics RealtimeMetrics,
            realtime_store_metrics RealtimeStoreMetrics,
            rule_performance RulePerformance,
            store_performance StorePerformance,
        }
    };
}

/// A view: sums over facts by key.
pub trait View: Registered {
    /// Its name, that of its table in gold.
    const NAME: &'static str;
    /// What it is grouped by.
    type Key: Key;
    /// What it adds up.
    type Sum: Sum;

    /// The collection of its keys whose difference is their sum.
    fn sums<'s>(facts: &Facts<'s>) -> VecCollection<'s, u64, Self::Key, Self::Sum>;
}

/// The new row of a key of `V`; `None` removes it.
pub type RowOf<V> = Upsert<<V as View>::Key, <V as View>::Sum>;

/// The output of maintained views.
pub struct Maintained<'s> {
    /// The rows of open keys, as they change.
    pub rows: StreamVec<'s, u64, ViewRow>,
    /// What amended facts add to the rows of closed keys: of each key one an epoch at most.
    pub differences: StreamVec<'s, u64, ViewRow>,
}

/// Maintains one view. `restored` are the rows that the tables hold.
fn maintain<'s, V: View>(facts: &Facts<'s>, restored: &StreamVec<'s, u64, ViewRow>) -> Maintained<'s> {
    let restored = restored.clone().flat_map(|row| V::of(row).and_then(|(key, sum)| Some((key, 0, sum?))));
    let rows = sums::totals(V::NAME, facts.forgetting(), restored.as_collection(), V::sums(facts), V::row);
    let difference = |(key, sum)| V::row((key, Some(sum)));
    Maintained { rows, differences: sums::differences(V::NAME, V::sums(&facts.closed()), difference) }
}

/// Maintains the number of events by key: those of `tallies` that have a key, and the `restored` numbers that
/// the tables hold.
fn maintain_counts<'s, K: Key>(
    name: &str,
    forgetting: &Forgetting,
    restored: StreamVec<'s, u64, Upsert<K, i64>>,
    tallies: StreamVec<'s, u64, Tally>,
    key: impl Fn(&Tally) -> Option<K> + 'static,
) -> StreamVec<'s, u64, Upsert<K, i64>> {
    let restored = restored.flat_map(|(key, events)| Some((key, 0, events? as isize))).as_collection();
    let counted = tallies.unary::<VecBuilder<_>, _, _, _>(Pipeline, name, move |_, _| {
        move |input, output| {
            input.for_each(|capability, tallies| {
                let Some(time) = capability.least().copied() else { return };
                let count = |tally: Tally| Some((key(&tally)?, time, tally.events as isize));
                output.session(&capability).give_iterator(tallies.drain(..).filter_map(count));
            });
        }
    });
    let counts = |(key, events): Upsert<K, isize>| (key, events.map(|events| events as i64));
    sums::totals(name, forgetting, restored, counted.as_collection(), counts)
}
