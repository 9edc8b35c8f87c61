//! The rules and the blacklist, in versions by event time.
//!
//! A version applies from an event time on, the time of its change less the horizon; older transactions keep
//! their verdicts. So the verdict on a transaction is a function of the changes alone, not of when they were
//! read.

use crate::controls::ControlChange;
use crate::detectors::{Context, Listing, LookBack, Movement};
use crate::rules::{RuleSet, RulesChange, SetName};
use crate::score;
use crate::score::Verdict;
use std::collections::HashMap;
use streamflow_model::id::Id;
use streamflow_model::{Entity, ListChange, ListEntry};

/// Versions by the event time from which they apply.
struct Versions<V>(Vec<(i64, V)>);

impl<V> Versions<V> {
    /// Makes `value` apply from `applies_from` on; it replaces later versions.
    fn set(&mut self, applies_from: i64, value: V) {
        self.0.truncate(self.0.partition_point(|(from, _)| *from < applies_from));
        self.0.push((applies_from, value));
    }

    fn at(&self, event_time: i64) -> Option<&V> {
        let after = self.0.partition_point(|(from, _)| *from <= event_time);
        self.0[..after].last().map(|(_, value)| value)
    }

    /// Drops the versions that no transaction at or after `event_time` needs.
    fn forget(&mut self, event_time: i64) {
        let visible = self.0.partition_point(|(from, _)| *from <= event_time).saturating_sub(1);
        self.0.drain(..visible);
    }
}

type ListVersions = Versions<Option<(Entity, ListEntry)>>;
type Lists = HashMap<Id, ListVersions, foldhash::fast::FixedState>;

/// Everything that verdicts depend on beside the transactions: the rules, live and shadow, and the blacklist.
pub(super) struct Policy {
    rules: Versions<RuleSet>,
    initial: RuleSet,
    /// The versions of shadow sets, by set.
    shadows: Vec<(SetName, Versions<RuleSet>)>,
    customers: Lists,
    stores: Lists,
}

impl Policy {
    pub(super) fn new(rules: RuleSet) -> Self {
        Self {
            rules: Versions(Vec::new()),
            initial: rules,
            shadows: Vec::new(),
            customers: Lists::default(),
            stores: Lists::default(),
        }
    }

    /// Applies a change. Transactions before the event time `folded_before` are not evaluated again.
    pub(super) fn apply(&mut self, change: ControlChange, folded_before: i64) {
        match change {
            ControlChange::Rules(RulesChange { set, applies_from, version }) => match set {
                SetName::Live => {
                    self.rules.set(applies_from, version.rules);
                    self.rules.forget(folded_before);
                }
                SetName::Shadow(_) => self.shadow(set, applies_from, version.rules, folded_before),
            },
            ControlChange::List(change) => self.list(change, folded_before),
        }
    }

    fn shadow(&mut self, set: SetName, applies_from: i64, rules: RuleSet, folded_before: i64) {
        let place = self.shadows.binary_search_by_key(&set, |(set, _)| *set).unwrap_or_else(|place| {
            self.shadows.insert(place, (set, Versions(Vec::new())));
            place
        });
        let versions = &mut self.shadows[place].1;
        versions.set(applies_from, rules);
        versions.forget(folded_before);
        let is_gone = |(from, rules): &(i64, RuleSet)| rules.rules().is_empty() && *from <= folded_before;
        if versions.0.iter().all(is_gone) {
            self.shadows.remove(place);
        }
    }

    fn list(&mut self, change: ListChange, folded_before: i64) {
        let id = change.entity.id().clone();
        let lists = match change.entity {
            Entity::Customer(_) => &mut self.customers,
            Entity::Store(_) => &mut self.stores,
        };
        let versions = lists.entry(id.clone()).or_insert_with(|| Versions(Vec::new()));
        versions.set(change.applies_from, change.entry.map(|entry| (change.entity, entry)));
        versions.forget(folded_before);
        if versions.0.iter().all(|(from, listed)| listed.is_none() && *from <= folded_before) {
            lists.remove(&id);
        }
    }

    /// The rules that apply at an event time.
    pub(super) fn rules(&self, event_time: i64) -> &RuleSet {
        self.rules.at(event_time).unwrap_or(&self.initial)
    }

    /// How far back the rules look that apply to transactions not folded yet.
    pub(super) fn look_back(&self) -> LookBack {
        let sets = [&self.rules].into_iter().chain(self.shadows.iter().map(|(_, versions)| versions));
        let versions = sets.flat_map(|versions| versions.0.iter().map(|(_, rules)| rules));
        versions.chain([&self.initial]).map(RuleSet::look_back).fold(LookBack::default(), LookBack::max)
    }

    /// The list entries of a customer, in versions.
    pub(super) fn customer(&self, id: &Id) -> Option<Listings<'_>> {
        if self.customers.is_empty() {
            return None;
        }
        self.customers.get(id).map(Listings)
    }

    /// The list entries of a store, in versions.
    pub(super) fn store(&self, id: &Id) -> Option<Listings<'_>> {
        if self.stores.is_empty() {
            return None;
        }
        self.stores.get(id).map(Listings)
    }

    /// The verdict on a transaction in its context.
    pub(super) fn verdict(&self, context: &Context<'_>) -> Verdict {
        let mut verdict = score::verdict(self.rules(context.event_time), context);
        let shadows = self.shadow_rules(context.event_time);
        verdict.shadows.extend(shadows.filter_map(|(set, rules)| score::verdict(rules, context).shadow(set)));
        verdict
    }

    /// The rules of shadow sets that apply at an event time.
    fn shadow_rules(&self, event_time: i64) -> impl Iterator<Item = (SetName, &RuleSet)> {
        self.shadows.iter().filter_map(move |(set, versions)| Some((*set, versions.at(event_time)?)))
    }

    /// How far what precedes a transaction may move while its verdict is shown as it is.
    pub(super) fn leeway(&self, context: &Context<'_>, verdict: &Verdict) -> Movement {
        let live = score::leeway(self.rules(context.event_time), context, verdict);
        let shadows = self.shadow_rules(context.event_time);
        let shadows =
            shadows.map(|(_, rules)| score::leeway(rules, context, &score::verdict(rules, context)));
        shadows.fold(live, |all, leeway| all.intersect(&leeway))
    }
}

/// The versions of one entity's list entry.
#[derive(Clone, Copy)]
pub(super) struct Listings<'a>(&'a ListVersions);

impl<'a> Listings<'a> {
    /// The entry in force at an event time.
    pub(super) fn at(self, event_time: i64) -> Option<Listing<'a>> {
        let (entity, entry) = self.0.at(event_time)?.as_ref()?;
        entry.in_force(event_time).then_some(Listing { entity, entry })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(applies_from: i64, listed: bool) -> ControlChange {
        let entry = listed.then(ListEntry::default);
        ControlChange::List(ListChange { entity: Entity::Customer("c".into()), applies_from, entry })
    }

    fn listed(policy: &Policy, at: i64) -> bool {
        policy.customer(&"c".into()).is_some_and(|listings| listings.at(at).is_some())
    }

    #[test]
    fn a_list_change_applies_from_its_event_time_on() {
        let mut policy = Policy::new(RuleSet::default());
        policy.apply(change(10, true), 0);
        policy.apply(change(20, false), 0);
        assert_eq!([9, 10, 19, 20].map(|at| listed(&policy, at)), [false, true, true, false]);
        policy.apply(change(15, true), 0);
        assert_eq!([14, 15, 25].map(|at| listed(&policy, at)), [true, true, true]);
    }

    #[test]
    fn versions_before_the_folded_ones_are_dropped() {
        let mut policy = Policy::new(RuleSet::default());
        policy.apply(change(10, true), 0);
        policy.apply(change(20, false), 30);
        assert!(policy.customers.is_empty());
    }
}
