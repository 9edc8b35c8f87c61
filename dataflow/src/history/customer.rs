//! The history of one customer.

use super::entry::Entry;
use super::sequence::{Position, Sequence};
use crate::detectors::{EarlierTransaction, Sums};
use crate::roster::Member;
use crate::views::customer_profile::Profile;
use std::hint::black_box;
use streamflow_model::{Calendar, Id, Place, Transaction};

/// A customer's transactions: single ones within the horizon, sums over those before it.
///
/// Two cache lines: nearly every event names a customer that no cache holds and waits for each line.
#[repr(C, align(64))]
pub(super) struct Customer {
    id: Id,
    /// Within the horizon.
    pub entries: Sequence,
    /// Folded transactions that detectors can still see.
    visible_folded: Option<Box<VisibleFolded>>,
    /// Voided ones among the entries.
    pub voided: u32,
    /// Current transactions that are alerted.
    pub alerts: u32,
    /// Sums over all current transactions, folded ones included.
    pub total: Sums,
    /// Event times of the folded ones.
    folded: Span,
}

/// The first and the last of some instants; without any, `i64::MAX` and `i64::MIN`.
#[derive(Clone, Copy)]
struct Span {
    first: i64,
    last: i64,
}

impl Span {
    const EMPTY: Self = Self { first: i64::MAX, last: i64::MIN };

    fn include(&mut self, instant: i64) {
        self.first = self.first.min(instant);
        self.last = self.last.max(instant);
    }
}

#[derive(Default)]
struct VisibleFolded {
    /// By event time, as far as detectors look back.
    recent: Vec<EarlierTransaction>,
    last_place: Option<FoldedPlace>,
}

/// The latest folded transaction with a place.
pub(super) struct FoldedPlace {
    pub event_time: i64,
    pub place: Place,
    pub id: Id,
}

impl Member for Customer {
    fn new(id: Id) -> Self {
        Self {
            id,
            entries: Sequence::default(),
            visible_folded: None,
            voided: 0,
            alerts: 0,
            total: Sums::default(),
            folded: Span::EMPTY,
        }
    }

    fn id(&self) -> &Id {
        &self.id
    }

    fn touch(&self) {
        black_box((self.voided, self.folded.last));
    }
}

impl Customer {
    /// Prefetches the memory that the customer refers to: the first and the last entry, and the visible
    /// folded ones.
    pub(super) fn touch_history(&self) {
        let time = |entry: Option<&Entry>| entry.map_or(0, |entry| entry.event_time);
        let visible = self.visible_folded.as_ref().and_then(|visible| visible.recent.first());
        let visible = visible.map(|earlier| earlier.event_time);
        black_box((time(self.entries.first()), time(self.entries.last()), visible));
    }

    pub(super) fn insert(&mut self, position: Position, entry: Entry, calendar: &Calendar) {
        if entry.voided() {
            self.voided += 1;
        } else {
            self.total.add(entry.cents(), calendar.minute_of_day(entry.event_time));
        }
        self.entries.insert(position, entry, calendar);
    }

    pub(super) fn remove(&mut self, position: Position, calendar: &Calendar) -> Entry {
        let entry = self.entries.remove(position, calendar);
        if entry.voided() {
            self.voided -= 1;
        } else {
            self.total.remove(entry.cents(), calendar.minute_of_day(entry.event_time));
        }
        entry
    }

    /// Event time of the last entry, voided or not.
    pub(super) fn newest(&self) -> Option<i64> {
        self.entries.last().map(|entry| entry.event_time)
    }

    /// Event time of the last folded transaction.
    pub(super) fn last_folded(&self) -> Option<i64> {
        (self.folded.last > i64::MIN).then_some(self.folded.last)
    }

    /// Current folded transactions with an event time above `start`, by event time.
    pub(super) fn folded_after(&self, start: i64) -> &[EarlierTransaction] {
        match &self.visible_folded {
            Some(visible) if self.folded.last > start => {
                &visible.recent[visible.recent.partition_point(|earlier| earlier.event_time <= start)..]
            }
            _ => &[],
        }
    }

    /// The latest folded transaction with a place, unless all folded ones lie before `start`.
    pub(super) fn folded_place(&self, start: i64) -> Option<&FoldedPlace> {
        let visible = self.visible_folded.as_ref().filter(|_| self.folded.last >= start)?;
        visible.last_place.as_ref()
    }

    /// The position of the first current entry from a position on.
    pub(super) fn next_current(&self, from: Position) -> Option<Position> {
        self.entries.next_from(from, |block| block.current() > 0, |entry| !entry.voided())
    }

    /// The latest current entry before a position.
    pub(super) fn latest_current(&self, before: Position) -> Option<&Entry> {
        self.entries.latest_before(before, |block| block.current() > 0, |entry| !entry.voided())
    }

    /// The position of the first current entry with a place from a position on.
    pub(super) fn next_placed(&self, from: Position) -> Option<Position> {
        self.entries.next_from(from, |block| block.placed() > 0, is_placed)
    }

    /// The latest current entry with a place before a position.
    pub(super) fn latest_placed(&self, before: Position) -> Option<&Entry> {
        self.entries.latest_before(before, |block| block.placed() > 0, is_placed)
    }

    /// The profile; `None` without current transactions.
    pub(super) fn profile(&self) -> Option<Profile> {
        let mut seen = self.folded;
        // The entries are in order, so the first and the last current one suffice.
        let first = self.next_current(Position::FIRST).and_then(|position| self.entries.get(position));
        let ends = [first, self.latest_current(self.entries.end())];
        ends.into_iter().flatten().for_each(|entry| seen.include(entry.event_time));
        (self.total.count > 0).then_some(Profile {
            sums: self.total,
            first_seen: seen.first,
            last_seen: seen.last,
            alerts: u64::from(self.alerts),
        })
    }

    /// Restores the sums over all current transactions, of which those before `folded_before` are folded.
    pub(super) fn restore(&mut self, profile: &Profile, last_folded: Option<i64>, folded_before: i64) {
        self.total = profile.sums;
        self.alerts = u32::try_from(profile.alerts).unwrap_or(u32::MAX);
        if profile.first_seen < folded_before {
            self.folded.include(profile.first_seen);
        }
        last_folded.into_iter().for_each(|instant| self.folded.include(instant));
    }

    /// Restores an entry that the sums already include.
    pub(super) fn restore_entry(&mut self, entry: Entry, block_length: usize, calendar: &Calendar) {
        let position = self.entries.position(entry.key());
        self.voided += u32::from(entry.voided());
        self.entries.insert(position, entry, calendar);
        self.entries.balance(&[position], block_length, calendar);
    }

    /// Restores a current folded transaction that the sums already include.
    pub(super) fn restore_folded(&mut self, transaction: &Transaction, kept_from: i64) {
        let event_time = transaction.event_time;
        self.folded.include(event_time);
        let mut visible = self.visible_folded.take().unwrap_or_default();
        if event_time >= kept_from {
            let index = visible.recent.partition_point(|earlier| earlier.event_time <= event_time);
            visible.recent.insert(index, EarlierTransaction { event_time, cents: transaction.amount.0 });
        }
        if let Some(place) = transaction.place {
            let later = |last: &FoldedPlace| (last.event_time, &last.id) > (event_time, &transaction.id);
            if !visible.last_place.as_ref().is_some_and(later) {
                visible.last_place = Some(FoldedPlace { event_time, place, id: transaction.id.clone() });
            }
        }
        self.visible_folded = Some(visible);
    }

    /// Folds the entries before the event time `end`, calling `removed` with each. No detector looks back
    /// beyond `kept_from` any more.
    pub(super) fn fold(
        &mut self,
        end: i64,
        kept_from: i64,
        block_length: usize,
        calendar: &Calendar,
        mut removed: impl FnMut(&Entry),
    ) {
        let mut visible = self.visible_folded.take().unwrap_or_default();
        let expired = visible.recent.iter().take_while(|earlier| earlier.event_time < kept_from).count();
        visible.recent.drain(..expired);
        let Self { entries, voided, folded, .. } = self;
        entries.fold(end, block_length, calendar, |entry| {
            removed(&entry);
            if entry.voided() {
                *voided -= 1;
                return;
            }
            folded.include(entry.event_time);
            if entry.event_time >= kept_from {
                let (event_time, cents) = (entry.event_time, entry.cents());
                visible.recent.push(EarlierTransaction { event_time, cents });
            }
            if let Some(place) = entry.place() {
                visible.last_place = Some(FoldedPlace { event_time: entry.event_time, place, id: entry.id });
            }
        });
        visible.recent.shrink_to_fit();
        self.visible_folded = (visible.last_place.is_some() || !visible.recent.is_empty()).then_some(visible);
    }
}

fn is_placed(entry: &Entry) -> bool {
    !entry.voided() && entry.place().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_takes_two_cache_lines() {
        assert_eq!(size_of::<Customer>(), 128);
    }

    #[test]
    fn a_folded_transaction_takes_16_bytes_while_a_look_back_reaches_it() {
        assert_eq!(size_of::<EarlierTransaction>(), 16);
    }
}
