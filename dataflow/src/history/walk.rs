//! Evaluating a stretch of a customer's history in order.

use super::customer::Customer;
use super::entry::{Entry, Shared};
use super::judge::{Judge, Listings};
use crate::detectors::{Context, PreviousPlace, Sums};
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
        let place = entry.place();
        let store = judge.store(shared.stores.value(entry.store));
        let context = Context {
            amount: entry.cents(),
            event_time,
            place,
            minute,
            earlier: self.earlier,
            in_window: self.current_since(event_time - judge.window(event_time)) + 1,
            previous_place: place
                .and_then(|_| self.previous_place(event_time - judge.travel_time(event_time))),
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

    /// Current transactions before the position with an event time above `start`.
    fn current_since(&self, start: i64) -> u64 {
        let before = &self.customer.entries[..self.position];
        let within = before.len() - first_after(before, start);
        let voided = if self.customer.voided == 0 {
            0
        } else {
            before[before.len() - within..].iter().filter(|entry| entry.voided()).count()
        };
        (within - voided + self.customer.folded_since(start)) as u64
    }

    /// Event time of the current transaction just before the position.
    fn previous(&self) -> Option<i64> {
        let before = self.customer.entries[..self.position].iter().rev();
        let latest = before.filter(|entry| !entry.voided()).map(|entry| entry.event_time).next();
        latest.or(self.customer.last_folded())
    }

    /// The latest current transaction before the position with a place; older than `start` it may be left out.
    fn previous_place(&self, start: i64) -> Option<PreviousPlace<'a>> {
        let before = self.customer.entries[..self.position].iter().rev();
        let latest = before.filter(|entry| !entry.voided()).find_map(|entry| {
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
