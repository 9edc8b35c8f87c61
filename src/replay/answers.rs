//! Answers to events that wait, from what has been written.
//!
//! Law: asked between epochs, this answers of each customer the first event that waits for an answer, in the
//! order of their `final_before` and then of their arrival, once everything before its `final_before` is final.
//! First the customers' transactions up to there are requested, then the answers are given, and they are taken
//! before more is asked.

use super::archive::{Archive, Entry};
use super::customers::Customers;
use super::views::KeyMap;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use streamflow_dataflow::amendments::{
    Answer, FinalPast, FinalPlace, Pending, Precedents, SettleCustomer, answerable,
};
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::controls::ControlChange;
use streamflow_dataflow::detectors::EarlierTransaction;
use streamflow_dataflow::history::Judge;
use streamflow_dataflow::operators::watermark::settled;
use streamflow_dataflow::rules::RuleSet;
use streamflow_dataflow::score::{Amended, Scored, Verdict};
use streamflow_dataflow::settings::Settings;
use streamflow_model::timestamp::MINUTE;
use streamflow_model::{Calendar, Currency, Id, Source, Transaction};

/// What is to be given to the graph next; nothing where no event can be answered now.
#[derive(Debug, Default)]
pub struct Round {
    /// Customers to settle.
    pub settle: Vec<SettleCustomer>,
    /// Answers.
    pub answers: Vec<Answer>,
}

/// The events that wait, and what verdicts depend on beside transactions.
pub struct Answering {
    rules: RuleSet,
    /// How far before a transaction any rule looks at single earlier ones, microseconds.
    look_back: i64,
    horizon: i64,
    identity_retention: i64,
    calendar: Calendar,
    zone: chrono_tz::Tz,
    controls: Vec<ControlChange>,
    /// By source.
    pending: BTreeMap<Source, Pending>,
    watermark: i64,
    /// Those whose customers have been settled for their answers.
    next: Vec<Pending>,
}

/// Where answers are read.
pub struct Tables<'a> {
    pub archive: &'a mut Archive,
    pub customers: &'a mut Customers,
    pub stores: &'a KeyMap,
}

impl Answering {
    /// Nothing waits.
    pub fn new(settings: &Settings) -> Self {
        Self {
            rules: settings.rules.clone(),
            look_back: settings.rules.look_back().farthest().max(MINUTE),
            horizon: settings.correction_horizon,
            identity_retention: settings.identity_retention,
            calendar: Calendar::new(settings.time_zone),
            zone: settings.time_zone,
            controls: Vec::new(),
            pending: BTreeMap::new(),
            watermark: i64::MIN,
            next: Vec::new(),
        }
    }

    /// Takes note of a change of an epoch.
    pub fn apply(&mut self, change: &ViewChange) {
        match change {
            ViewChange::Pending((source, Some(pending))) => {
                self.pending.insert(*source, pending.clone());
            }
            ViewChange::Pending((source, None)) => {
                self.pending.remove(source);
            }
            ViewChange::ListChange(change) => self.controls.push(ControlChange::List(change.clone())),
            ViewChange::RulesChange(change) => {
                self.look_back = self.look_back.max(change.version.rules.look_back().farthest());
                self.controls.push(ControlChange::Rules(change.clone()));
            }
            ViewChange::Watermark(time) => self.watermark = self.watermark.max(*time),
            _ => {}
        }
    }

    /// What is to be given to the graph next.
    pub fn round(&mut self, tables: Tables<'_>) -> Result<Round> {
        let next = std::mem::take(&mut self.next);
        if !next.is_empty() {
            return Ok(Round { answers: self.answers(next, tables)?, ..Round::default() });
        }
        self.next = self.firsts();
        let settle = |pending: &Pending| SettleCustomer {
            customer: pending.event.transaction.customer.clone(),
            before: pending.final_before,
        };
        Ok(Round { settle: self.next.iter().map(settle).collect(), ..Round::default() })
    }

    /// The events that can be answered now.
    fn firsts(&self) -> Vec<Pending> {
        let settled = settled(self.watermark, self.horizon);
        let mut in_order: Vec<_> = self.pending.values().collect();
        in_order.sort_by_key(|pending| pending.order());
        // What is not written yet, because the first one holds it back, must be known to identity.
        let first = in_order.first().map_or(i64::MAX, |pending| pending.final_before);
        let settled = settled.min(first.saturating_add(self.identity_retention / 2));
        let due = in_order.into_iter().take_while(|pending| pending.final_before <= settled);
        answerable(due.cloned())
    }

    fn answers(&self, events: Vec<Pending>, tables: Tables<'_>) -> Result<Vec<Answer>> {
        let Tables { archive, customers, stores } = tables;
        archive.catch_up(customers, stores)?;
        let judge = Judge::new(self.rules.clone(), self.concerning(&events), Calendar::new(self.zone));
        let answers = (0..).zip(events).map(|(number, pending)| {
            let found = archive.find(&pending.event.transaction.id)?;
            let found = found.filter(|found| found.event_time >= pending.reaches_back_to);
            let customer = customers.find(&pending.event.transaction.customer);
            let past = Past::read(archive, customer, found.as_ref(), &pending)?;
            let found = found.map(|found| archive.amended(&found)).transpose()?;
            self.answer(number, pending, found, &Seen { past, archive, stores, judge: &judge })
        });
        answers.collect()
    }

    /// The changes of the list that concern the events' customers and stores.
    fn concerning(&self, events: &[Pending]) -> Vec<ControlChange> {
        let named = events.iter().flat_map(|pending| {
            let Transaction { customer, store, .. } = &*pending.event.transaction;
            [customer, store]
        });
        let named: BTreeSet<&Id> = named.collect();
        let concerns = |change: &&ControlChange| match change {
            ControlChange::List(change) => named.contains(change.entity.id()),
            ControlChange::Rules(_) => true,
        };
        self.controls.iter().filter(concerns).cloned().collect()
    }

    fn answer(
        &self,
        number: u64,
        pending: Pending,
        found: Option<Amended>,
        seen: &Seen<'_>,
    ) -> Result<Answer> {
        let new = &pending.event.transaction;
        let look_back = self.look_back;
        let is_final = new.event_time < pending.final_before;
        let verdict = if is_final && !new.voided {
            seen.judge.verdict(new, &seen.precedents(new, look_back, &self.calendar)?)
        } else {
            Verdict::default()
        };
        Ok(Answer {
            number,
            verdict,
            sole_in_minute: seen.sole_in_minute(new),
            sole_in_hour: seen.sole_in_hour(new, &self.calendar),
            past: seen.final_past(new, is_final, pending.final_before.saturating_sub(look_back))?,
            whole_from: i64::MIN,
            found: found.map(|found| Amended {
                sole_in_hour: seen.sole_in_hour(&found.scored.transaction, &self.calendar),
                scored: Scored {
                    first_in_minute: seen.sole_in_minute(&found.scored.transaction),
                    ..found.scored
                },
                ..found
            }),
            pending,
        })
    }
}

/// A customer's final transactions that are not voided, without the one found, in order.
struct Past(Vec<Entry>);

impl Past {
    fn read(
        archive: &Archive,
        customer: Option<u32>,
        found: Option<&Entry>,
        pending: &Pending,
    ) -> Result<Self> {
        let mut entries = customer.map_or_else(|| Ok(Vec::new()), |slot| archive.of_customer(slot))?;
        let found = found.map(|found| found.number);
        entries.retain(|entry| {
            !entry.voided && entry.event_time < pending.final_before && Some(entry.number) != found
        });
        entries.sort_unstable_by_key(|entry| entry.event_time);
        // Only between those at the same instant their ids decide.
        for same in entries.chunk_by_mut(|a, b| a.event_time == b.event_time).filter(|same| same.len() > 1) {
            let mut by_id = Vec::with_capacity(same.len());
            for entry in same.iter() {
                by_id.push((archive.id(entry)?, *entry));
            }
            by_id.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            same.iter_mut().zip(by_id).for_each(|(place, (_, entry))| *place = entry);
        }
        Ok(Self(entries))
    }
}

/// What an answer is made of.
struct Seen<'a> {
    past: Past,
    archive: &'a Archive,
    stores: &'a KeyMap,
    judge: &'a Judge,
}

impl Seen<'_> {
    /// How many precede a version.
    fn count_before(&self, new: &Transaction) -> Result<usize> {
        let mut count = self.past.0.partition_point(|entry| entry.event_time < new.event_time);
        while let Some(entry) = self.past.0.get(count).filter(|entry| entry.event_time == new.event_time) {
            if self.archive.id(entry)? > new.id {
                break;
            }
            count += 1;
        }
        Ok(count)
    }

    fn precedents(&self, new: &Transaction, look_back: i64, calendar: &Calendar) -> Result<Precedents> {
        let earlier = &self.past.0[..self.count_before(new)?];
        let kept_from = new.event_time.saturating_sub(look_back);
        let mut precedents = Precedents { last_place: self.last_place(earlier)?, ..Precedents::default() };
        for entry in earlier {
            let minute = calendar.minute_of_day(entry.event_time);
            let (currency, earlier) = self::earlier(entry);
            precedents.add(earlier, minute, currency == new.currency, kept_from);
        }
        Ok(precedents)
    }

    /// What is final with the new version, as far as that is; detectors look back to `kept_from`.
    fn final_past(&self, new: &Transaction, is_final: bool, kept_from: i64) -> Result<FinalPast> {
        let entries = &self.past.0;
        let mut past = FinalPast { currencies: Vec::new(), last_place: self.last_place(entries)? };
        let with_new = is_final && !new.voided;
        let place = new.place.filter(|_| with_new);
        let position = if with_new { self.count_before(new)? } else { entries.len() };
        let (before, after) = entries.split_at(position);
        let own = with_new.then_some((
            new.currency,
            EarlierTransaction { event_time: new.event_time, cents: new.amount.0 },
        ));
        for (currency, earlier) in before.iter().map(earlier).chain(own).chain(after.iter().map(earlier)) {
            past.add(currency, earlier, kept_from);
        }
        if let Some(place) = place {
            past.see(FinalPlace { event_time: new.event_time, place, id: new.id.clone() });
        }
        Ok(past)
    }

    fn last_place(&self, entries: &[Entry]) -> Result<Option<FinalPlace>> {
        let last = entries.iter().rev().find_map(|entry| Some((entry, entry.place?)));
        let place = last.map(|(entry, place)| {
            Ok(FinalPlace { event_time: entry.event_time, place, id: self.archive.id(entry)? })
        });
        place.transpose()
    }

    /// No other one in its currency is alike; false for a voided one.
    fn sole(&self, transaction: &Transaction, alike: impl Fn(&Entry) -> bool) -> bool {
        let in_currency = |other: &&Entry| other.currency == transaction.currency;
        !transaction.voided && !self.past.0.iter().filter(in_currency).any(alike)
    }

    fn sole_in_minute(&self, transaction: &Transaction) -> bool {
        let minute = |event_time: i64| event_time.div_euclid(MINUTE);
        self.sole(transaction, |other| minute(other.event_time) == minute(transaction.event_time))
    }

    fn sole_in_hour(&self, transaction: &Transaction, calendar: &Calendar) -> bool {
        let hour = calendar.hour_start(transaction.event_time);
        let store = self.stores.find(&transaction.store);
        self.sole(transaction, |other| {
            Some(other.store) == store && calendar.hour_start(other.event_time) == hour
        })
    }
}

/// What detectors see of one, with its currency.
fn earlier(entry: &Entry) -> (Currency, EarlierTransaction) {
    (entry.currency, EarlierTransaction { event_time: entry.event_time, cents: entry.cents })
}
