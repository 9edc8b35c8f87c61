//! Facts: transactions as the views add them up.

use super::Sales;
use crate::operators::forgetting::{Closes, Forgetting};
use crate::operators::ordered;
use crate::operators::output::VecBuilder;
use crate::operators::settled_before::{Settling, settled_before};
use crate::operators::sums::{self, Key, SharedCollection, Sum};
use crate::operators::watermark::PartitionTime;
use crate::roster::OfMember;
use crate::score::{Amended, Scored};
use crate::settings::Settings;
use chrono_tz::Tz;
use differential_dataflow::{AsCollection, VecCollection};
use foldhash::fast::FixedState;
use indexmap::IndexSet;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::hash::Hash;
use std::rc::Rc;
use std::sync::Arc;
use streamflow_model::timestamp::{HOUR, MINUTE};
use streamflow_model::{Calendar, Transaction};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::vec::Filter;

/// A current transaction that is not voided, with its verdict and its buckets.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The transaction and the verdict on it.
    pub scored: Scored,
    /// Its customer's slot on this worker.
    pub customer_slot: u32,
    /// Its local day, days since 1970-01-01.
    pub day: i32,
    /// Start of its local hour, microseconds since 1970.
    pub hour_start: i64,
    /// Start of its minute, microseconds since 1970.
    pub minute_start: i64,
    /// Buckets that end by then were closed when it came, microseconds since 1970; `i64::MIN` where it is not
    /// amended, as then all its buckets are open.
    closed_before: i64,
    /// It is amended, and its customer's only final one in its local hour at its store.
    sole_in_hour: bool,
}

impl Fact {
    fn new(calendar: &Calendar, OfMember { slot, value: scored }: OfMember<Scored>) -> Self {
        let event_time = scored.transaction.event_time;
        Self {
            day: calendar.day(event_time),
            hour_start: calendar.hour_start(event_time),
            minute_start: event_time - event_time.rem_euclid(MINUTE),
            scored,
            customer_slot: slot,
            closed_before: i64::MIN,
            sole_in_hour: false,
        }
    }

    fn amended(calendar: &Calendar, amended: OfMember<Amended>, closed_before: i64) -> Self {
        let OfMember { slot, value: Amended { scored, sole_in_hour, .. } } = amended;
        Self { closed_before, sole_in_hour, ..Self::new(calendar, OfMember { slot, value: scored }) }
    }

    /// Start of its local hour, if that was closed when it came.
    fn closed_hour(&self) -> Option<i64> {
        is_closed(self.closed_before, || hour_end(self.hour_start)).then_some(self.hour_start)
    }

    /// What it adds to sales.
    pub fn sales(&self) -> Sales {
        Sales { transactions: 1, cents: self.scored.transaction.amount.0.into(), alerts: self.alerts() }
    }

    /// 1 where it is alerted, else 0.
    pub fn alerts(&self) -> i64 {
        self.scored.verdict.alert.into()
    }
}

/// Whether a bucket that ends at `closes_at` was closed. Nothing is for all but amended facts, so this is asked
/// first.
fn is_closed(closed_before: i64, closes_at: impl FnOnce() -> Option<i64>) -> bool {
    closed_before != i64::MIN && closes_at().is_some_and(|end| end <= closed_before)
}

/// The collection of facts, shared by reference among the views, and which of their buckets are looked at.
pub struct Facts<'s> {
    /// All facts, or only amended ones where closed buckets are looked at.
    current: SharedCollection<'s, Fact>,
    /// Those that a correction or void of a final transaction retracts or asserts.
    amended: SharedCollection<'s, Fact>,
    /// The closed buckets are looked at, or else the open ones.
    closed: bool,
    /// Transactions of before the first epoch.
    restored: StreamVec<'s, u64, OfMember<Arc<Transaction>>>,
    time_zone: Tz,
    forgetting: Forgetting,
    /// Transactions before it were final before the first epoch.
    restored_settled: i64,
}

impl<'s> Facts<'s> {
    /// How far before settled restored transactions are still needed, microseconds.
    pub const RESTORED: i64 = HOUR;

    /// The facts of scored transactions, and of `amended` versions of final ones, in open buckets. `restored`
    /// are the transactions behind what the tables hold, at least those since [`Self::RESTORED`] before
    /// `restored_settled`; `times` are the partition times, on every worker.
    pub fn new(
        settings: &Settings,
        restored_settled: i64,
        forgetting: &Forgetting,
        restored: StreamVec<'s, u64, OfMember<Arc<Transaction>>>,
        scored: VecCollection<'s, u64, OfMember<Scored>, isize>,
        amended: VecCollection<'s, u64, OfMember<Amended>, isize>,
        times: StreamVec<'s, u64, PartitionTime>,
    ) -> Self {
        let calendar = Calendar::new(settings.time_zone);
        let amended = amended_facts(settings, restored_settled, amended, times);
        let fact = move |(scored, time, diff)| (Fact::new(&calendar, scored), time, diff);
        let current = scored.inner.unary::<CapacityContainerBuilder<Rc<Vec<_>>>, _, _, _>(
            Pipeline,
            "facts",
            move |_, _| {
                move |input, output| {
                    input.for_each(|capability, data| {
                        let current =
                            data.drain(..).filter(|(scored, _, _)| !scored.value.transaction.voided);
                        let facts: Vec<_> = current.map(&fact).collect();
                        output.session(&capability).give_container(&mut Rc::new(facts));
                    });
                }
            },
        );
        Self {
            current: current.concat(amended.clone()),
            amended,
            closed: false,
            restored,
            time_zone: settings.time_zone,
            forgetting: forgetting.clone(),
            restored_settled,
        }
    }

    /// The same facts in closed buckets, whose sums are forgotten: there only amended ones contribute, and
    /// what they contribute is the difference of a stored row.
    #[must_use]
    pub fn closed(&self) -> Self {
        Self {
            current: self.amended.clone(),
            amended: self.amended.clone(),
            closed: true,
            restored: self.restored.clone(),
            time_zone: self.time_zone,
            forgetting: self.forgetting.clone(),
            restored_settled: self.restored_settled,
        }
    }

    /// What the views' arrangements share.
    pub fn forgetting(&self) -> &Forgetting {
        &self.forgetting
    }

    /// The name of an operator of a view.
    fn named(&self, view: &str) -> String {
        format!("{view}{}", if self.closed { ": closed" } else { "" })
    }

    /// A collection of keys whose difference is the sum of what facts contribute to them.
    pub fn sum<K: Key, V: Sum, I: IntoIterator<Item = (K, V)>>(
        &self,
        name: &str,
        contributions: impl Fn(&Fact) -> I + 'static,
    ) -> VecCollection<'s, u64, K, V> {
        let closed = self.closed;
        sums::sum_by(&self.named(name), self.current.clone(), move |fact| {
            let closed_before = fact.closed_before;
            let is_wanted = move |(key, _): &(K, V)| is_closed(closed_before, || key.closes_at()) == closed;
            contributions(fact).into_iter().filter(is_wanted)
        })
    }

    /// The groups of each local hour, as often as they have customers with a fact there. Customers of before
    /// the first epoch are not emitted: stored sums count them. In a closed hour the set of customers is
    /// forgotten; there history says whether a fact is its customer's only one at its store.
    ///
    /// A customer's facts are all on one worker, so nothing is exchanged, and numbers of that worker name
    /// group and customer.
    pub fn hourly_customers<G: Group>(
        &self,
        name: &str,
        group: impl Fn(&Transaction) -> G + 'static,
    ) -> VecCollection<'s, u64, HourlyGroup<G>, isize> {
        if self.closed {
            return self.closed_hourly_customers(name, group);
        }
        let name = format!("{name}: customers");
        let numbers = Numbers::<G>::default();
        let of_groups = numbers.clone();
        let customer_of = Rc::new(move |hour_start, customer, transaction: &Transaction| HourlyCustomer {
            hour_start,
            group: of_groups.number(group(transaction)),
            customer,
        });
        let facts = self.current(&name, customer_of.clone());
        let restored = self.restored(&name, customer_of);
        let distinct = self.forgetting.arrange_in_place(&name, facts.concat(restored)).distinct_total();
        let first_epoch = self.forgetting.first_epoch();
        let new = distinct.inner.filter(move |(_, epoch, _)| *epoch >= first_epoch).as_collection();
        // Counted while they are numbers: there are far fewer groups than customers.
        let counted = new.explode(|HourlyCustomer { hour_start, group, .. }| [((hour_start, group), 1)]);
        counted.flat_map(move |(hour_start, group)| {
            numbers.value(group).map(|group| HourlyGroup { hour_start, group })
        })
    }

    /// The groups of closed hours, as often as they gain or lose a customer.
    fn closed_hourly_customers<G: Group>(
        &self,
        name: &str,
        group: impl Fn(&Transaction) -> G + 'static,
    ) -> VecCollection<'s, u64, HourlyGroup<G>, isize> {
        let name = format!("{}: customers", self.named(name));
        let data = self.current.clone().unary::<VecBuilder<_>, _, _, _>(Pipeline, &name, move |_, _| {
            move |input, output| {
                input.for_each(|capability, facts| {
                    let sole = facts.iter().filter(|(fact, _, _)| fact.sole_in_hour);
                    let data = sole.filter_map(|(fact, epoch, diff)| {
                        let group = group(&fact.scored.transaction);
                        Some((HourlyGroup { hour_start: fact.closed_hour()?, group }, *epoch, *diff))
                    });
                    output.session(&capability).give_iterator(data);
                });
            }
        });
        data.as_collection()
    }

    /// The customers of facts in open hours.
    fn current(
        &self,
        name: &str,
        customer_of: Rc<impl Fn(i64, u32, &Transaction) -> HourlyCustomer + 'static>,
    ) -> VecCollection<'s, u64, HourlyCustomer, isize> {
        let data = self.current.clone().unary::<VecBuilder<_>, _, _, _>(Pipeline, name, move |_, _| {
            move |input, output| {
                input.for_each(|capability, facts| {
                    let open = facts.iter().filter(|(fact, _, _)| fact.closed_hour().is_none());
                    let data = open.map(|(fact, epoch, diff)| {
                        let transaction = &fact.scored.transaction;
                        (customer_of(fact.hour_start, fact.customer_slot, transaction), *epoch, *diff)
                    });
                    output.session(&capability).give_iterator(data);
                });
            }
        });
        data.as_collection()
    }

    /// The customers of restored transactions in hours that are still open.
    fn restored(
        &self,
        name: &str,
        customer_of: Rc<impl Fn(i64, u32, &Transaction) -> HourlyCustomer + 'static>,
    ) -> VecCollection<'s, u64, HourlyCustomer, isize> {
        let (calendar, settled) = (Calendar::new(self.time_zone), self.restored_settled);
        let data = ordered::flat_map(name, self.restored.clone(), move |OfMember { slot, value }| {
            let hour_start = calendar.hour_start(value.event_time);
            let counts = !value.voided && hour_start.saturating_add(HOUR) > settled;
            counts.then(|| (customer_of(hour_start, slot, &value), 0, 1))
        });
        data.as_collection()
    }
}

/// What customers are grouped by beside the hour, such as a store. There are far fewer groups than customers.
pub trait Group: Clone + Eq + Hash + 'static {}

impl<G: Clone + Eq + Hash + 'static> Group for G {}

/// The facts of amended versions, each with what was closed when it came.
fn amended_facts<'s>(
    settings: &Settings,
    restored_settled: i64,
    amended: VecCollection<'s, u64, OfMember<Amended>, isize>,
    times: StreamVec<'s, u64, PartitionTime>,
) -> SharedCollection<'s, Fact> {
    let calendar = Calendar::new(settings.time_zone);
    let settling = Settling { restored: restored_settled, horizon: settings.correction_horizon };
    let fact = move |(amended, epoch, diff): (OfMember<Amended>, _, _), settled| {
        let counts = !amended.value.scored.transaction.voided;
        counts.then(|| (Fact::amended(&calendar, amended, settled), epoch, diff))
    };
    settled_before("amended facts", settling, amended.inner, times, fact)
}

/// The first instant after a local hour, microseconds since 1970.
fn hour_end(hour_start: i64) -> Option<i64> {
    hour_start.checked_add(HOUR)
}

/// A group in a local hour.
#[derive(Clone, Debug)]
pub struct HourlyGroup<G> {
    /// Start of the hour, microseconds since 1970.
    pub hour_start: i64,
    /// The group.
    pub group: G,
}

/// A customer with facts in an hour and a group, packed: there is one for nearly every transaction of the
/// open hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct HourlyCustomer {
    hour_start: i64,
    /// The group's number on this worker.
    group: u32,
    /// The customer's slot on this worker.
    customer: u32,
}

impl Closes for (HourlyCustomer, ()) {
    fn closes_at(&self) -> Option<i64> {
        hour_end(self.0.hour_start)
    }
}

/// The groups' numbers on this worker, shared by the operators of a view. They are as many as there are
/// groups, such as stores.
#[derive(Clone)]
struct Numbers<G>(Rc<RefCell<IndexSet<G, FixedState>>>);

impl<G> Default for Numbers<G> {
    fn default() -> Self {
        Self(Rc::default())
    }
}

impl<G: Group> Numbers<G> {
    fn number(&self, group: G) -> u32 {
        self.0.borrow_mut().insert_full(group).0 as u32
    }

    fn value(&self, number: u32) -> Option<G> {
        self.0.borrow().get_index(number as usize).cloned()
    }
}
