//! The state of `history` on one worker, and what each change does to it, without timely.

use super::customer::Customer;
use super::entry::{Entry, Shared};
use super::evaluation::{Evaluation, Evaluator};
use super::policy::Policy;
use super::slicing::Slicing;
use crate::alerts::{Alert, AlertChange, Cause, ChangeKind};
use crate::changes::Upsert;
use crate::controls::ControlChange;
use crate::identity::Version;
use crate::resume::Resume;
use crate::roster::{BATCH, Member, OfMember, Roster};
use crate::score::{Scored, Settled, Verdict};
use crate::settings::Settings;
use crate::views::customer_profile::Profile;
use std::collections::BTreeMap;
use std::sync::Arc;
use streamflow_model::timestamp::MINUTE;
use streamflow_model::{Calendar, Entity, Id};

/// Output gathered until it is sent.
#[derive(Default)]
pub(super) struct Outcome {
    pub scored: Vec<(OfMember<Scored>, isize)>,
    pub alert_changes: Vec<AlertChange>,
}

/// Most settled transactions sent together: they are large, and many become final at once.
const SETTLED_BATCH: usize = 128;

pub(super) struct History {
    slicing: Slicing,
    settled_wanted: bool,
    pub(super) customers: Roster<Customer>,
    /// Entries of all customers.
    pub(super) entries: usize,
    pub(super) shared: Shared,
    pub(super) policy: Policy,
    calendar: Calendar,
    /// Customers with entries in a slice of event time, by slice.
    slices: BTreeMap<i64, Vec<u32>>,
    /// Transactions before this event time are final.
    settled: i64,
    touched: Touched,
}

/// Customers whose profile changes in this epoch.
#[derive(Default)]
struct Touched {
    slots: Vec<u32>,
    marks: Vec<bool>,
}

impl Touched {
    fn add(&mut self, slot: u32) {
        let index = slot as usize;
        if self.marks.len() <= index {
            self.marks.resize(index + 1, false);
        }
        if !std::mem::replace(&mut self.marks[index], true) {
            self.slots.push(slot);
        }
    }

    fn take(&mut self) -> Vec<u32> {
        for slot in &self.slots {
            self.marks[*slot as usize] = false;
        }
        std::mem::take(&mut self.slots)
    }
}

impl History {
    /// Histories that resume from `resume`; transactions and customers are still to be restored.
    pub(super) fn new(settings: &Settings, settled_wanted: bool, resume: &Resume) -> Self {
        let mut history = Self {
            slicing: Slicing::new(settings.correction_horizon),
            settled_wanted,
            customers: Roster::default(),
            entries: 0,
            shared: Shared::default(),
            policy: Policy::new(settings.rules.clone()),
            calendar: Calendar::new(settings.time_zone),
            slices: BTreeMap::new(),
            settled: resume.settled(settings),
            touched: Touched::default(),
        };
        let folded_before = history.folded_before();
        resume.controls.iter().for_each(|change| history.policy.apply(change.clone(), folded_before));
        history
    }

    /// The slots of the next versions' customers; prefetches their memory.
    pub(super) fn look_ahead(&mut self, versions: &[Version]) -> Vec<u32> {
        let next = versions.iter().take(BATCH);
        let slots = self.customers.slots(next.map(|version| &version.transaction.customer));
        self.touch_histories(&slots);
        slots
    }

    fn touch_histories(&self, slots: &[u32]) {
        slots.iter().for_each(|slot| self.customers.get(*slot).touch_history());
    }

    /// Makes a version of the customer at `slot` current.
    pub(super) fn apply(&mut self, slot: u32, version: Version, out: &mut Outcome) {
        let transaction = &version.transaction;
        self.touched.add(slot);
        let entry = Entry::new(transaction, &mut self.shared);
        let position = self.customers.get(slot).position(entry.key());
        let in_order = position == self.customers.get(slot).entries.len();
        if in_order && version.replaces.is_none() && !entry.voided() {
            self.append(slot, entry, version, out);
        } else {
            self.revise(slot, entry, &version, out);
        }
    }

    /// Appends an event in order, as nearly all are: no earlier result changes.
    fn append(&mut self, slot: u32, entry: Entry, version: Version, out: &mut Outcome) {
        self.register(slot, entry.event_time);
        let minute = self.calendar.minute_of_day(entry.event_time);
        let customer = self.customers.get_mut(slot);
        let end = customer.entries.len();
        customer.insert(end, entry, minute);
        self.entries += 1;
        let (customer, evaluator) = self.evaluator(slot);
        let Evaluation { verdict, first_in_minute } = evaluator.evaluate_last(customer);
        let mut scored =
            Scored { transaction: version.transaction, verdict, first_in_minute, alert_changes: 0 };
        if !scored.verdict.hits.is_empty() {
            let customer = self.customers.get_mut(slot);
            let entry = &mut customer.entries[end];
            entry.set_hit(true);
            if let Some(alert) = Alert::of(&scored) {
                customer.alerts += 1;
                let sequence = entry.count_alert_change(&mut self.shared);
                scored.alert_changes = sequence;
                let (kind, cause) = (ChangeKind::Raised, Cause::Transaction);
                out.alert_changes.push(AlertChange { sequence, kind, cause, alert });
            }
        }
        out.scored.push((OfMember { slot, value: scored }, 1));
    }

    /// Inserts, replaces or withdraws, and re-evaluates the suffix that this can change.
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
        let before = self.evaluate_from(slot, from);

        let mut old = None;
        if let Some(position) = replaced {
            let minute = self.minute_at(slot, position);
            let removed = self.customers.get_mut(slot).remove(position, minute);
            self.entries -= 1;
            entry.continue_alert_of(&removed, &mut self.shared);
            let scored = self.scored(slot, &removed, &before[position - from]);
            removed.release(&mut self.shared);
            old = Some(scored);
        }
        self.register(slot, entry.event_time);
        let minute = self.calendar.minute_of_day(entry.event_time);
        let customer = self.customers.get_mut(slot);
        let inserted = customer.position(entry.key());
        customer.insert(inserted, entry, minute);
        self.entries += 1;
        let after = self.evaluate_from(slot, from);

        // Before and after hold the same entries in the same order, but for the one taken out and the one put
        // in.
        let mut unchanged = (0..before.len()).filter(|index| Some(index + from) != replaced);
        for (index, evaluation) in after.iter().enumerate() {
            let position = from + index;
            if position == inserted {
                let own = if cause == Cause::LateEvent { Cause::Transaction } else { cause };
                self.emit(slot, position, old.take(), evaluation, own, out);
            } else if let Some(earlier) = unchanged.next() {
                self.reevaluate(slot, position, &before[earlier], evaluation, cause, out);
            }
        }
    }

    /// Applies a change of the rules or the list and re-evaluates the transactions within the horizon to
    /// which it applies. Final ones stay as they are.
    pub(super) fn control(&mut self, mut change: ControlChange, out: &mut Outcome) {
        change.apply_from(self.settled);
        let (applies_from, cause, slots) = match &change {
            ControlChange::Rules(change) => {
                (change.applies_from, Cause::RuleChange, self.customers.in_use().collect())
            }
            ControlChange::List(change) => {
                (change.applies_from, Cause::ListChange, self.affected_by(&change.entity))
            }
        };
        let mut stretches: Vec<(u32, usize, Vec<Evaluation>)> = Vec::new();
        for slot in slots {
            let from = self.customers.get(slot).position_at(applies_from);
            let before = self.evaluate_from(slot, from);
            if !before.is_empty() {
                stretches.push((slot, from, before));
            }
        }
        self.policy.apply(change, self.folded_before());
        for (slot, from, before) in stretches {
            let after = self.evaluate_from(slot, from);
            for (index, (before, after)) in before.iter().zip(&after).enumerate() {
                self.reevaluate(slot, from + index, before, after, cause, out);
            }
        }
    }

    /// Customers whose verdicts the entity's list entry can change.
    fn affected_by(&self, entity: &Entity) -> Vec<u32> {
        match entity {
            Entity::Customer(id) => self.customers.find(id).into_iter().collect(),
            Entity::Store(id) => {
                let Some(store) = self.shared.stores.find(id) else { return Vec::new() };
                let pays_there =
                    |slot: &u32| self.customers.get(*slot).entries.iter().any(|entry| entry.store == store);
                self.customers.in_use().filter(pays_there).collect()
            }
        }
    }

    /// Folds the transactions before `settled`, whole slices at a time, and emits them if that is wanted.
    pub(super) fn settle(&mut self, settled: i64, mut emit: impl FnMut(Vec<Settled>)) {
        let mut folded = Vec::new();
        let kept = self.folded_look_back();
        while let Some(first) = self.slices.first_entry() {
            let end = self.slicing.start(first.key() + 1);
            if end > settled {
                break;
            }
            for slots in first.remove().chunks(BATCH) {
                self.customers.touch(slots.iter().copied());
                self.touch_histories(slots);
                for slot in slots {
                    self.fold(*slot, end, end - kept, &mut folded);
                }
                if folded.len() >= SETTLED_BATCH {
                    emit(std::mem::take(&mut folded));
                }
            }
        }
        if !folded.is_empty() {
            emit(folded);
        }
        self.settled = settled;
    }

    /// Transactions before this event time are folded. Slices are folded whole, so it is up to a slice before
    /// `settled`.
    pub(super) fn folded_before(&self) -> i64 {
        self.slicing.folded_before(self.settled)
    }

    /// How long before `folded_before` single transactions are kept for detectors, microseconds.
    pub(super) fn folded_look_back(&self) -> i64 {
        self.policy.look_back().transactions.max(MINUTE)
    }

    fn fold(&mut self, slot: u32, end: i64, kept_from: i64, folded: &mut Vec<Settled>) {
        let count = self.customers.get(slot).count_before(end);
        if count == 0 {
            return;
        }
        if self.settled_wanted {
            self.emit_settled(slot, count, folded);
        }
        let shared = &mut self.shared;
        let customer = self.customers.get_mut(slot);
        customer.fold(count, kept_from, |entry| entry.release(shared));
        self.entries -= count;
    }

    /// Emits the first `count` entries. Without a hit among them their verdicts are known to be empty.
    fn emit_settled(&self, slot: u32, count: usize, folded: &mut Vec<Settled>) {
        let (customer, evaluator) = self.evaluator(slot);
        let settling = &customer.entries[..count];
        let hit = settling.iter().any(Entry::hit);
        let mut evaluations =
            if hit { evaluator.evaluate(customer, 0..count) } else { Vec::new() }.into_iter();
        folded.extend(settling.iter().map(|entry| Settled {
            transaction: entry.transaction(customer.id(), &self.shared),
            verdict: evaluations.next().map_or_else(Verdict::default, |evaluation| evaluation.verdict),
        }));
    }

    /// The profiles that have changed since the last call.
    pub(super) fn take_profiles(&mut self) -> Vec<Upsert<Id, Profile>> {
        let slots = self.touched.take();
        let mut profiles = Vec::with_capacity(slots.len());
        for slots in slots.chunks(BATCH) {
            self.customers.touch(slots.iter().copied());
            self.touch_histories(slots);
            profiles.extend(slots.iter().map(|slot| {
                let customer = self.customers.get(*slot);
                (customer.id().clone(), customer.profile())
            }));
        }
        profiles
    }

    /// Remembers that the customer has an entry in the slice of `event_time`, to fold it when the slice
    /// settles.
    pub(super) fn register(&mut self, slot: u32, event_time: i64) {
        let slice_of = |event_time| self.slicing.slice(event_time);
        let slice = slice_of(event_time);
        let customer = self.customers.get(slot);
        let known = match customer.newest() {
            Some(newest) if slice_of(newest) > slice => {
                let next = customer.entries.get(customer.position_at(self.slicing.start(slice)));
                next.is_some_and(|next| slice_of(next.event_time) == slice)
            }
            newest => newest.is_some_and(|newest| slice_of(newest) == slice),
        };
        if !known {
            self.slices.entry(slice).or_default().push(slot);
        }
    }

    fn evaluator(&self, slot: u32) -> (&Customer, Evaluator<'_>) {
        let evaluator = Evaluator { policy: &self.policy, shared: &self.shared, calendar: &self.calendar };
        (self.customers.get(slot), evaluator)
    }

    fn evaluate_from(&self, slot: u32, from: usize) -> Vec<Evaluation> {
        let (customer, evaluator) = self.evaluator(slot);
        evaluator.evaluate(customer, from..customer.entries.len())
    }

    fn minute_at(&self, slot: u32, position: usize) -> u16 {
        self.calendar.minute_of_day(self.customers.get(slot).entries[position].event_time)
    }

    fn scored(&self, slot: u32, entry: &Entry, evaluation: &Evaluation) -> Scored {
        Scored {
            transaction: Arc::new(entry.transaction(self.customers.get(slot).id(), &self.shared)),
            verdict: evaluation.verdict.clone(),
            first_in_minute: evaluation.first_in_minute,
            alert_changes: entry.alert_changes(&self.shared),
        }
    }

    fn reevaluate(
        &mut self,
        slot: u32,
        position: usize,
        before: &Evaluation,
        after: &Evaluation,
        cause: Cause,
        out: &mut Outcome,
    ) {
        if before != after {
            let old = self.scored(slot, &self.customers.get(slot).entries[position], before);
            self.emit(slot, position, Some(old), after, cause, out);
        }
    }

    /// Emits the entry at `position` with its new evaluation, and retracts `old`.
    fn emit(
        &mut self,
        slot: u32,
        position: usize,
        old: Option<Scored>,
        evaluation: &Evaluation,
        cause: Cause,
        out: &mut Outcome,
    ) {
        let mut new = self.scored(slot, &self.customers.get(slot).entries[position], evaluation);
        let before = old.as_ref().and_then(Alert::of);
        let after = Alert::of(&new);
        self.touched.add(slot);
        let customer = self.customers.get_mut(slot);
        let entry = &mut customer.entries[position];
        entry.set_hit(!new.verdict.hits.is_empty());
        customer.alerts = customer.alerts + u32::from(after.is_some()) - u32::from(before.is_some());
        if let Some((kind, alert)) = alert_change(before, after) {
            let sequence = entry.count_alert_change(&mut self.shared);
            new.alert_changes = sequence;
            out.alert_changes.push(AlertChange { sequence, kind, cause, alert });
        }
        if let Some(old) = old {
            out.scored.push((OfMember { slot, value: old }, -1));
        }
        out.scored.push((OfMember { slot, value: new }, 1));
    }
}

/// An alert is revised when its score as shown, its rules or the transaction itself changed.
fn alert_change(before: Option<Alert>, after: Option<Alert>) -> Option<(ChangeKind, Alert)> {
    match (before, after) {
        (None, Some(after)) => Some((ChangeKind::Raised, after)),
        (Some(before), None) => Some((ChangeKind::Withdrawn, before)),
        (Some(before), Some(after)) => {
            let shown = |alert: &Alert| {
                (alert.score.thousandths(), alert.amount, alert.event_time, alert.store.clone())
            };
            let same = shown(&before) == shown(&after) && before.rules().eq(after.rules());
            (!same).then_some((ChangeKind::Revised, after))
        }
        (None, None) => None,
    }
}
