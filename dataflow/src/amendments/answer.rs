//! Answers: what the tables hold about a pending event's transaction and its customer.

use super::Pending;
use crate::detectors::{EarlierTransaction, MinuteSums, PreviousPlace, Recent, Sums};
use crate::score::{Amended, Verdict};
use serde::{Deserialize, Serialize};
use streamflow_model::{Currency, Id, Place};

/// What the tables hold at a frontier at which everything before the event's `final_before` is final and all
/// earlier amendments of its customer are in them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Answer {
    /// Answers of one epoch about a customer are taken in the order of their numbers.
    pub number: u64,
    /// The event that waited.
    pub pending: Pending,
    /// The current version of the transaction with its id, if there is one that is young enough to be amended. One
    /// that is not final may be left out.
    pub found: Option<Amended>,
    /// The verdict on the event's version in the context of the tables; empty where it is voided or not final.
    pub verdict: Verdict,
    /// The event's version would be its customer's only final transaction in its minute and currency.
    pub sole_in_minute: bool,
    /// The event's version would be its customer's only final transaction in its local hour, store and currency.
    pub sole_in_hour: bool,
    /// The customer's final transactions with the event's version in the place of the one found.
    pub past: FinalPast,
    /// From this event time on the tables have everything that an amendment needs, microseconds since 1970; before all
    /// event times where nothing was ever removed from them. What lies before it can no longer be amended.
    pub whole_from: i64,
}

/// What single ones of a customer's transactions before an event time are still needed for, once they are
/// folded.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FinalPast {
    /// By currency, where there are any.
    pub currencies: Vec<PastInCurrency>,
    /// The last one with a place.
    pub last_place: Option<FinalPlace>,
}

impl FinalPast {
    /// Adds a transaction, which is not before those added so far. Single ones are kept from `kept_from` on,
    /// microseconds since 1970.
    pub fn add(&mut self, currency: Currency, earlier: EarlierTransaction, kept_from: i64) {
        let event_time = earlier.event_time;
        let position = self.currencies.iter().position(|past| past.currency == currency);
        let position = position.unwrap_or_else(|| {
            let (first_seen, last_seen, recent) = (event_time, event_time, Vec::new());
            self.currencies.push(PastInCurrency { currency, first_seen, last_seen, recent });
            self.currencies.len() - 1
        });
        let past = &mut self.currencies[position];
        past.last_seen = event_time;
        past.recent.extend((event_time >= kept_from).then_some(earlier));
    }

    /// Takes a place as the last one, unless a later transaction has that.
    pub fn see(&mut self, seen: FinalPlace) {
        let later = |last: &FinalPlace| (last.event_time, &last.id) > (seen.event_time, &seen.id);
        if !self.last_place.as_ref().is_some_and(later) {
            self.last_place = Some(seen);
        }
    }
}

/// A customer's transactions in a currency before an event time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PastInCurrency {
    /// The currency.
    pub currency: Currency,
    /// Event time of the first, microseconds since 1970.
    pub first_seen: i64,
    /// Event time of the last, microseconds since 1970.
    pub last_seen: i64,
    /// By event time, those that detectors may look back to.
    pub recent: Vec<EarlierTransaction>,
}

/// A transaction with a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FinalPlace {
    /// Its event time, microseconds since 1970.
    pub event_time: i64,
    /// The place.
    pub place: Place,
    /// Its id.
    pub id: Id,
}

/// What precedes a transaction in its customer's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precedents {
    /// Sums over all of it in the transaction's currency.
    pub sums: Sums,
    /// The minutes of all of it in any currency.
    pub minutes: MinuteSums,
    /// By event time, those in the transaction's currency that detectors may look back to.
    pub recent: Vec<EarlierTransaction>,
    /// The event times of those in other currencies.
    pub recent_in_others: Vec<i64>,
    /// The last one with a place.
    pub last_place: Option<FinalPlace>,
}

impl Precedents {
    /// Adds a transaction, which is not before those added so far, at a minute of its local day. It is in the
    /// currency of the one that it precedes or not; single ones are kept from `kept_from` on, microseconds since
    /// 1970.
    pub fn add(&mut self, earlier: EarlierTransaction, minute: u16, in_currency: bool, kept_from: i64) {
        let EarlierTransaction { event_time, cents } = earlier;
        let mut own = Sums::default();
        own.add(cents, minute);
        self.minutes.add(own.into());
        let is_recent = event_time >= kept_from;
        if in_currency {
            self.sums.add_all(&own);
            self.recent.extend(is_recent.then_some(earlier));
        } else {
            self.recent_in_others.extend(is_recent.then_some(event_time));
        }
    }

    /// Adds the sums of transactions, all of which lie before those that detectors may look back to.
    pub fn add_sums(&mut self, sums: &Sums, in_currency: bool) {
        self.minutes.add((*sums).into());
        if in_currency {
            self.sums.add_all(sums);
        }
    }

    fn after(&self, start: i64) -> &[EarlierTransaction] {
        &self.recent[self.recent.partition_point(|earlier| earlier.event_time <= start)..]
    }
}

impl Recent for Precedents {
    fn count_after(&self, start: i64) -> u64 {
        let others = self.recent_in_others.iter().filter(|event_time| **event_time > start);
        (self.after(start).len() + others.count()) as u64
    }

    fn newest_first(&self, start: i64) -> Box<dyn Iterator<Item = EarlierTransaction> + '_> {
        Box::new(self.after(start).iter().rev().copied())
    }

    fn latest_place(&self, _start: i64) -> Option<PreviousPlace<'_>> {
        let FinalPlace { event_time, place, id } = self.last_place.as_ref()?;
        Some(PreviousPlace { event_time: *event_time, place: *place, transaction: id })
    }
}
