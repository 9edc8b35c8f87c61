//! The history of one customer.

use super::currencies::{OtherCurrency, Span, SumsByCurrency};
use super::entry::{Entry, Shared};
use super::sequence::{Position, Sequence};
use crate::amendments::{FinalPast, FinalPlace, PastInCurrency};
use crate::changes::Upsert;
use crate::detectors::{EarlierTransaction, MinuteSums, Sums};
use crate::resume::RestoredCustomer;
use crate::roster::Member;
use crate::views::customer_profile::{Profile, ProfileKey};
use std::hint::black_box;
use streamflow_model::{Calendar, Currency, Id, Place, Transaction};

/// A customer's transactions: single ones within the horizon, sums over those before it.
///
/// Two cache lines: nearly every event names a customer that no cache holds and waits for each line. Nearly
/// all customers pay in one currency, so the sums in their first one are here and any others in the annex.
#[repr(C, align(64))]
pub(super) struct Customer {
    id: Id,
    /// Within the horizon.
    pub entries: Sequence,
    /// What few customers have.
    annex: Option<Box<Annex>>,
    /// Voided ones among the entries.
    pub voided: u32,
    /// Current transactions in the first currency that are alerted.
    alerts: u32,
    /// Amounts of all current transactions in the first currency, folded ones included.
    cents: i128,
    /// Minutes of the same.
    minutes: MinuteSums,
    /// Event times of the folded ones among them.
    folded: Span,
    /// The first currency; `None` before the first transaction.
    currency: Option<Currency>,
    /// Whether there are others in the annex. Without, all current transactions are in the first one.
    has_others: bool,
}

#[derive(Default)]
struct Annex {
    /// Folded transactions in the first currency that detectors still look back to, by event time.
    recent: Vec<EarlierTransaction>,
    last_place: Option<FoldedPlace>,
    others: Vec<OtherCurrency>,
}

impl Annex {
    fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.last_place.is_none() && self.others.is_empty()
    }

    fn other_mut(&mut self, currency: Currency) -> &mut OtherCurrency {
        let position = self.others.iter().position(|other| other.currency == currency);
        let position = position.unwrap_or_else(|| {
            self.others.push(OtherCurrency::new(currency));
            self.others.len() - 1
        });
        &mut self.others[position]
    }
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
            annex: None,
            voided: 0,
            alerts: 0,
            cents: 0,
            minutes: MinuteSums::default(),
            folded: Span::EMPTY,
            currency: None,
            has_others: false,
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
    /// Prefetches the memory that the customer refers to: the first and the last entry, and the annex.
    pub(super) fn touch_history(&self) {
        let time = |entry: Option<&Entry>| entry.map_or(0, |entry| entry.event_time);
        let recent = self.annex.as_ref().and_then(|annex| annex.recent.first());
        let recent = recent.map(|earlier| earlier.event_time);
        black_box((time(self.entries.first()), time(self.entries.last()), recent));
    }

    pub(super) fn insert(
        &mut self,
        position: Position,
        entry: Entry,
        currency: Currency,
        calendar: &Calendar,
    ) {
        if entry.voided() {
            self.voided += 1;
        } else {
            let minute = calendar.minute_of_day(entry.event_time);
            self.change_total(currency, |total| total.add(entry.cents(), minute));
        }
        self.entries.insert(position, entry, calendar);
    }

    pub(super) fn remove(&mut self, position: Position, calendar: &Calendar, shared: &Shared) -> Entry {
        let entry = self.entries.remove(position, calendar);
        if entry.voided() {
            self.voided -= 1;
        } else {
            let minute = calendar.minute_of_day(entry.event_time);
            self.change_total(entry.currency(shared), |total| total.remove(entry.cents(), minute));
        }
        entry
    }

    /// Changes the sums over all current transactions in a currency.
    pub(super) fn change_total(&mut self, currency: Currency, change: impl FnOnce(&mut Sums)) {
        if self.is_first(currency) {
            let mut total = self.total();
            change(&mut total);
            self.set_total(total);
        } else {
            change(&mut self.other_mut(currency).total);
        }
    }

    /// Whether a currency is the first one; it becomes that where there is none yet.
    fn is_first(&mut self, currency: Currency) -> bool {
        *self.currency.get_or_insert(currency) == currency
    }

    fn other_mut(&mut self, currency: Currency) -> &mut OtherCurrency {
        self.has_others = true;
        self.annex.get_or_insert_default().other_mut(currency)
    }

    /// Whether current transactions may be in several currencies.
    pub(super) fn has_others(&self) -> bool {
        self.has_others
    }

    /// Whether they may be once there is one in this currency.
    pub(super) fn has_others_with(&self, currency: Currency) -> bool {
        self.has_others || self.currency.is_some_and(|first| first != currency)
    }

    fn others(&self) -> &[OtherCurrency] {
        match &self.annex {
            Some(annex) if self.has_others => &annex.others,
            _ => &[],
        }
    }

    fn other(&self, currency: Currency) -> Option<&OtherCurrency> {
        self.others().iter().find(|other| other.currency == currency)
    }

    /// Sums over all current transactions in the first currency, folded ones included.
    fn total(&self) -> Sums {
        let MinuteSums { count, minutes, squared_minutes } = self.minutes;
        Sums { count, cents: self.cents, minutes, squared_minutes }
    }

    fn set_total(&mut self, total: Sums) {
        self.cents = total.cents;
        self.minutes = total.into();
    }

    /// Sums over all current transactions, folded ones included.
    pub(super) fn totals(&self) -> SumsByCurrency {
        let others = self.others().iter().map(|other| (other.currency, other.total));
        // Without any transaction the sums are zero in each currency.
        let first = self.currency.unwrap_or(Currency::BRL);
        SumsByCurrency { first, sums: self.total(), others: others.collect() }
    }

    /// The currency of a current entry: that of its details, which are seldom needed.
    pub(super) fn currency_of(&self, entry: &Entry, shared: &Shared) -> Currency {
        match self.currency {
            Some(first) if !self.has_others => first,
            _ => entry.currency(shared),
        }
    }

    /// The number of current transactions in a currency that are alerted.
    pub(super) fn alerts_mut(&mut self, currency: Currency) -> &mut u32 {
        if self.is_first(currency) { &mut self.alerts } else { &mut self.other_mut(currency).alerts }
    }

    /// Replaces what is kept of single folded transactions.
    pub(super) fn set_final_past(&mut self, past: FinalPast) {
        self.folded = Span::EMPTY;
        let mut annex = self.annex.take().unwrap_or_default();
        annex.recent.clear();
        for other in &mut annex.others {
            other.folded = Span::EMPTY;
            other.recent.clear();
        }
        annex.last_place =
            past.last_place.map(|FinalPlace { event_time, place, id }| FoldedPlace { event_time, place, id });
        for PastInCurrency { currency, first_seen, last_seen, recent } in past.currencies {
            let span = Span { first: first_seen, last: last_seen };
            if self.is_first(currency) {
                self.folded = span;
                annex.recent = recent;
            } else {
                self.has_others = true;
                let other = annex.other_mut(currency);
                (other.folded, other.recent) = (span, recent);
            }
        }
        self.annex = Some(annex).filter(|annex| !annex.is_empty());
    }

    /// Event time of the last entry, voided or not.
    pub(super) fn newest(&self) -> Option<i64> {
        self.entries.last().map(|entry| entry.event_time)
    }

    /// Event time of the last folded transaction in a currency; `i64::MIN` for none.
    pub(super) fn last_folded_in(&self, currency: Currency) -> i64 {
        if self.currency == Some(currency) {
            return self.folded.last;
        }
        self.other(currency).map_or(i64::MIN, |other| other.folded.last)
    }

    /// Event time of the last folded transaction in any currency; `i64::MIN` for none.
    fn last_folded(&self) -> i64 {
        self.others().iter().map(|other| other.folded.last).fold(self.folded.last, i64::max)
    }

    /// Current folded transactions in a currency with an event time above `start`, by event time.
    pub(super) fn folded_after(&self, currency: Currency, start: i64) -> &[EarlierTransaction] {
        if self.last_folded_in(currency) <= start {
            return &[];
        }
        let recent: &[_] = if self.currency == Some(currency) {
            self.annex.as_ref().map_or(&[], |annex| &annex.recent)
        } else {
            self.other(currency).map_or(&[], |other| &other.recent)
        };
        &recent[recent.partition_point(|earlier| earlier.event_time <= start)..]
    }

    /// The number of current folded transactions in any currency with an event time above `start`.
    pub(super) fn count_folded_after(&self, start: i64) -> usize {
        let currencies = self.currency.into_iter().chain(self.others().iter().map(|other| other.currency));
        currencies.map(|currency| self.folded_after(currency, start).len()).sum()
    }

    /// The latest folded transaction with a place, unless all folded ones lie before `start`.
    pub(super) fn folded_place(&self, start: i64) -> Option<&FoldedPlace> {
        let annex = self.annex.as_ref().filter(|_| self.last_folded() >= start)?;
        annex.last_place.as_ref()
    }

    /// The position of the first current entry from a position on.
    pub(super) fn next_current(&self, from: Position) -> Option<Position> {
        self.entries.next_from(from, |block| block.current() > 0, |entry| !entry.voided())
    }

    /// The position of the first current entry with a place from a position on.
    pub(super) fn next_placed(&self, from: Position) -> Option<Position> {
        self.entries.next_from(from, |block| block.placed() > 0, is_placed)
    }

    /// The latest current entry with a place before a position.
    pub(super) fn latest_placed(&self, before: Position) -> Option<&Entry> {
        self.entries.latest_before(before, |block| block.placed() > 0, is_placed)
    }

    /// Gives the profile in each currency to `profiles`; without current transactions it is none. What has
    /// no transactions any more is dropped after that.
    pub(super) fn take_profiles(&mut self, shared: &Shared, profiles: &mut Vec<Upsert<ProfileKey, Profile>>) {
        let Some(first) = self.currency else { return };
        let profile = self.profile(first, self.total(), self.alerts, self.folded, shared);
        profiles.push((self.profile_key(first), profile));
        profiles.extend(self.others().iter().map(|other| {
            let profile = self.profile(other.currency, other.total, other.alerts, other.folded, shared);
            (self.profile_key(other.currency), profile)
        }));
        if self.has_others || self.minutes.count == 0 {
            self.drop_unused();
        }
    }

    fn profile_key(&self, currency: Currency) -> ProfileKey {
        ProfileKey { customer: self.id.clone(), currency }
    }

    fn profile(
        &self,
        currency: Currency,
        sums: Sums,
        alerts: u32,
        folded: Span,
        shared: &Shared,
    ) -> Option<Profile> {
        let mut seen = folded;
        let current = |entry: &Entry| !entry.voided() && self.currency_of(entry, shared) == currency;
        // The entries are in order, so the first and the last current one suffice.
        let first = self.entries.next_from(Position::FIRST, |block| block.current() > 0, current);
        let first = first.and_then(|position| self.entries.get(position));
        let last = self.entries.latest_before(self.entries.end(), |block| block.current() > 0, current);
        [first, last].into_iter().flatten().for_each(|entry| seen.include(entry.event_time));
        (sums.count > 0).then_some(Profile {
            sums,
            first_seen: seen.first,
            last_seen: seen.last,
            alerts: u64::from(alerts),
        })
    }

    /// Drops currencies without current transactions. If that is the first one, another takes its place.
    fn drop_unused(&mut self) {
        let mut annex = self.annex.take().unwrap_or_default();
        annex.others.retain(|other| other.total.count > 0);
        if self.minutes.count == 0 {
            self.currency = None;
            if let Some(other) = annex.others.pop() {
                let OtherCurrency { currency, alerts, total, folded, recent } = other;
                (self.currency, self.alerts, self.folded) = (Some(currency), alerts, folded);
                self.set_total(total);
                annex.recent = recent;
            }
        }
        self.has_others = !annex.others.is_empty();
        self.annex = Some(annex).filter(|annex| !annex.is_empty());
    }

    /// Restores the sums in a currency over all current transactions, of which those before `folded_before`
    /// are folded.
    pub(super) fn restore(&mut self, restored: &RestoredCustomer, folded_before: i64) {
        let profile = &restored.profile;
        let alerts = u32::try_from(profile.alerts).unwrap_or(u32::MAX);
        let first = Some(profile.first_seen).filter(|first_seen| *first_seen < folded_before);
        let folded = first.into_iter().chain(restored.last_folded);
        if self.is_first(restored.currency) {
            self.set_total(profile.sums);
            self.alerts = alerts;
            folded.for_each(|instant| self.folded.include(instant));
        } else {
            let other = self.other_mut(restored.currency);
            (other.total, other.alerts) = (profile.sums, alerts);
            folded.for_each(|instant| other.folded.include(instant));
        }
    }

    /// Restores an entry that the sums already include.
    pub(super) fn restore_entry(&mut self, entry: Entry, block_length: usize, calendar: &Calendar) {
        let position = self.entries.position(entry.key());
        self.voided += u32::from(entry.voided());
        self.entries.insert(position, entry, calendar);
        self.entries.balance(&[position], block_length, calendar);
    }

    /// Restores a current folded transaction that the sums already include. [`Self::order_folded`] must follow.
    pub(super) fn restore_folded(&mut self, transaction: &Transaction, kept_from: i64) {
        let event_time = transaction.event_time;
        let is_first = self.is_first(transaction.currency);
        let annex = self.annex.get_or_insert_default();
        let (folded, recent) = if is_first {
            (&mut self.folded, &mut annex.recent)
        } else {
            self.has_others = true;
            let other = annex.other_mut(transaction.currency);
            (&mut other.folded, &mut other.recent)
        };
        folded.include(event_time);
        if event_time >= kept_from {
            recent.push(EarlierTransaction { event_time, cents: transaction.amount.0 });
        }
        if let Some(place) = transaction.place {
            let later = |last: &FoldedPlace| (last.event_time, &last.id) > (event_time, &transaction.id);
            if !annex.last_place.as_ref().is_some_and(later) {
                annex.last_place = Some(FoldedPlace { event_time, place, id: transaction.id.clone() });
            }
        }
    }

    /// Orders the folded transactions that were restored in any order.
    pub(super) fn order_folded(&mut self) {
        let Some(annex) = &mut self.annex else { return };
        let others = annex.others.iter_mut().map(|other| &mut other.recent);
        for recent in std::iter::once(&mut annex.recent).chain(others) {
            recent.sort_by_key(|earlier| earlier.event_time);
        }
    }

    /// Folds the entries before the event time `end`, calling `removed` with each. No detector looks back
    /// beyond `kept_from` any more.
    pub(super) fn fold(
        &mut self,
        end: i64,
        kept_from: i64,
        block_length: usize,
        calendar: &Calendar,
        mut removed: impl FnMut(&Entry) -> Currency,
    ) {
        let mut annex = self.annex.take().unwrap_or_default();
        expire(&mut annex.recent, kept_from);
        annex.others.iter_mut().for_each(|other| expire(&mut other.recent, kept_from));
        let Self { entries, voided, folded, currency: first, .. } = self;
        entries.fold(end, block_length, calendar, |entry| {
            let currency = removed(&entry);
            if entry.voided() {
                *voided -= 1;
                return;
            }
            let (folded, recent) = if *first == Some(currency) {
                (&mut *folded, &mut annex.recent)
            } else {
                let other = annex.other_mut(currency);
                (&mut other.folded, &mut other.recent)
            };
            folded.include(entry.event_time);
            if entry.event_time >= kept_from {
                let (event_time, cents) = (entry.event_time, entry.cents());
                recent.push(EarlierTransaction { event_time, cents });
            }
            if let Some(place) = entry.place() {
                annex.last_place = Some(FoldedPlace { event_time: entry.event_time, place, id: entry.id });
            }
        });
        annex.recent.shrink_to_fit();
        annex.others.iter_mut().for_each(|other| other.recent.shrink_to_fit());
        self.annex = Some(annex).filter(|annex| !annex.is_empty());
    }
}

/// Drops folded transactions that no detector looks back to any more.
fn expire(recent: &mut Vec<EarlierTransaction>, kept_from: i64) {
    let expired = recent.iter().take_while(|earlier| earlier.event_time < kept_from).count();
    recent.drain(..expired);
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
