//! Amends what is final of a customer: a correction or void of any age.

use super::entry::Entry;
use super::evaluation::Evaluation;
use super::sequence::Position;
use super::state::{History, Outcome, Shown, alert_change};
use crate::alerts::{Alert, AlertChange, AlertEvidence, Cause};
use crate::amendments::{Amendment, Replaces};
use crate::roster::OfMember;
use crate::score::{Amended, Scored, Settled, ShownVerdict, Verdict};

/// The version that an amendment replaces, as it was.
enum Replaced {
    /// It was among the entries.
    Entry(Position, Shown),
    Final(Amended, Shown),
    Nothing,
}

impl Replaced {
    fn shown(&self) -> Option<&Shown> {
        match self {
            Self::Entry(_, shown) | Self::Final(_, shown) => Some(shown),
            Self::Nothing => None,
        }
    }

    fn position(&self) -> Option<Position> {
        match self {
            Self::Entry(position, _) => Some(*position),
            _ => None,
        }
    }
}

/// What is shown of a version that was found.
fn shown(found: &Amended) -> Shown {
    let scored = found.scored.clone();
    let ShownVerdict { score, alert, .. } = scored.verdict;
    let verdict = Verdict { score, alert, hits: found.hits.clone(), shadows: Vec::new() };
    Shown { alert: Alert::from_verdict(&scored.transaction, &verdict), scored }
}

impl History {
    /// Folds what is before the amendment's line, replaces the version there or behind it, and evaluates
    /// everything behind it again. Calls `emit` with what was folded, if that is wanted.
    pub(super) fn amend(&mut self, amendment: Amendment, out: &mut Outcome, emit: impl FnOnce(Vec<Settled>)) {
        let slot = self.customers.slot(amendment.customer());
        self.touched.add(slot);
        let mut folded = Vec::new();
        let final_before = amendment.final_before;
        self.fold(slot, final_before, final_before - self.folded_look_back(), &mut folded);
        if !folded.is_empty() {
            emit(folded);
        }
        // Everything moves, so nothing is known of how far it may.
        self.customers.get_mut(slot).entries.forget_stability();
        self.restate_from(slot, final_before);
        let cause = if amendment.transaction.voided { Cause::Void } else { Cause::Correction };
        let before = self.positions(slot).into_iter().zip(self.evaluate_from(slot, Position::FIRST));
        let before: Vec<(Position, Evaluation)> = before.collect();
        let replaced = self.withdraw(slot, &amendment, &before);
        let inserted = self.replace(slot, &amendment, &replaced);
        self.customers.get_mut(slot).set_final_past(amendment.past.clone());
        let after = self.evaluate_from(slot, Position::FIRST);

        let was_replaced = replaced.position();
        let mut unchanged = before.iter().filter(|(position, _)| Some(*position) != was_replaced);
        for (position, evaluation) in self.positions(slot).into_iter().zip(&after) {
            if Some(position) == inserted {
                self.assert(slot, position, replaced.shown(), evaluation, cause, out);
            } else if let Some((_, earlier)) = unchanged.next() {
                self.reevaluate(slot, position, earlier, evaluation, cause, out);
            }
        }
        if inserted.is_none() {
            self.assert_final(slot, amendment, replaced.shown(), cause, out);
        }
        match replaced {
            Replaced::Entry(_, shown) => out.scored.push((OfMember { slot, value: shown.scored }, -1)),
            Replaced::Final(amended, _) => {
                out.amended.push((OfMember { slot, value: amended }, -1));
            }
            Replaced::Nothing => {}
        }
        let changed: Vec<Position> = was_replaced.into_iter().chain(inserted).collect();
        let entries = &mut self.customers.get_mut(slot).entries;
        entries.balance(&changed, self.block_length, &self.calendar);
    }

    fn positions(&self, slot: u32) -> Vec<Position> {
        let entries = &self.customers.get(slot).entries;
        entries.from(Position::FIRST).map(|(position, _)| position).collect()
    }

    /// Takes out the version that is replaced.
    fn withdraw(&mut self, slot: u32, amendment: &Amendment, before: &[(Position, Evaluation)]) -> Replaced {
        let event_time = match &amendment.replaces {
            None => return Replaced::Nothing,
            Some(Replaces::Held { event_time }) => *event_time,
            Some(Replaces::Final(found)) => {
                let transaction = &found.scored.transaction;
                if !transaction.voided {
                    let minute = self.calendar.minute_of_day(transaction.event_time);
                    let customer = self.customers.get_mut(slot);
                    customer.change_total(transaction.currency, |total| {
                        total.remove(transaction.amount.0, minute);
                    });
                }
                return Replaced::Final(found.clone(), shown(found));
            }
        };
        let key = (event_time, amendment.transaction.id.as_str());
        let customer = self.customers.get_mut(slot);
        let Some(position) = customer.entries.find(key) else { return Replaced::Nothing };
        let evaluation = before.iter().find(|(other, _)| *other == position);
        let Some((_, evaluation)) = evaluation else { return Replaced::Nothing };
        let entry = customer.remove(position, &self.calendar, &self.shared);
        self.entries -= 1;
        let shown = self.shown(slot, &entry, evaluation);
        entry.release(&mut self.shared);
        Replaced::Entry(position, shown)
    }

    /// Adds the new version, and returns its position unless it is final.
    fn replace(&mut self, slot: u32, amendment: &Amendment, replaced: &Replaced) -> Option<Position> {
        let transaction = &amendment.transaction;
        if transaction.event_time < amendment.final_before {
            if !transaction.voided {
                let minute = self.calendar.minute_of_day(transaction.event_time);
                let customer = self.customers.get_mut(slot);
                customer.change_total(transaction.currency, |total| total.add(transaction.amount.0, minute));
            }
            return None;
        }
        self.register(slot, transaction.event_time);
        let changes = replaced.shown().map_or(0, |shown| shown.scored.alert_changes);
        let entry = Entry::amending(transaction, changes, &mut self.shared);
        let customer = self.customers.get_mut(slot);
        let position = customer.entries.position(entry.key());
        customer.insert(position, entry, transaction.currency, &self.calendar);
        self.entries += 1;
        Some(position)
    }

    /// Emits the new version of a final transaction.
    fn assert_final(
        &mut self,
        slot: u32,
        amendment: Amendment,
        replaced: Option<&Shown>,
        cause: Cause,
        out: &mut Outcome,
    ) {
        let Amendment { transaction, verdict, sole_in_minute, sole_in_hour, .. } = amendment;
        let after = Alert::from_verdict(&transaction, &verdict);
        let mut scored = Scored {
            verdict: verdict.shown(),
            first_in_minute: sole_in_minute,
            alert_changes: replaced.map_or(0, |replaced| replaced.scored.alert_changes),
            transaction,
        };
        let before = replaced.and_then(|replaced| replaced.alert.clone());
        let customer = self.customers.get_mut(slot);
        if let Some(replaced) = replaced.filter(|replaced| replaced.alert.is_some()) {
            *customer.alerts_mut(replaced.scored.transaction.currency) -= 1;
        }
        if after.is_some() {
            *customer.alerts_mut(scored.transaction.currency) += 1;
        }
        if let Some((kind, alert)) = alert_change(before, after) {
            scored.alert_changes += 1;
            let sequence = scored.alert_changes;
            out.alert_changes.push(AlertChange { sequence, kind, cause, alert });
        } else if verdict.alert {
            out.evidence.push(AlertEvidence {
                transaction: scored.transaction.id.clone(),
                sequence: scored.alert_changes,
                hits: verdict.hits.clone(),
            });
        }
        out.amended.push((OfMember { slot, value: Amended { scored, hits: verdict.hits, sole_in_hour } }, 1));
    }
}
