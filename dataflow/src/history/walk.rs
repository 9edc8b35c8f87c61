//! Evaluating a stretch of a customer's history in order.

use super::customer::Customer;
use super::entry::{Entry, Shared};
use super::judge::{Judge, Listings};
use crate::detectors::{Context, EarlierTransaction, PreviousPlace, Recent, Sums};
use crate::roster::Member;
use crate::score::Verdict;
use streamflow_model::Calendar;
use streamflow_model::timestamp::MINUTE;

/// What is said of one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Assessment {
    pub verdict: Verdict,
    pub first_in_minute: bool,
}

/// What assessing needs beside the history itself.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub judge: &'a Judge,
    pub shared: &'a Shared,
    pub calendar: &'a Calendar,
}

/// Assesses the entries of `customer` in `range`.
pub(super) fn assess(
    customer: &Customer,
    range: std::ops::Range<usize>,
    surroundings: Surroundings<'_>,
) -> Vec<Assessment> {
    let mut walk = Walk::start(customer, range.start, surroundings);
    range.map(|_| walk.step()).collect()
}

/// Assesses the last entry alone: the way of events that come in order.
pub(super) fn assess_last(customer: &Customer, surroundings: Surroundings<'_>) -> Assessment {
    let last = customer.entries.len() - 1;
    Walk::start(customer, last, surroundings).step()
}

struct Walk<'a> {
    customer: &'a Customer,
    surroundings: Surroundings<'a>,
    listings: Option<Listings<'a>>,
    position: usize,
    /// Sums over what stands before `position`.
    earlier: Sums,
}

impl<'a> Walk<'a> {
    fn start(customer: &'a Customer, position: usize, surroundings: Surroundings<'a>) -> Self {
        let listings = surroundings.judge.customer(customer.id());
        let earlier = sums_before(customer, position, surroundings.calendar);
        Self { customer, surroundings, listings, position, earlier }
    }

    /// Assesses the entry at the position and moves on.
    fn step(&mut self) -> Assessment {
        let entry = &self.customer.entries[self.position];
        if entry.voided() {
            self.position += 1;
            return Assessment::default();
        }
        let Surroundings { judge, shared, calendar } = self.surroundings;
        let event_time = entry.event_time;
        let minute = calendar.minute_of_day(event_time);
        let store = judge.store(shared.stores.value(entry.store));
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
        let assessment = Assessment {
            verdict: judge.verdict(&context),
            first_in_minute: self.previous().is_none_or(|previous| previous < minute_start),
        };
        self.earlier.add(entry.cents(), minute);
        self.position += 1;
        assessment
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

/// What stands before the position, which nobody looks at before a detector asks.
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

/// The first position whose event time is above `start`, looked for from the end, where it nearly always is.
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
