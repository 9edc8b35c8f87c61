//! The state of `history` on one worker, and what each change does to it, without timely.

use super::customer::Customer;
use super::entry::{Entry, Shared};
use super::evaluation::{Evaluation, Evaluator};
use super::policy::Policy;
use super::sequence::Position;
use super::slicing::Slicing;
use crate::alerts::{Alert, AlertChange, AlertEvidence, Cause, ChangeKind};
use crate::amendments::SettleCustomer;
use crate::changes::Upsert;
use crate::controls::ControlChange;
use crate::identity::Version;
use crate::resume::Resume;
use crate::roster::{BATCH, Member, OfMember, Roster};
use crate::score::{Amended, Scored, Settled, Verdict};
use crate::settings::Settings;
use crate::views::customer_profile::{Profile, ProfileKey};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use streamflow_model::timestamp::MINUTE;
use streamflow_model::{Calendar, Entity};

/// What is emitted beside the rest where it is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Optional {
    /// Transactions as they become final.
    pub settled: bool,
    /// The evidence of alerts that are otherwise unchanged.
    pub evidence: bool,
}

/// Output gathered until it is sent.
#[derive(Default)]
pub(super) struct Outcome {
    pub scored: Vec<(OfMember<Scored>, isize)>,
    pub amended: Vec<(OfMember<Amended>, isize)>,
    pub alert_changes: Vec<AlertChange>,
    pub evidence: Vec<AlertEvidence>,
}

/// What is shown of an entry.
pub(super) struct Shown {
    pub scored: Scored,
    /// With its evidence.
    pub alert: Option<Alert>,
}

/// Most settled transactions sent together: they are large, and many become final at once.
const SETTLED_BATCH: usize = 128;

pub(super) struct History {
    slicing: Slicing,
    wanted: Optional,
    /// How far before a transaction any rule may look at single earlier ones, microseconds.
    longest_window: i64,
    pub(super) customers: Roster<Customer>,
    /// Entries of all customers.
    pub(super) entries: usize,
    pub(super) shared: Shared,
    pub(super) policy: Policy,
    pub(super) calendar: Calendar,
    /// Most entries in a block of a history.
    pub(super) block_length: usize,
    /// Customers with entries in a slice of event time, by slice.
    slices: BTreeMap<i64, Vec<u32>>,
    /// Transactions before this event time are final.
    settled: i64,
    pub(super) touched: Touched,
    /// Customers with blocks of entries, by slot, whose evidence may have changed in this epoch: from an event
    /// time on.
    restated: BTreeMap<u32, i64>,
    /// Customers, by slot, whose folded transactions have been restored in no order.
    pub(super) unordered: HashSet<u32>,
}

/// Customers whose profile changes in this epoch.
#[derive(Default)]
pub(super) struct Touched {
    slots: Vec<u32>,
    marks: Vec<bool>,
}

impl Touched {
    pub(super) fn add(&mut self, slot: u32) {
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
    pub(super) fn new(settings: &Settings, wanted: Optional, resume: &Resume) -> Self {
        let mut history = Self {
            slicing: Slicing::new(settings.correction_horizon),
            wanted,
            longest_window: settings.longest_window,
            customers: Roster::default(),
            entries: 0,
            shared: Shared::default(),
            policy: Policy::new(settings.rules.clone()),
            calendar: Calendar::new(settings.time_zone),
            block_length: settings.history_block.max(2),
            slices: BTreeMap::new(),
            settled: resume.settled(settings),
            touched: Touched::default(),
            restated: BTreeMap::new(),
            unordered: HashSet::new(),
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
        let entries = &self.customers.get(slot).entries;
        let in_order = entries.position(entry.key()) == entries.end();
        if in_order && version.replaces.is_none() && !entry.voided() {
            self.append(slot, entry, version, out);
        } else {
            self.revise(slot, entry, &version, out);
        }
    }

    /// Appends an event in order, as nearly all are: no earlier result changes.
    fn append(&mut self, slot: u32, entry: Entry, version: Version, out: &mut Outcome) {
        self.register(slot, entry.event_time);
        let customer = self.customers.get_mut(slot);
        let end = customer.entries.end();
        customer.insert(end, entry, version.transaction.currency, &self.calendar);
        self.entries += 1;
        let (customer, evaluator) = self.evaluator(slot);
        let Evaluation { verdict, first_in_minute } = evaluator.evaluate_last(customer);
        let mut scored = Scored {
            transaction: version.transaction,
            verdict: verdict.shown(),
            first_in_minute,
            alert_changes: 0,
        };
        let customer = self.customers.get_mut(slot);
        if verdict.is_hit() {
            let entry = customer.entries.get_mut(end);
            entry.set_hit(true);
            if let Some(alert) = Alert::from_verdict(&scored.transaction, &verdict) {
                let sequence = entry.count_alert_change(&mut self.shared);
                scored.alert_changes = sequence;
                *customer.alerts_mut(scored.transaction.currency) += 1;
                let (kind, cause) = (ChangeKind::Raised, Cause::Transaction);
                out.alert_changes.push(AlertChange { sequence, kind, cause, alert });
            }
        }
        customer.entries.balance(&[end], self.block_length, &self.calendar);
        out.scored.push((OfMember { slot, value: scored }, 1));
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
        let mut stretches: Vec<(u32, Position, Vec<Evaluation>)> = Vec::new();
        for slot in slots {
            let from = self.customers.get(slot).entries.position_at(applies_from);
            let before = self.evaluate_from(slot, from);
            if !before.is_empty() {
                stretches.push((slot, from, before));
            }
        }
        self.policy.apply(change, self.folded_before());
        for (slot, from, before) in stretches {
            let after = self.evaluate_from(slot, from);
            self.customers.get_mut(slot).entries.forget_stability();
            self.restate_from(slot, applies_from);
            let entries = &self.customers.get(slot).entries;
            let positions: Vec<Position> = entries.from(from).map(|(position, _)| position).collect();
            for (position, (before, after)) in positions.into_iter().zip(before.iter().zip(&after)) {
                self.reevaluate(slot, position, before, after, cause, out);
            }
        }
    }

    /// Customers whose verdicts the entity's list entry can change.
    fn affected_by(&self, entity: &Entity) -> Vec<u32> {
        match entity {
            Entity::Customer(id) => self.customers.find(id).into_iter().collect(),
            Entity::Store(id) => {
                let Some(store) = self.shared.stores.find(id) else { return Vec::new() };
                let pays_there = |slot: &u32| {
                    let entries = &self.customers.get(*slot).entries;
                    entries.from(Position::FIRST).any(|(_, entry)| entry.store == store)
                };
                self.customers.in_use().filter(pays_there).collect()
            }
        }
    }

    /// Folds the transactions before `settled`, whole slices at a time, and emits them if that is wanted.
    pub(super) fn settle(&mut self, settled: i64, mut emit: impl FnMut(Vec<Settled>)) {
        let room = if self.wanted.settled { 2 * SETTLED_BATCH } else { 0 };
        let mut folded = Vec::with_capacity(room);
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
                    emit(std::mem::replace(&mut folded, Vec::with_capacity(room)));
                }
            }
        }
        if !folded.is_empty() {
            emit(folded);
        }
        self.settled = settled;
    }

    /// Folds a customer's transactions before an event time. Calls `emit` with them, if that is wanted.
    pub(super) fn settle_customer(&mut self, of: &SettleCustomer, emit: impl FnOnce(Vec<Settled>)) {
        let Some(slot) = self.customers.find(&of.customer) else { return };
        let mut folded = Vec::new();
        self.fold(slot, of.before, of.before.saturating_sub(self.folded_look_back()), &mut folded);
        if !folded.is_empty() {
            emit(folded);
        }
    }

    /// Transactions before this event time are folded. Slices are folded whole, so it is up to a slice before
    /// `settled`.
    pub(super) fn folded_before(&self) -> i64 {
        self.slicing.folded_before(self.settled)
    }

    /// How long before `folded_before` single transactions are kept for detectors, microseconds.
    pub(super) fn folded_look_back(&self) -> i64 {
        self.policy.look_back().transactions.max(self.longest_window).max(MINUTE)
    }

    /// Folds a customer's transactions before `end`; detectors look back to `kept_from`.
    pub(super) fn fold(&mut self, slot: u32, end: i64, kept_from: i64, folded: &mut Vec<Settled>) {
        let first = self.customers.get(slot).entries.first();
        if first.is_none_or(|first| first.event_time >= end) {
            return;
        }
        if self.wanted.settled {
            self.emit_settled(slot, end, folded);
        }
        let Self { shared, entries, .. } = self;
        self.customers.get_mut(slot).fold(end, kept_from, self.block_length, &self.calendar, |entry| {
            let currency = entry.currency(shared);
            entry.release(shared);
            *entries -= 1;
            currency
        });
    }

    /// Emits the entries before the event time `end`. Without a hit their verdicts are known to be empty.
    fn emit_settled(&self, slot: u32, end: i64, folded: &mut Vec<Settled>) {
        let (customer, evaluator) = self.evaluator(slot);
        let mut walk = None;
        let settling = customer.entries.from(Position::FIRST).take_while(|(_, entry)| entry.event_time < end);
        folded.extend(settling.map(|(position, entry)| Settled {
            transaction: entry.transaction(customer.id(), &self.shared),
            verdict: if entry.hit() {
                let walk = walk.get_or_insert_with(|| evaluator.walk(customer, position));
                walk.evaluate(position).verdict
            } else {
                Verdict::default()
            },
            alert_changes: entry.alert_changes(&self.shared),
        }));
    }

    /// The profiles that have changed since the last call.
    pub(super) fn take_profiles(&mut self) -> Vec<Upsert<ProfileKey, Profile>> {
        let slots = self.touched.take();
        let mut profiles = Vec::with_capacity(slots.len());
        for slots in slots.chunks(BATCH) {
            self.customers.touch(slots.iter().copied());
            self.touch_histories(slots);
            for slot in slots {
                self.customers.get_mut(*slot).take_profiles(&self.shared, &mut profiles);
            }
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
                let next = customer.entries.position_at(self.slicing.start(slice));
                let next = customer.entries.get(next);
                next.is_some_and(|next| slice_of(next.event_time) == slice)
            }
            newest => newest.is_some_and(|newest| slice_of(newest) == slice),
        };
        if !known {
            self.slices.entry(slice).or_default().push(slot);
        }
    }

    pub(super) fn evaluator(&self, slot: u32) -> (&Customer, Evaluator<'_>) {
        let evaluator = Evaluator { policy: &self.policy, shared: &self.shared, calendar: &self.calendar };
        (self.customers.get(slot), evaluator)
    }

    pub(super) fn evaluate_from(&self, slot: u32, from: Position) -> Vec<Evaluation> {
        let (customer, evaluator) = self.evaluator(slot);
        evaluator.evaluate_from(customer, from)
    }

    /// What is shown of an entry with an evaluation.
    pub(super) fn shown(&self, slot: u32, entry: &Entry, evaluation: &Evaluation) -> Shown {
        let transaction = Arc::new(entry.transaction(self.customers.get(slot).id(), &self.shared));
        let Evaluation { verdict, first_in_minute } = evaluation;
        Shown {
            alert: Alert::from_verdict(&transaction, verdict),
            scored: Scored {
                transaction,
                verdict: verdict.shown(),
                first_in_minute: *first_in_minute,
                alert_changes: entry.alert_changes(&self.shared),
            },
        }
    }

    pub(super) fn reevaluate(
        &mut self,
        slot: u32,
        position: Position,
        before: &Evaluation,
        after: &Evaluation,
        cause: Cause,
        out: &mut Outcome,
    ) {
        if before == after {
            return;
        }
        if before.shown() == after.shown() {
            return self.restate(slot, position, &after.verdict, out);
        }
        let entry = self.customers.get(slot).entries.get(position);
        if let Some(old) = entry.map(|entry| self.shown(slot, entry, before)) {
            self.emit(slot, position, Some(old), after, cause, out);
        }
    }

    /// Emits the evidence of an alert that has not changed otherwise. In a long history this waits for the
    /// end of the epoch: there it concerns many at every step.
    fn restate(&self, slot: u32, position: Position, verdict: &Verdict, out: &mut Outcome) {
        let entries = &self.customers.get(slot).entries;
        let waits = !self.wanted.evidence || entries.is_long();
        if let Some(entry) = entries.get(position).filter(|_| verdict.alert && !waits) {
            out.evidence.push(AlertEvidence {
                transaction: entry.id.clone(),
                sequence: entry.alert_changes(&self.shared),
                hits: verdict.hits.clone(),
            });
        }
    }

    /// Notes that in a long history evidence may change from an event time on.
    pub(super) fn restate_from(&mut self, slot: u32, event_time: i64) {
        if self.wanted.evidence && self.customers.get(slot).entries.is_long() {
            let from = self.restated.entry(slot).or_insert(event_time);
            *from = event_time.min(*from);
        }
    }

    /// The evidence of the alerts in long histories behind what has changed in this epoch.
    pub(super) fn take_evidence(&mut self, out: &mut Outcome) {
        for (slot, event_time) in std::mem::take(&mut self.restated) {
            let (customer, evaluator) = self.evaluator(slot);
            let from = customer.entries.position_at(event_time);
            let mut walk = evaluator.walk(customer, from);
            for (position, entry) in customer.entries.from(from).filter(|(_, entry)| entry.hit()) {
                let verdict = walk.evaluate(position).verdict;
                if verdict.alert {
                    out.evidence.push(AlertEvidence {
                        transaction: entry.id.clone(),
                        sequence: entry.alert_changes(&self.shared),
                        hits: verdict.hits,
                    });
                }
            }
        }
    }

    /// Emits the entry at `position` with its new evaluation, and retracts `old`.
    pub(super) fn emit(
        &mut self,
        slot: u32,
        position: Position,
        old: Option<Shown>,
        evaluation: &Evaluation,
        cause: Cause,
        out: &mut Outcome,
    ) {
        self.assert(slot, position, old.as_ref(), evaluation, cause, out);
        if let Some(old) = old {
            out.scored.push((OfMember { slot, value: old.scored }, -1));
        }
    }

    /// Emits the entry at `position` with its new evaluation; `old` is what it replaces.
    pub(super) fn assert(
        &mut self,
        slot: u32,
        position: Position,
        old: Option<&Shown>,
        evaluation: &Evaluation,
        cause: Cause,
        out: &mut Outcome,
    ) {
        let entry = self.customers.get(slot).entries.get(position);
        let Some(Shown { mut scored, alert }) = entry.map(|entry| self.shown(slot, entry, evaluation)) else {
            return;
        };
        self.touched.add(slot);
        let customer = self.customers.get_mut(slot);
        let entry = customer.entries.get_mut(position);
        entry.set_hit(scored.verdict.is_hit());
        if alert.is_some() {
            *customer.alerts_mut(scored.transaction.currency) += 1;
        }
        let before = old.and_then(|old| old.alert.clone());
        if let Some(old) = old.filter(|old| old.alert.is_some()) {
            *customer.alerts_mut(old.scored.transaction.currency) -= 1;
        }
        let entry = customer.entries.get_mut(position);
        if let Some((kind, alert)) = alert_change(before, alert) {
            let sequence = entry.count_alert_change(&mut self.shared);
            scored.alert_changes = sequence;
            out.alert_changes.push(AlertChange { sequence, kind, cause, alert });
        } else {
            self.restate(slot, position, &evaluation.verdict, out);
        }
        out.scored.push((OfMember { slot, value: scored }, 1));
    }
}

/// An alert is revised when its score as shown, its rules or the transaction itself changed.
pub(super) fn alert_change(before: Option<Alert>, after: Option<Alert>) -> Option<(ChangeKind, Alert)> {
    match (before, after) {
        (None, Some(after)) => Some((ChangeKind::Raised, after)),
        (Some(before), None) => Some((ChangeKind::Withdrawn, before)),
        (Some(before), Some(after)) => {
            let shown = |alert: &Alert| {
                let paid = (alert.amount, alert.currency, alert.store.clone());
                (alert.score.thousandths(), alert.event_time, paid)
            };
            let same = shown(&before) == shown(&after) && before.rules().eq(after.rules());
            (!same).then_some((ChangeKind::Revised, after))
        }
        (None, None) => None,
    }
}
