//! Sums by key as differential collections: a collection of keys whose *difference* is the sum, so that a
//! retraction is a subtraction.
//!
//! ```
//! use differential_dataflow::difference::{Abelian, Semigroup};
//! use serde::{Deserialize, Serialize};
//! use streamflow_dataflow::abelian;
//!
//! #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
//! struct Visits {
//!     count: i64,
//!     cents: i128,
//! }
//! abelian!(Visits { count, cents });
//!
//! let mut sum = Visits { count: 2, cents: 350 };
//! let mut retracted = Visits { count: 1, cents: 100 };
//! retracted.negate();
//! sum.plus_equals(&retracted);
//! assert_eq!(sum, Visits { count: 1, cents: 250 });
//! ```

use super::forgetting::{Closes, Forgetting};
use crate::operators::Upsert;
use crate::operators::output::VecBuilder;
use crate::operators::stash::Stash;
use differential_dataflow::consolidation::consolidate_updates;
use differential_dataflow::difference::{Abelian, Multiply};
use differential_dataflow::{AsCollection, ExchangeData, Hashable, VecCollection};
use std::hash::Hash;
use std::rc::Rc;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::{Stream, StreamVec};

/// A key of an aggregate.
pub trait Key: ExchangeData + Hash {
    /// The first instant after the key's bucket, microseconds since 1970; `None` for a key that stays open.
    fn closes_at(&self) -> Option<i64>;
}

impl<K: Key> Closes for (K, ()) {
    fn closes_at(&self) -> Option<i64> {
        self.0.closes_at()
    }
}

/// A value of an aggregate: an abelian group with multiplicities.
pub trait Sum: ExchangeData + Abelian + Multiply<isize, Output = Self> {}
impl<S: ExchangeData + Abelian + Multiply<isize, Output = Self>> Sum for S {}

/// Adds a difference to the sum of a key; no sum is zero.
pub fn add<V: Sum>(sum: &mut Option<V>, difference: &V) {
    let mut total = sum.take().unwrap_or_else(V::zero);
    total.plus_equals(difference);
    *sum = (!total.is_zero()).then_some(total);
}

/// Multiplication by an integer, such as a difference of -1 or 2.
pub trait Scale {
    /// Multiplies by `times`.
    fn scale(&mut self, times: isize);
}

impl Scale for isize {
    fn scale(&mut self, times: isize) {
        *self *= times;
    }
}

impl Scale for i64 {
    fn scale(&mut self, times: isize) {
        *self *= times as i64;
    }
}

impl Scale for i128 {
    fn scale(&mut self, times: isize) {
        *self *= times as i128;
    }
}

/// Makes a struct of sums an abelian group, field by field. Every field must be named.
#[macro_export]
macro_rules! abelian {
    ($Sum:ident { $($field:ident),+ }) => {
        impl differential_dataflow::difference::IsZero for $Sum {
            fn is_zero(&self) -> bool {
                let Self { $($field),+ } = self;
                $($field.is_zero())&&+
            }
        }
        impl differential_dataflow::difference::Semigroup for $Sum {
            fn plus_equals(&mut self, other: &Self) {
                let Self { $($field),+ } = self;
                $(differential_dataflow::difference::Semigroup::plus_equals($field, &other.$field);)+
            }
        }
        impl differential_dataflow::difference::Monoid for $Sum {
            fn zero() -> Self {
                Self::default()
            }
        }
        impl differential_dataflow::difference::Abelian for $Sum {
            fn negate(&mut self) {
                let Self { $($field),+ } = self;
                $(differential_dataflow::difference::Abelian::negate($field);)+
            }
        }
        impl $crate::operators::sums::Scale for $Sum {
            fn scale(&mut self, times: isize) {
                let Self { $($field),+ } = self;
                $($crate::operators::sums::Scale::scale($field, times);)+
            }
        }
        impl differential_dataflow::difference::Multiply<isize> for $Sum {
            type Output = Self;
            fn multiply(mut self, times: &isize) -> Self {
                $crate::operators::sums::Scale::scale(&mut self, *times);
                self
            }
        }
    };
}

/// A collection whose containers are shared by reference among many readers.
pub type SharedCollection<'s, D> = Stream<'s, u64, Rc<Vec<(D, u64, isize)>>>;

type ByKey<K, V> = hashbrown::HashMap<K, V, foldhash::fast::FixedState>;

/// The sums of `contributions` by key, consolidated within each batch before they are exchanged:
/// differential's `explode` and `consolidate_stream` in one.
pub fn sum_by<'s, D: Clone + 'static, K: Key, V: Sum, I: IntoIterator<Item = (K, V)>>(
    name: &str,
    data: SharedCollection<'s, D>,
    contributions: impl Fn(&D) -> I + 'static,
) -> VecCollection<'s, u64, K, V> {
    let summed = data.unary::<VecBuilder<(K, u64, V)>, _, _, _>(Pipeline, name, |_, _| {
        let mut sums = ByKey::<K, V>::default();
        move |input, output| {
            input.for_each(|capability, data| {
                let mut session = output.session(&capability);
                for of_epoch in data.chunk_by(|one, next| one.1 == next.1) {
                    let Some((_, time, _)) = of_epoch.first() else { continue };
                    for (datum, _, diff) in of_epoch {
                        for (key, value) in contributions(datum) {
                            let sum = sums.entry(key).or_insert_with(V::zero);
                            sum.plus_equals(&value.multiply(diff));
                        }
                    }
                    session.give_iterator(sums.drain().map(|(key, sum)| (key, *time, sum)));
                }
            });
        }
    });
    summed.as_collection()
}

/// The sums of `contributions` by key, as what `row` makes of upserts: the new sum of each key that changed,
/// none where it became zero. The sums of `restored` are part of them from the start.
pub fn totals<'s, K: Key, V: Sum, D: Clone + 'static>(
    name: &str,
    forgetting: &Forgetting,
    restored: VecCollection<'s, u64, K, V>,
    contributions: VecCollection<'s, u64, K, V>,
    row: impl Fn(Upsert<K, V>) -> D + 'static,
) -> StreamVec<'s, u64, D> {
    forgetting.arrange_by_self(name, contributions.concat(restored)).totals(name, row)
}

/// The sum of each epoch's `contributions` by key, as what `row` makes of it: one for each key and epoch, none
/// where it is zero. Nothing is kept.
pub fn differences<'s, K: Key, V: Sum, D: Clone + 'static>(
    name: &str,
    contributions: VecCollection<'s, u64, K, V>,
    row: impl Fn((K, V)) -> D + 'static,
) -> StreamVec<'s, u64, D> {
    let by_key = Exchange::new(|(key, _, _): &(K, u64, V)| key.hashed());
    let name = format!("{name}: differences");
    contributions.inner.unary_frontier::<VecBuilder<D>, _, _, _>(by_key, &name, move |_, _| {
        let mut stash = Stash::<(K, u64, V)>::new(1);
        move |(input, frontier), output| {
            input.for_each(|capability, contributions| stash.hold_first(&capability, contributions));
            while let Some(mut epoch) = stash.next_complete(&[frontier]) {
                consolidate_updates(&mut epoch.first);
                if let Some(capability) = epoch.capabilities.first() {
                    let sums = epoch.first.into_iter().map(|(key, _, sum)| row((key, sum)));
                    output.session(capability).give_iterator(sums);
                }
            }
        }
    })
}
