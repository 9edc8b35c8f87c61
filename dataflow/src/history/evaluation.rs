//! Evaluates the rules on entries of a customer's history, in order.

use super::currencies::SumsByCurrency;
use super::customer::Customer;
use super::entry::{Entry, Shared};
use super::policy::{Listings, Policy};
use super::sequence::Position;
use crate::detectors::{Context, Details, EarlierTransaction, Movement, PreviousPlace, Recent};
use crate::roster::Member;
use crate::score::{ShownVerdict, Verdict};
use streamflow_model::timestamp::MINUTE;
use streamflow_model::{Calendar, Currency};

/// The outcome of evaluating the rules on one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Evaluation {
    pub verdict: Verdict,
    /// Whether it is its customer's first in its minute and currency.
    pub first_in_minute: bool,
}

impl Evaluation {
    /// What is shown of it.
    pub(super) fn shown(&self) -> (ShownVerdict, bool) {
        (self.verdict.shown(), self.first_in_minute)
    }
}

/// Evaluates entries of a history: holds what they depend on beside it.
#[derive(Clone, Copy)]
pub(super) struct Evaluator<'a> {
    pub policy: &'a Policy,
    pub shared: &'a Shared,
    pub calendar: &'a Calendar,
}

impl<'a> Evaluator<'a> {
    /// Evaluates the entries of `customer` from a position on.
    pub(super) fn evaluate_from(self, customer: &Customer, from: Position) -> Vec<Evaluation> {
        let mut walk = self.walk(customer, from);
        let positions = customer.entries.from(from).map(|(position, _)| position);
        positions.map(|position| walk.evaluate(position)).collect()
    }

    /// Evaluates the last entry alone: all that an event in order needs.
    pub(super) fn evaluate_last(self, customer: &Customer) -> Evaluation {
        let last = customer.entries.last_position();
        self.walk(customer, last).evaluate(last)
    }

    /// A walk over `customer` that begins at a position.
    pub(super) fn walk<'b>(self, customer: &'b Customer, position: Position) -> Walk<'b>
    where
        'a: 'b,
    {
        let mut earlier = customer.totals();
        if customer.has_others() {
            for (_, entry) in customer.entries.from(position).filter(|(_, entry)| !entry.voided()) {
                let minute = self.calendar.minute_of_day(entry.event_time);
                earlier.remove(entry.currency(self.shared), entry.cents(), minute);
            }
        } else {
            earlier.sums.remove_all(&customer.entries.sums_from(position, self.calendar));
        }
        let listings = self.policy.customer(customer.id());
        let currency = earlier.first;
        Walk { customer, evaluator: self, listings, position, currency, earlier }
    }
}

/// A position in a history with the sums over the entries before it.
pub(super) struct Walk<'a> {
    customer: &'a Customer,
    evaluator: Evaluator<'a>,
    listings: Option<Listings<'a>>,
    position: Position,
    /// The currency of the entry at the position.
    currency: Currency,
    /// Sums over the current transactions before `position`.
    pub earlier: SumsByCurrency,
}

impl Walk<'_> {
    /// Moves on to a position and evaluates the entry there.
    pub(super) fn evaluate(&mut self, position: Position) -> Evaluation {
        self.advance(position);
        let Some(context) = self.context() else { return Evaluation::default() };
        let minute_start = context.event_time - context.event_time.rem_euclid(MINUTE);
        Evaluation {
            verdict: self.evaluator.policy.verdict(&context),
            first_in_minute: self.is_first_since(minute_start),
        }
    }

    /// How far what precedes the entry at the position may move while it is shown with this verdict.
    pub(super) fn leeway(&self, verdict: &Verdict) -> Movement {
        match self.context() {
            Some(context) => self.evaluator.policy.leeway(&context, verdict),
            None => Movement::ANY,
        }
    }

    fn advance(&mut self, position: Position) {
        let Evaluator { shared, calendar, .. } = self.evaluator;
        let entries = &self.customer.entries;
        if self.customer.has_others() {
            let between = entries.from(self.position).take_while(|(other, _)| *other < position);
            for (_, entry) in between.filter(|(_, entry)| !entry.voided()) {
                let minute = calendar.minute_of_day(entry.event_time);
                self.earlier.add(entry.currency(shared), entry.cents(), minute);
            }
        } else {
            entries.add_between(&mut self.earlier.sums, self.position, position, calendar);
        }
        self.position = position;
        if let Some(entry) = entries.get(position) {
            self.currency = self.customer.currency_of(entry, shared);
        }
    }

    /// The context of the entry at the position; none of a voided one.
    fn context(&self) -> Option<Context<'_>> {
        let entry = self.customer.entries.get(self.position).filter(|entry| !entry.voided())?;
        let Evaluator { policy, shared, calendar } = self.evaluator;
        let event_time = entry.event_time;
        let store = policy.store(shared.stores.value(entry.store));
        Some(Context {
            amount: entry.cents(),
            event_time,
            details: self,
            place: entry.place(),
            minute: calendar.minute_of_day(event_time),
            earlier: self.earlier.of(self.currency),
            earlier_minutes: self.earlier.minutes(),
            recent: self,
            listing: (self.listings.and_then(|listings| listings.at(event_time)))
                .or_else(|| store.and_then(|listings| listings.at(event_time))),
        })
    }

    /// Whether no current transaction before the position has its currency and an event time from `start` on.
    fn is_first_since(&self, start: i64) -> bool {
        let entries = self.customer.entries.before(self.position);
        let mut reached = entries.take_while(|entry| entry.event_time >= start);
        let in_currency = |entry: &Entry| !entry.voided() && self.is_in_currency(entry);
        !reached.any(in_currency) && self.customer.last_folded_in(self.currency) < start
    }

    fn is_in_currency(&self, entry: &Entry) -> bool {
        self.customer.currency_of(entry, self.evaluator.shared) == self.currency
    }
}

/// Fields of the entry at the position.
impl Details for Walk<'_> {
    fn store(&self) -> &str {
        let entry = self.customer.entries.get(self.position);
        entry.map_or("", |entry| self.evaluator.shared.stores.value(entry.store))
    }

    fn currency(&self) -> &Currency {
        &self.currency
    }

    fn payment_method(&self) -> Option<&str> {
        self.customer.entries.get(self.position)?.payment_method(self.evaluator.shared)
    }
}

/// The transactions before the position, computed when a detector asks for them.
impl Recent for Walk<'_> {
    fn count_after(&self, start: i64) -> u64 {
        let Customer { entries, voided, .. } = self.customer;
        let count = entries.count_current(start, self.position, *voided > 0);
        (count + self.customer.count_folded_after(start)) as u64
    }

    fn newest_first(&self, start: i64) -> Box<dyn Iterator<Item = EarlierTransaction> + '_> {
        let entries = self.customer.entries.before(self.position);
        let entries = entries.take_while(move |entry| entry.event_time > start);
        let entries = entries
            .filter(|entry| !entry.voided() && self.is_in_currency(entry))
            .map(|entry| EarlierTransaction { event_time: entry.event_time, cents: entry.cents() });
        let folded = self.customer.folded_after(self.currency, start);
        Box::new(entries.chain(folded.iter().rev().copied()))
    }

    fn latest_place(&self, start: i64) -> Option<PreviousPlace<'_>> {
        // Nobody else may ask: only the next one with a place is evaluated again when a place changes.
        self.customer.entries.get(self.position)?.place()?;
        let latest = self.customer.latest_placed(self.position).and_then(|entry| {
            let place = entry.place()?;
            Some(PreviousPlace { event_time: entry.event_time, place, transaction: &entry.id })
        });
        latest.or_else(|| {
            let folded = self.customer.folded_place(start)?;
            let (event_time, place) = (folded.event_time, folded.place);
            Some(PreviousPlace { event_time, place, transaction: &folded.id })
        })
    }
}
