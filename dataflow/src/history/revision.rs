//! What an event changes that is not simply the next one: a late event, a correction, a void.
//!
//! Law: the entries that are shown otherwise after it are among those that are evaluated before and after it.
//! These are, of few entries, all behind the places where something is taken out or put in; of many, the next
//! one behind each such place, the next one with a place on Earth, and those whose leeway does not contain
//! what has moved. With several currencies many are as few.

use super::customer::Customer;
use super::entry::Entry;
use super::evaluation::Evaluation;
use super::sequence::{Change, Position};
use super::stability::Moved;
use super::state::{History, Outcome};
use crate::alerts::Cause;
use crate::identity::Version;
use streamflow_model::Calendar;

/// Where a version takes its place, in positions of before.
struct Revision {
    /// The version that it replaces.
    removed: Option<Position>,
    /// Where its own entry is put in.
    inserted: Position,
}

impl Revision {
    /// The position of its own entry afterwards.
    fn own(&self) -> Position {
        let Position { block, index } = self.inserted;
        Position { block, index: index - self.removed_before(self.inserted) }
    }

    /// The position of another entry afterwards.
    fn moved(&self, position: Position) -> Position {
        let own = self.own();
        let index = position.index - self.removed_before(position);
        let inserted = usize::from(own.block == position.block && own.index <= index);
        Position { index: index + inserted, ..position }
    }

    /// How many of its block were taken out before a position.
    fn removed_before(&self, position: Position) -> usize {
        let before = |removed: Position| removed.block == position.block && removed.index < position.index;
        usize::from(self.removed.is_some_and(before))
    }

    /// The positions behind which something changes.
    fn places(&self, customer: &Customer) -> impl Iterator<Item = Position> {
        let behind = self.removed.map(|removed| customer.entries.after(removed));
        behind.into_iter().chain([customer.entries.onward(self.inserted)])
    }

    /// All entries behind it, in order.
    fn behind(&self, customer: &Customer) -> Vec<Position> {
        let first = self.removed.map_or(self.inserted, |removed| removed.min(self.inserted));
        customer.entries.from(first).map(|(position, _)| position).collect()
    }

    /// The next ones behind the places, in no order.
    fn next(&self, customer: &Customer) -> Vec<Position> {
        let found = self.places(customer).flat_map(|place| {
            let current = self.other(customer, place, |from| customer.next_current(from));
            let placed = self.other(customer, place, |from| customer.next_placed(from));
            current.into_iter().chain(placed)
        });
        found.collect()
    }

    /// The next one from a position on, but for the one that is taken out.
    fn other(
        &self,
        customer: &Customer,
        from: Position,
        next: impl Fn(Position) -> Option<Position>,
    ) -> Option<Position> {
        let found = next(from)?;
        if Some(found) == self.removed { next(customer.entries.after(found)) } else { Some(found) }
    }

    /// What moves behind its places when `entry` is put in.
    fn changes(&self, customer: &Customer, entry: &Entry, calendar: &Calendar) -> Vec<Change> {
        let removed = self.removed.and_then(|position| Some((position, customer.entries.get(position)?)));
        let weight = |entry: &Entry| (entry.event_time, entry.cents(), entry.voided());
        if removed.is_some_and(|(_, removed)| weight(removed) == weight(entry)) {
            return Vec::new();
        }
        let minute = |entry: &Entry| calendar.minute_of_day(entry.event_time);
        let removed = removed.filter(|(_, removed)| !removed.voided()).map(|(position, removed)| Change {
            from: Position { index: position.index + 1, ..position },
            moved: Moved::one_less(removed.cents(), minute(removed)),
            event_time: removed.event_time,
        });
        let inserted = (!entry.voided()).then(|| Change {
            from: self.inserted,
            moved: Moved::one_more(entry.cents(), minute(entry)),
            event_time: entry.event_time,
        });
        removed.into_iter().chain(inserted).collect()
    }
}

impl History {
    /// Inserts, replaces or withdraws, and re-evaluates what this can change.
    pub(super) fn revise(&mut self, slot: u32, mut entry: Entry, version: &Version, out: &mut Outcome) {
        let cause = match (version.transaction.voided, version.replaces) {
            (true, _) => Cause::Void,
            (false, Some(_)) => Cause::Correction,
            (false, None) => Cause::LateEvent,
        };
        let entries = &self.customers.get(slot).entries;
        let revision = Revision {
            removed: version.replaces.and_then(|time| entries.find((time, &version.transaction.id))),
            inserted: entries.position(entry.key()),
        };
        let first = version.replaces.map_or(entry.event_time, |replaced| replaced.min(entry.event_time));
        let positions = self.affected(slot, &revision, &entry);
        let before = self.evaluate(slot, &positions);

        self.register(slot, entry.event_time);
        let mut old = None;
        if let Some(position) = revision.removed {
            let removed = self.customers.get_mut(slot).remove(position, &self.calendar, &self.shared);
            self.entries -= 1;
            entry.continue_alert_of(&removed, &mut self.shared);
            let own = positions.iter().position(|other| *other == position);
            old = own.map(|own| self.shown(slot, &removed, &before[own]));
            removed.release(&mut self.shared);
        }
        let currency = version.transaction.currency;
        self.customers.get_mut(slot).insert(revision.own(), entry, currency, &self.calendar);
        self.restate_from(slot, first);
        self.entries += 1;

        let others =
            positions.iter().zip(before).filter(|(position, _)| Some(**position) != revision.removed);
        let mut others: Vec<_> =
            others.map(|(position, before)| (revision.moved(*position), Some(before))).collect();
        let own = others.partition_point(|(position, _)| *position < revision.own());
        others.insert(own, (revision.own(), None));
        let positions: Vec<Position> = others.iter().map(|(position, _)| *position).collect();
        let after = self.evaluate_for_good(slot, &positions);
        for ((position, before), after) in others.into_iter().zip(&after) {
            match before {
                Some(before) => self.reevaluate(slot, position, &before, after, cause, out),
                None => {
                    let own = if cause == Cause::LateEvent { Cause::Transaction } else { cause };
                    self.emit(slot, position, old.take(), after, own, out);
                }
            }
        }
        let changed: Vec<Position> = revision.removed.into_iter().chain([revision.inserted]).collect();
        let entries = &mut self.customers.get_mut(slot).entries;
        entries.balance(&changed, self.block_length, &self.calendar);
    }

    /// The entries that may be shown otherwise when `entry` has taken its place, and the one that it replaces;
    /// in order.
    fn affected(&mut self, slot: u32, revision: &Revision, entry: &Entry) -> Vec<Position> {
        let look_back = self.policy.look_back().transactions;
        let customer = self.customers.get_mut(slot);
        if !customer.entries.is_long() {
            return revision.behind(customer);
        }
        // How far sums may move is known of a single currency only.
        if customer.has_others_with(entry.currency(&self.shared)) {
            customer.entries.forget_stability();
            return revision.behind(customer);
        }
        let changes = revision.changes(customer, entry, &self.calendar);
        let mut positions = revision.next(customer);
        positions.extend(revision.removed);
        positions.extend(customer.entries.shift(&changes, look_back));
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    /// Evaluates the entries at positions in order.
    fn evaluate(&self, slot: u32, positions: &[Position]) -> Vec<Evaluation> {
        let (customer, evaluator) = self.evaluator(slot);
        let Some(first) = positions.first() else { return Vec::new() };
        let mut walk = evaluator.walk(customer, *first);
        positions.iter().map(|position| walk.evaluate(*position)).collect()
    }

    /// Evaluates the entries at positions in order, and remembers how stable they are.
    fn evaluate_for_good(&mut self, slot: u32, positions: &[Position]) -> Vec<Evaluation> {
        let customer = self.customers.get(slot);
        if !customer.entries.is_long() || customer.has_others() {
            return self.evaluate(slot, positions);
        }
        let (customer, evaluator) = self.evaluator(slot);
        let Some(first) = positions.first() else { return Vec::new() };
        let mut walk = evaluator.walk(customer, *first);
        let mut evaluations = Vec::with_capacity(positions.len());
        let mut leeways = Vec::with_capacity(positions.len());
        for position in positions {
            let evaluation = walk.evaluate(*position);
            leeways.push((*position, walk.earlier.sums, walk.leeway(&evaluation.verdict)));
            evaluations.push(evaluation);
        }
        let entries = &mut self.customers.get_mut(slot).entries;
        for of_block in leeways.chunk_by(|(one, ..), (other, ..)| one.block == other.block) {
            let Some(stability) = entries.stability(of_block[0].0.block) else { continue };
            for (position, earlier, leeway) in of_block {
                stability.set(position.index, earlier, leeway);
            }
            stability.tighten();
        }
        evaluations
    }
}
