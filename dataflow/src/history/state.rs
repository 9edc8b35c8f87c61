//! The state of `history` on one worker, and what each change does to it. No timely here.

use super::customer::Customer;
use super::customers::Customers;
use super::entry::Entry;
use super::judge::{ControlChange, Judge};
use super::symbols::Symbols;
use super::walk::{Assessment, Surroundings, assess, assess_last};
use crate::identity::Version;
use crate::model::timestamp::{MINUTE, SECOND};
use crate::model::views::Profile;
use crate::model::{Alert, AlertChange, Calendar, Cause, ChangeKind, Entity, Id, Scored, Settings, Upsert};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Versions whose customers are looked up together.
const LOOK_AHEAD: usize = 32;

/// What happened, gathered until it is sent.
#[derive(Default)]
pub(super) struct Outcome {
    pub scored: Vec<(Scored, isize)>,
    pub alert_changes: Vec<AlertChange>,
    pub settled: Vec<Scored>,
}

pub(super) struct History {
    /// Length of a slice of event time, microseconds: what settles together.
    slice: i64,
    emit_settled: bool,
    customers: Customers,
    symbols: Symbols,
    judge: Judge,
    calendar: Calendar,
    /// Customers with entries in a slice of event time, by slice.
    slices: BTreeMap<i64, Vec<u32>>,
    /// What lies before this event time is final.
    settled: i64,
    touched: Vec<u32>,
}

impl History {
    pub(super) fn new(settings: &Settings, emit_settled: bool) -> Self {
        Self {
            slice: (settings.correction_horizon / 16).max(SECOND),
            emit_settled,
            customers: Customers::default(),
            symbols: Symbols::default(),
            judge: Judge::new(settings.rules.clone()),
            calendar: Calendar::new(settings.time_zone),
            slices: BTreeMap::new(),
            settled: i64::MIN,
            touched: Vec::new(),
        }
    }

    /// The slots of the next versions' customers.
    ///
    /// Touching them all before the first is applied lets the memory accesses, which miss every cache, overlap.
    pub(super) fn look_ahead(&mut self, versions: &[Version]) -> Vec<u32> {
        let next = versions.iter().take(LOOK_AHEAD);
        let customers = &mut self.customers;
        let slots: Vec<u32> = next.map(|version| customers.slot(&version.transaction.customer)).collect();
        self.touch_memory(&slots);
        slots
    }

    fn touch_memory(&self, slots: &[u32]) {
        let newest = slots.iter().map(|slot| self.customers.get(*slot).newest());
        std::hint::black_box(newest.max());
    }

    /// Makes a version of the customer at `slot` current.
    pub(super) fn apply(&mut self, slot: u32, version: Version, out: &mut Outcome) {
        let transaction = &version.transaction;
        self.touch(slot);
        let entry = Entry::new(transaction, &mut self.symbols);
        let position = self.customers.get(slot).position(entry.key());
        let in_order = position == self.customers.get(slot).entries.len();
        if in_order && version.replaces.is_none() && !entry.voided {
            self.append(slot, entry, version, out);
        } else {
            self.revise(slot, entry, &version, out);
        }
    }

    /// The way of nearly all events: nothing that is there already changes.
    fn append(&mut self, slot: u32, entry: Entry, version: Version, out: &mut Outcome) {
        self.register(slot, entry.event_time);
        let minute = self.calendar.minute_of_day(entry.event_time);
        let customer = self.customers.get_mut(slot);
        let end = customer.entries.len();
        customer.insert(end, entry, minute);
        let (customer, surroundings) = self.look_at(slot);
        let Assessment { verdict, first_in_minute } = assess_last(customer, surroundings);
        let scored = Scored { transaction: version.transaction, verdict, first_in_minute };
        if let Some(alert) = Alert::of(&scored) {
            let customer = self.customers.get_mut(slot);
            customer.alerts += 1;
            let number = &mut customer.entries[end].alert_changes;
            out.alert_changes.push(numbered(number, ChangeKind::Raised, Cause::Transaction, alert));
        }
        out.scored.push((scored, 1));
    }

    /// Inserts, replaces or withdraws, and re-assesses the suffix that this can change.
    fn revise(&mut self, slot: u32, mut entry: Entry, version: &Version, out: &mut Outcome) {
        let cause = match (version.transaction.voided, version.replaces) {
            (true, _) => Cause::Void,
            (false, Some(_)) => Cause::Correction,
            (false, None) => Cause::LateEvent,
        };
        let customer = self.customers.get(slot);
        let replaced = version.replaces.and_then(|time| customer.find((time, &version.transaction.id)));
        let inserted = customer.position(entry.key());
        let from = replaced.map_or(inserted, |replaced| replaced.min(inserted));
        let before = self.assess_from(slot, from);

        let mut old = None;
        if let Some(position) = replaced {
            let minute = self.minute_at(slot, position);
            let removed = self.customers.get_mut(slot).remove(position, minute);
            entry.alert_changes = removed.alert_changes;
            let scored = self.scored(slot, &removed, &before[position - from]);
            removed.release(&mut self.symbols);
            old = Some(scored);
        }
        self.register(slot, entry.event_time);
        let minute = self.calendar.minute_of_day(entry.event_time);
        let customer = self.customers.get_mut(slot);
        let inserted = customer.position(entry.key());
        customer.insert(inserted, entry, minute);
        let after = self.assess_from(slot, from);

        // Before and after hold the same entries in the same order, but for the one taken out and the one put in.
        let mut unchanged = (0..before.len()).filter(|index| Some(index + from) != replaced);
        for (index, assessment) in after.iter().enumerate() {
            let position = from + index;
            if position == inserted {
                let own = if cause == Cause::LateEvent { Cause::Transaction } else { cause };
                self.emit(slot, position, old.take(), assessment, own, out);
            } else if let Some(earlier) = unchanged.next() {
                self.reassess(slot, position, &before[earlier], assessment, cause, out);
            }
        }
    }

    /// Takes note of a change of the rules or the list and re-scores what it touches within the horizon.
    ///
    /// What is final is no longer touched, whatever the change says.
    pub(super) fn control(&mut self, mut change: ControlChange, out: &mut Outcome) {
        change.apply_from(self.settled);
        let (applies_from, cause, slots) = match &change {
            ControlChange::Rules(change) => {
                (change.applies_from, Cause::RuleChange, self.customers.slots().collect())
            }
            ControlChange::List(change) => {
                (change.applies_from, Cause::ListChange, self.concerned(&change.entity))
            }
        };
        let mut stretches: Vec<(u32, usize, Vec<Assessment>)> = Vec::new();
        for slot in slots {
            let from = self.customers.get(slot).position_at(applies_from);
            let before = self.assess_from(slot, from);
            if !before.is_empty() {
                stretches.push((slot, from, before));
            }
        }
        self.judge.apply(change, self.folded_before());
        for (slot, from, before) in stretches {
            let after = self.assess_from(slot, from);
            for (index, (before, after)) in before.iter().zip(&after).enumerate() {
                self.reassess(slot, from + index, before, after, cause, out);
            }
        }
    }

    /// Customers whose verdicts the entity's listing can change.
    fn concerned(&self, entity: &Entity) -> Vec<u32> {
        match entity {
            Entity::Customer(id) => self.customers.find(id).into_iter().collect(),
            Entity::Store(id) => {
                let Some(store) = self.symbols.find(id) else { return Vec::new() };
                let pays_there =
                    |slot: &u32| self.customers.get(*slot).entries.iter().any(|entry| entry.store == store);
                self.customers.slots().filter(pays_there).collect()
            }
        }
    }

    /// Folds what lies a horizon behind the watermark, whole slices at a time.
    pub(super) fn settle(&mut self, settled: i64, out: &mut Outcome) {
        while let Some(first) = self.slices.first_entry() {
            let end = (first.key() + 1).saturating_mul(self.slice);
            if end > settled {
                break;
            }
            for slots in first.remove().chunks(LOOK_AHEAD) {
                self.touch_memory(slots);
                for slot in slots {
                    self.fold(*slot, end, out);
                }
            }
        }
        self.settled = settled;
    }

    /// Everything before this event time is folded: whole slices, so it lies up to a slice behind `settled`.
    fn folded_before(&self) -> i64 {
        self.settled.div_euclid(self.slice).saturating_mul(self.slice)
    }

    fn fold(&mut self, slot: u32, end: i64, out: &mut Outcome) {
        let count = self.customers.get(slot).position_at(end);
        if count == 0 {
            return;
        }
        if self.emit_settled {
            let (customer, surroundings) = self.look_at(slot);
            let assessments = assess(customer, 0..count, surroundings);
            for (position, assessment) in assessments.iter().enumerate() {
                let scored = self.scored(slot, &self.customers.get(slot).entries[position], assessment);
                out.settled.push(scored);
            }
        }
        let window_start = end - self.judge.longest_window().max(MINUTE);
        let (calendar, symbols) = (&self.calendar, &mut self.symbols);
        let customer = self.customers.get_mut(slot);
        let minute = |event_time| calendar.minute_of_day(event_time);
        customer.fold(count, minute, window_start, |entry| entry.release(symbols));
    }

    /// The profiles that have changed since the last call.
    pub(super) fn take_profiles(&mut self) -> Vec<Upsert<Id, Profile>> {
        let customers = &mut self.customers;
        let profile = |slot| {
            let customer = customers.get_mut(slot);
            customer.touched = false;
            (customer.id.clone(), customer.profile())
        };
        self.touched.drain(..).map(profile).collect()
    }

    fn touch(&mut self, slot: u32) {
        let customer = self.customers.get_mut(slot);
        if !customer.touched {
            customer.touched = true;
            self.touched.push(slot);
        }
    }

    /// Sees to it that the customer is looked at when the slice of `event_time` settles.
    fn register(&mut self, slot: u32, event_time: i64) {
        let slice_of = |event_time: i64| event_time.div_euclid(self.slice);
        let slice = slice_of(event_time);
        let customer = self.customers.get(slot);
        let known = match customer.newest() {
            Some(newest) if slice_of(newest) > slice => {
                let next = customer.entries.get(customer.position_at(slice * self.slice));
                next.is_some_and(|next| slice_of(next.event_time) == slice)
            }
            newest => newest.is_some_and(|newest| slice_of(newest) == slice),
        };
        if !known {
            self.slices.entry(slice).or_default().push(slot);
        }
    }

    fn look_at(&self, slot: u32) -> (&Customer, Surroundings<'_>) {
        let surroundings =
            Surroundings { judge: &self.judge, symbols: &self.symbols, calendar: &self.calendar };
        (self.customers.get(slot), surroundings)
    }

    fn assess_from(&self, slot: u32, from: usize) -> Vec<Assessment> {
        let (customer, surroundings) = self.look_at(slot);
        assess(customer, from..customer.entries.len(), surroundings)
    }

    fn minute_at(&self, slot: u32, position: usize) -> u16 {
        self.calendar.minute_of_day(self.customers.get(slot).entries[position].event_time)
    }

    fn scored(&self, slot: u32, entry: &Entry, assessment: &Assessment) -> Scored {
        Scored {
            transaction: Arc::new(entry.transaction(&self.customers.get(slot).id, &self.symbols)),
            verdict: assessment.verdict.clone(),
            first_in_minute: assessment.first_in_minute,
        }
    }

    fn reassess(
        &mut self,
        slot: u32,
        position: usize,
        before: &Assessment,
        after: &Assessment,
        cause: Cause,
        out: &mut Outcome,
    ) {
        if before != after {
            let old = self.scored(slot, &self.customers.get(slot).entries[position], before);
            self.emit(slot, position, Some(old), after, cause, out);
        }
    }

    /// Says that the entry at `position` is now as `assessment` has it, and was `old`.
    fn emit(
        &mut self,
        slot: u32,
        position: usize,
        old: Option<Scored>,
        assessment: &Assessment,
        cause: Cause,
        out: &mut Outcome,
    ) {
        let new = self.scored(slot, &self.customers.get(slot).entries[position], assessment);
        let before = old.as_ref().and_then(Alert::of);
        let after = Alert::of(&new);
        self.touch(slot);
        let customer = self.customers.get_mut(slot);
        customer.alerts = customer.alerts + u32::from(after.is_some()) - u32::from(before.is_some());
        if let Some((kind, alert)) = alert_change(before, after) {
            let number = &mut customer.entries[position].alert_changes;
            out.alert_changes.push(numbered(number, kind, cause, alert));
        }
        if let Some(old) = old {
            out.scored.push((old, -1));
        }
        out.scored.push((new, 1));
    }
}

/// A revision is worth telling when the score, as it is shown, or the rules changed, or the transaction itself.
fn alert_change(before: Option<Alert>, after: Option<Alert>) -> Option<(ChangeKind, Alert)> {
    match (before, after) {
        (None, Some(after)) => Some((ChangeKind::Raised, after)),
        (Some(before), None) => Some((ChangeKind::Withdrawn, before)),
        (Some(before), Some(after)) => {
            let told = |alert: &Alert| {
                (alert.score.thousandths(), alert.amount, alert.event_time, alert.store.clone())
            };
            let same = told(&before) == told(&after) && before.rules().eq(after.rules());
            (!same).then_some((ChangeKind::Revised, after))
        }
        (None, None) => None,
    }
}

fn numbered(number: &mut u32, kind: ChangeKind, cause: Cause, alert: Alert) -> AlertChange {
    *number += 1;
    AlertChange { sequence: *number, kind, cause, alert }
}
