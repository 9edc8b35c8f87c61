//! Facts: transactions as the views add them up.

use super::Sales;
use crate::operators::forgetting::{Closes, Forgetting};
use crate::operators::ordered;
use crate::operators::output::VecBuilder;
use crate::operators::sums::{self, Key, SharedCollection, Sum};
use crate::roster::OfMember;
use crate::score::Scored;
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
        }
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

/// The collection of all facts, shared by reference among the views.
pub struct Facts<'s> {
    current: SharedCollection<'s, Fact>,
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

    /// The facts of scored transactions. `restored` are the transactions behind what the tables hold, at
    /// least those since [`Self::RESTORED`] before `restored_settled`.
    pub fn new(
        settings: &Settings,
        restored_settled: i64,
        forgetting: &Forgetting,
        restored: StreamVec<'s, u64, OfMember<Arc<Transaction>>>,
        scored: VecCollection<'s, u64, OfMember<Scored>, isize>,
    ) -> Self {
        let calendar = Calendar::new(settings.time_zone);
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
            current,
            restored,
            time_zone: settings.time_zone,
            forgetting: forgetting.clone(),
            restored_settled,
        }
    }

    /// What the views' arrangements share.
    pub fn forgetting(&self) -> &Forgetting {
        &self.forgetting
    }

    /// A collection of keys whose difference is the sum of what facts contribute to them.
    pub fn sum<K: Key, V: Sum, I: IntoIterator<Item = (K, V)>>(
        &self,
        name: &str,
        contributions: impl Fn(&Fact) -> I + 'static,
    ) -> VecCollection<'s, u64, K, V> {
        sums::sum_by(name, self.current.clone(), contributions)
    }

    /// The groups of each local hour, as often as they have customers with a fact there. Customers of before
    /// the first epoch are not emitted: stored sums count them.
    ///
    /// A customer's facts are all on one worker, so nothing is exchanged, and numbers of that worker name
    /// group and customer.
    pub fn hourly_customers<G: Group>(
        &self,
        name: &str,
        group: impl Fn(&Transaction) -> G + 'static,
    ) -> VecCollection<'s, u64, HourlyGroup<G>, isize> {
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

    /// The customers of facts.
    fn current(
        &self,
        name: &str,
        customer_of: Rc<impl Fn(i64, u32, &Transaction) -> HourlyCustomer + 'static>,
    ) -> VecCollection<'s, u64, HourlyCustomer, isize> {
        let data = self.current.clone().unary::<VecBuilder<_>, _, _, _>(Pipeline, name, move |_, _| {
            move |input, output| {
                input.for_each(|capability, facts| {
                    let data = facts.iter().map(|(fact, epoch, diff)| {
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
        self.0.hour_start.checked_add(HOUR)
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
