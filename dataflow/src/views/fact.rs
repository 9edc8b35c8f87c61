//! Facts: transactions as the views add them up.

use super::Sales;
use crate::operators::sums::{self, Key, SharedCollection, Sum};
use crate::score::Scored;
use crate::settings::Settings;
use differential_dataflow::VecCollection;
use std::rc::Rc;
use streamflow_model::Calendar;
use streamflow_model::timestamp::MINUTE;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;

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
pub struct Facts<'s>(SharedCollection<'s, Fact>);

impl<'s> Facts<'s> {
    /// The facts of scored transactions.
    pub fn new(settings: &Settings, scored: VecCollection<'s, u64, Scored, isize>) -> Self {
        let calendar = Calendar::new(settings.time_zone);
        let fact = move |(scored, time, diff)| (Fact::new(&calendar, scored), time, diff);
        let facts = scored.inner.unary::<CapacityContainerBuilder<Rc<Vec<_>>>, _, _, _>(
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
        Self(facts)
    }

    /// A collection of keys whose difference is the sum of what facts contribute to them.
    pub fn sum<K: Key, V: Sum, I: IntoIterator<Item = (K, V)>>(
        &self,
        name: &str,
        contributions: impl Fn(&Fact) -> I + 'static,
    ) -> VecCollection<'s, u64, K, V> {
        sums::sum_by(name, self.0.clone(), contributions)
    }
}
