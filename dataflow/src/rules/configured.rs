//! The rules of the configuration: the first version, before any set has been put.

use super::{Action, Combination, Kind, Rule, RuleSet, Segment};
use crate::detectors::blacklist::Blacklist;
use crate::detectors::card_testing::CardTesting;
use crate::detectors::high_value::HighValue;
use crate::detectors::impossible_travel::ImpossibleTravel;
use crate::detectors::unusual_hour::UnusualHour;
use crate::detectors::velocity::Velocity;
use crate::detectors::{Bound, Detector};
use serde::{Deserialize, Serialize};
use streamflow_model::{RuleId, Thousandths};

/// One rule of each detector. Defaults are those of the specification.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// The combined score from which a transaction is alerted, 0 to 1.
    pub alert_threshold: Thousandths,
    /// FR-001.
    pub high_value: HighValue,
    /// FR-002.
    pub velocity: Velocity,
    /// FR-003.
    pub impossible_travel: ImpossibleTravel,
    /// FR-004.
    pub unusual_hour: UnusualHour,
    /// FR-005.
    pub blacklist: Blacklist,
    /// FR-006.
    pub card_testing: CardTesting,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            alert_threshold: Thousandths(700),
            high_value: Default::default(),
            velocity: Default::default(),
            impossible_travel: Default::default(),
            unusual_hour: Default::default(),
            blacklist: Default::default(),
            card_testing: Default::default(),
        }
    }
}

impl Rules {
    /// The ids of the rules.
    pub const IDS: [RuleId; 6] = [
        RuleId::padded("FR-001"),
        RuleId::padded("FR-002"),
        RuleId::padded("FR-003"),
        RuleId::padded("FR-004"),
        RuleId::padded("FR-005"),
        RuleId::padded("FR-006"),
    ];

    /// The rules, with all parameters as they are written in the configuration.
    fn kinds(&self) -> [Kind; 6] {
        [
            Kind::HighValue(self.high_value.clone()),
            Kind::Velocity(self.velocity.clone()),
            Kind::ImpossibleTravel(self.impossible_travel.clone()),
            Kind::UnusualHour(self.unusual_hour.clone()),
            Kind::Blacklist(self.blacklist.clone()),
            Kind::CardTesting(self.card_testing.clone()),
        ]
    }

    /// What is wrong with the parameters, if anything: the key, its value and what is allowed.
    pub fn problem(&self) -> Option<String> {
        let threshold = Bound::decimal("alert_threshold", self.alert_threshold, 1..=1000);
        let problem_of = |detector: &dyn Detector| {
            let weight = Bound::decimal("weight", detector.weight(), 0..=1000);
            let bounds = [weight].into_iter().chain(detector.bounds());
            Some(format!("{}.{}", detector.key(), bounds.into_iter().find_map(|bound| bound.problem())?))
        };
        threshold.problem().or_else(|| self.kinds().iter().find_map(|kind| problem_of(kind.detector())))
    }
}

impl From<Rules> for RuleSet {
    fn from(rules: Rules) -> Self {
        let rule = |(id, mut kind): (RuleId, Kind)| {
            // A rule has the switch, so that a set is what its document is read back as.
            let enabled = match &mut kind {
                Kind::CardTesting(detector) => std::mem::replace(&mut detector.enabled, true),
                _ => true,
            };
            Rule { id, enabled, action: Action::default(), segment: Segment::default(), kind }
        };
        let of_each_kind = Rules::IDS.into_iter().zip(rules.kinds()).map(rule);
        Self::new(rules.alert_threshold, Combination::default(), of_each_kind)
    }
}

impl Default for RuleSet {
    fn default() -> Self {
        Rules::default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_each_detector_are_under_its_key() {
        let keys: Vec<_> = Rules::default().kinds().iter().map(|kind| kind.detector().key()).collect();
        let settings = serde_json::to_value(Rules::default()).unwrap();
        assert!(keys.iter().all(|key| settings[key]["weight"].is_number()), "{settings}");
        assert_eq!(settings.as_object().unwrap().len(), 1 + keys.len());
    }

    #[test]
    fn the_defaults_are_allowed_and_a_problem_names_key_value_and_range() {
        assert_eq!(Rules::default().problem(), None);
        let problem = |change: fn(&mut Rules)| {
            let mut rules = Rules::default();
            change(&mut rules);
            rules.problem().unwrap()
        };
        let weight = problem(|rules| rules.blacklist.weight = Thousandths(1001));
        assert_eq!(weight, "blacklist.weight = 1.001: must be 0.000 to 1.000");
        let threshold = problem(|rules| rules.alert_threshold = Thousandths(0));
        assert_eq!(threshold, "alert_threshold = 0.000: must be 0.001 to 1.000");
        let window = problem(|rules| rules.velocity.window_seconds = 0);
        assert_eq!(window, "velocity.window_seconds = 0: must be 1 to 86400");
        let deviations = problem(|rules| rules.unusual_hour.deviations = Thousandths(100_001));
        assert_eq!(deviations, "unusual_hour.deviations = 100.001: must be 0.001 to 100.000");
    }

    #[test]
    fn as_a_set_they_have_ids_and_card_testing_is_off() {
        let set = RuleSet::default();
        let enabled: Vec<_> = set.enabled().map(|rule| rule.id.to_string()).collect();
        assert_eq!(enabled, ["FR-001", "FR-002", "FR-003", "FR-004", "FR-005"]);
        assert_eq!((set.rules().len(), set.problem()), (6, None));
    }
}
