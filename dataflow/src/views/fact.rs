//! Facts: transactions as the views add them up.

use super::Sales;
use crate::operators::forgetting::{Closes, Forgetting};
use crate::operators::output::VecBuilder;
use crate::operators::sums::{self, Key, SharedCollection, Sum};
use crate::resume::{RestoredTransaction, Resume};
use crate::score::Scored;
use crate::settings::Settings;
use chrono_tz::Tz;
use differential_dataflow::{AsCollection, ExchangeData, VecCollection};
use serde::{Deserialize, Serialize};
use std::hash::Hash;
use std::rc::Rc;
use streamflow_model::timestamp::{HOUR, MINUTE};
use streamflow_model::{Calendar, Id, Transaction, id};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::vec::Filter;

/// A current transaction that is not voided, with its verdict and its buckets.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The transaction and the verdict on it.
    pub scored: Scored,
    /// Its local day, days since 1970-01-01.
    pub day: i32,
    /// Start of its local hour, microseconds since 1970.
    pub hour_start: i64,
    /// Start of its minute, microseconds since 1970.
    pub minute_start: i64,
}

impl Fact {
    fn new(calendar: &Calendar, scored: Scored) -> Self {
        let event_time = scored.transaction.event_time;
        Self {
            day: calendar.day(event_time),
            hour_start: calendar.hour_start(event_time),
            minute_start: event_time - event_time.rem_euclid(MINUTE),
            scored,
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
#[derive(Clone)]
pub struct Facts<'s> {
    current: SharedCollection<'s, Fact>,
    /// Those of before the first epoch, each on its customer's worker.
    restored: StreamVec<'s, u64, RestoredTransaction>,
    time_zone: Tz,
    forgetting: Forgetting,
    /// Transactions before it were final before the first epoch.
    restored_settled: i64,
}

impl<'s> Facts<'s> {
    /// How far before settled restored transactions are still needed, microseconds.
    pub const RESTORED: i64 = HOUR;

    /// The facts of scored transactions. `restored` are the transactions behind what the tables hold, at least those since
    /// [`Self::RESTORED`] before settled.
    pub fn new(
        settings: &Settings,
        resume: &Resume,
        forgetting: &Forgetting,
        restored: StreamVec<'s, u64, RestoredTransaction>,
        scored: VecCollection<'s, u64, Scored, isize>,
    ) -> Self {
        let calendar = Calendar::new(settings.time_zone);
        let fact = move |(scored, time, diff)| (Fact::new(&calendar, scored), time, diff);
        let current = scored.inner.unary::<CapacityContainerBuilder<Rc<Vec<_>>>, _, _, _>(
            Pipeline,
            "facts",
            move |_, _| {
                move |input, output| {
                    input.for_each(|capability, data| {
                        let current = data.drain(..).filter(|(scored, _, _)| !scored.transaction.voided);
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
            restored_settled: resume.settled(settings),
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

    /// The customers of each local hour and group, once each while they have a fact there. Those of before the first epoch are
    /// not emitted: stored sums count them.
    ///
    /// A customer's facts are all on one worker, so nothing is exchanged.
    pub fn hourly_customers<G: ExchangeData + Hash>(
        &self,
        name: &str,
        group: impl Fn(&Transaction) -> G + 'static,
    ) -> VecCollection<'s, u64, HourlyCustomer<G>, isize> {
        let group = Rc::new(group);
        let member = move |transaction: &Transaction, hour_start| {
            let customer = transaction.customer.clone();
            HourlyCustomer { hour_start, group: group(transaction), customer }
        };
        let first_epoch = self.forgetting.first_epoch();
        let name = format!("{name}: customers");
        let customers = self.current(&name, member.clone()).concat(self.restored(&name, member));
        let distinct = self.forgetting.arrange_in_place(&name, customers).distinct_total();
        distinct.inner.filter(move |(_, epoch, _)| *epoch >= first_epoch).as_collection()
    }

    fn current<D: Clone + 'static>(
        &self,
        name: &str,
        of_hour: impl Fn(&Transaction, i64) -> D + 'static,
    ) -> VecCollection<'s, u64, D, isize> {
        let data = self.current.clone().unary::<VecBuilder<_>, _, _, _>(Pipeline, name, move |_, _| {
            move |input, output| {
                input.for_each(|capability, facts| {
                    let data = facts.iter().map(|(fact, epoch, diff)| {
                        (of_hour(&fact.scored.transaction, fact.hour_start), *epoch, *diff)
                    });
                    output.session(&capability).give_iterator(data);
                });
            }
        });
        data.as_collection()
    }

    /// Of restored transactions in hours that are still open.
    fn restored<D: Clone + 'static>(
        &self,
        name: &str,
        of_hour: impl Fn(&Transaction, i64) -> D + 'static,
    ) -> VecCollection<'s, u64, D, isize> {
        let by_customer =
            Exchange::new(|restored: &RestoredTransaction| id::route(&restored.transaction.customer));
        let (calendar, settled) = (Calendar::new(self.time_zone), self.restored_settled);
        let data = self.restored.clone().unary::<VecBuilder<_>, _, _, _>(by_customer, name, move |_, _| {
            move |input, output| {
                input.for_each(|capability, restored| {
                    let data =
                        restored.drain(..).filter_map(|RestoredTransaction { transaction, .. }| {
                            let hour_start = calendar.hour_start(transaction.event_time);
                            let counts = !transaction.voided && hour_start.saturating_add(HOUR) > settled;
                            counts.then(|| (of_hour(&transaction, hour_start), 0, 1))
                        });
                    output.session(&capability).give_iterator(data);
                });
            }
        });
        data.as_collection()
    }
}

/// A customer with facts in an hour and a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HourlyCustomer<G> {
    /// Start of the local hour, microseconds since 1970.
    pub hour_start: i64,
    /// What the customers are grouped by beside the hour.
    pub group: G,
    /// The customer.
    pub customer: Id,
}

impl<G> Closes for (HourlyCustomer<G>, ()) {
    fn closes_at(&self) -> Option<i64> {
        self.0.hour_start.checked_add(HOUR)
    }
}
