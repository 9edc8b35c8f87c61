//! A set of rules.

use super::{Combination, Rule};
use crate::detectors::{Bound, Context, Hit, LookBack};
use serde::{Deserialize, Serialize};
use streamflow_model::{RuleId, Thousandths};

/// The rules that apply together, and how their scores make an alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleSet {
    /// The combined score from which a transaction is alerted, 0 to 1.
    pub alert_threshold: Thousandths,
    /// How scores are combined.
    pub combination: Combination,
    /// By id.
    rules: Vec<Rule>,
}

impl RuleSet {
    /// Most rules in a set.
    pub const MOST_RULES: usize = 64;

    /// A set of these rules; of several with one id only one stays, which [`Self::problem`] of the rules as
    /// they were written says before.
    pub fn new(
        alert_threshold: Thousandths,
        combination: Combination,
        rules: impl IntoIterator<Item = Rule>,
    ) -> Self {
        let mut rules: Vec<Rule> = rules.into_iter().collect();
        rules.sort_by_key(|rule| rule.id);
        rules.dedup_by_key(|rule| rule.id);
        Self { alert_threshold, combination, rules }
    }

    /// The rules in the order of their ids, also those that are off.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule with an id.
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// The rules that look at transactions.
    pub fn enabled(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.enabled)
    }

    /// The hits of a transaction, by rule id.
    pub fn hits(&self, context: &Context<'_>) -> Vec<Hit> {
        self.enabled().filter_map(|rule| rule.detect(context)).collect()
    }

    /// The weight of a rule; none for one that the set does not have.
    pub fn weight(&self, id: RuleId) -> Thousandths {
        self.rule(id).map_or(Thousandths(0), Rule::weight)
    }

    /// How far back any of the rules looks.
    pub fn look_back(&self) -> LookBack {
        self.enabled().map(Rule::look_back).fold(LookBack::default(), LookBack::max)
    }

    /// What is wrong with the parameters, if anything: the key, its value and what is allowed.
    pub fn problem(&self) -> Option<String> {
        let threshold = Bound::decimal("alert_threshold", self.alert_threshold, 1..=1000);
        threshold.problem().or_else(|| {
            self.rules.iter().find_map(|rule| Some(format!("rule {}: {}", rule.id, rule.problem()?)))
        })
    }
}
