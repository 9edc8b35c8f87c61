//! Evaluates the rules over a range of a customer's history, in order.

use super::customer::Customer;
use super::entry::{Entry, Shared};
use super::policy::{Listings, Policy};
use crate::detectors::{Context, EarlierTransaction, PreviousPlace, Recent, Sums};
use crate::roster::Member;
use crate::score::Verdict;
use streamflow_model::Calendar;
use streamflow_model::timestamp::MINUTE;

/// The outcome of evaluating the rules on one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Evaluation {
    pub verdict: Verdict,
    pub first_in_minute: bool,
}

/// Evaluates entries of a history: holds what they depend on beside it.
#[derive(Clone, Copy)]
pub(super) struct Evaluator<'a> {
    pub policy: &'a Policy,
    pub shared: &'a Shared,
    pub calendar: &'a Calendar,
}

impl Evaluator<'_> {
    /// Evaluates the entries of `customer` in `range`.
    pub(super) fn evaluate(self, customer: &Customer, range: std::ops::Range<usize>) -> Vec<Evaluation> {
        let mut walk = Walk::start(customer, range.start, self);
        range.map(|_| walk.step()).collect()
    }

    /// Evaluates the last entry alone: all that an event in order needs.
    pub(super) fn evaluate_last(self, customer: &Customer) -> Evaluation {
        let last = customer.entries.len() - 1;
        Walk::start(customer, last, self).step()
    }
}

/// A position in a history with the sums over the entries before it.
struct Walk<'a> {
    customer: &'a Customer,
    evaluator: Evaluator<'a>,
    listings: Option<Listings<'a>>,
    position: usize,
    /// Sums over the current transactions before `position`.
    earlier: Sums,
}

impl<'a> Walk<'a> {
    fn start(customer: &'a Customer, position: usize, evaluator: Evaluator<'a>) -> Self {
        let listings = evaluator.policy.customer(customer.id());
        let earlier = sums_before(customer, position, evaluator.calendar);
        Self { customer, evaluator, listings, position, earlier }
    }

    /// Evaluates the entry at the position and moves to the next.
    fn step(&mut self) -> Evaluation {
        let entry = &self.customer.entries[self.position];
        if entry.voided() {
            self.position += 1;
            return Evaluation::default();
        }
        let Evaluator { policy, shared, calendar } = self.evaluator;
        let event_time = entry.event_time;
        let minute = calendar.minute_of_day(event_time);
        let store = policy.store(shared.stores.value(entry.store));
        let context = Context {
            amount: entry.cents(),
            event_time,
            place: entry.place(),
            minute,
            earlier: self.earlier,
            recent: self,
            listing: (self.listings.and_then(|listings| listings.at(event_time)))
                .or_else(|| store.and_then(|listings| listings.at(event_time))),
        };
        let minute_start = event_time - event_time.rem_euclid(MINUTE);
        let evaluation = Evaluation {
            verdict: policy.verdict(&context),
            first_in_minute: self.previous().is_none_or(|previous| previous < minute_start),
        };
        self.earlier.add(entry.cents(), minute);
        self.position += 1;
        evaluation
    }

    /// Event time of the current transaction just before the position.
    fn previous(&self) -> Option<i64> {
        let latest = current(self.before()).next_back().map(|entry| entry.event_time);
        latest.or(self.customer.last_folded())
    }

    fn before(&self) -> &'a [Entry] {
        &self.customer.entries[..self.position]
    }

    /// The entries before the position with an event time above `start`, voided ones included.
    fn entries_after(&self, start: i64) -> &'a [Entry] {
        let before = self.before();
        &before[first_after(before, start)..]
    }
}

/// The transactions before the position, computed when a detector asks for them.
impl Recent for Walk<'_> {
    fn count_after(&self, start: i64) -> u64 {
        let entries = self.entries_after(start);
        let voided = if self.customer.voided == 0 { 0 } else { entries.len() - current(entries).count() };
        (entries.len() - voided + self.customer.folded_after(start).len()) as u64
    }

    fn newest_first(&self, start: i64) -> Box<dyn Iterator<Item = EarlierTransaction> + '_> {
        let entries = current(self.entries_after(start)).rev();
        let entries =
            entries.map(|entry| EarlierTransaction { event_time: entry.event_time, cents: entry.cents() });
        Box::new(entries.chain(self.customer.folded_after(start).iter().rev().copied()))
    }

    fn latest_place(&self, start: i64) -> Option<PreviousPlace<'_>> {
        let mut reached = current(self.before()).rev().take_while(|entry| entry.event_time >= start);
        let latest = reached.find_map(|entry| {
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

fn current(entries: &[Entry]) -> impl DoubleEndedIterator<Item = &Entry> {
    entries.iter().filter(|entry| !entry.voided())
}

/// The first position whose event time is above `start`, searched from the end, where it nearly always is.
fn first_after(entries: &[Entry], start: i64) -> usize {
    let mut step = 4;
    let mut low = entries.len();
    while low > 0 && entries[low - 1].event_time > start {
        let high = low;
        low = low.saturating_sub(step);
        if entries[low].event_time <= start {
            return low + entries[low..high].partition_point(|entry| entry.event_time <= start);
        }
        step *= 2;
    }
    low
}

/// Sums over the folded transactions and the current entries before `position`.
fn sums_before(customer: &Customer, position: usize, calendar: &Calendar) -> Sums {
    let mut sums = customer.total;
    for entry in customer.entries[position..].iter().filter(|entry| !entry.voided()) {
        sums.remove(entry.cents(), calendar.minute_of_day(entry.event_time));
    }
    sums
}
