//! Verdicts on final transactions, under the rules and the list as they were.

use super::policy::Policy;
use crate::amendments::Precedents;
use crate::controls::ControlChange;
use crate::detectors::{Context, Listing};
use crate::rules::RuleSet;
use crate::score;
use crate::score::Verdict;
use streamflow_model::{Calendar, Transaction};

/// Evaluates single transactions under all versions of the rules and the list.
pub struct Judge {
    policy: Policy,
    calendar: Calendar,
}

impl Judge {
    /// Of all changes of the rules, and of the list as far as it concerns the transactions to be judged, in
    /// order. `rules` apply before the first change.
    pub fn new(rules: RuleSet, changes: impl IntoIterator<Item = ControlChange>, calendar: Calendar) -> Self {
        let mut policy = Policy::new(rules);
        changes.into_iter().for_each(|change| policy.apply(change, i64::MIN));
        Self { policy, calendar }
    }

    /// The verdict on a transaction after `precedents`; empty for a voided one.
    pub fn verdict(&self, transaction: &Transaction, precedents: &Precedents) -> Verdict {
        self.evaluate(transaction, precedents, |context| self.policy.verdict(context))
    }

    /// As [`Self::verdict`], under other rules, and without those of shadow sets.
    pub fn verdict_under(
        &self,
        rules: &RuleSet,
        transaction: &Transaction,
        precedents: &Precedents,
    ) -> Verdict {
        self.evaluate(transaction, precedents, |context| score::verdict(rules, context))
    }

    fn evaluate(
        &self,
        transaction: &Transaction,
        precedents: &Precedents,
        verdict: impl FnOnce(&Context<'_>) -> Verdict,
    ) -> Verdict {
        if transaction.voided {
            return Verdict::default();
        }
        let event_time = transaction.event_time;
        verdict(&Context {
            amount: transaction.amount.0,
            event_time,
            details: transaction,
            place: transaction.place,
            minute: self.calendar.minute_of_day(event_time),
            earlier: precedents.sums,
            earlier_minutes: precedents.minutes,
            recent: precedents,
            listing: self.listing(transaction),
        })
    }

    /// The live rules that apply at an event time, microseconds since 1970.
    pub fn rules(&self, event_time: i64) -> &RuleSet {
        self.policy.rules(event_time)
    }

    /// The list entry in force at a transaction's event time: its customer's, else its store's.
    pub fn listing(&self, transaction: &Transaction) -> Option<Listing<'_>> {
        let listed = [self.policy.customer(&transaction.customer), self.policy.store(&transaction.store)];
        listed.into_iter().flatten().find_map(|listings| listings.at(transaction.event_time))
    }
}
