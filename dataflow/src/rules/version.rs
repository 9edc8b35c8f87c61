//! Versions of rule sets: timestamped input of the graph.

use super::{RuleSet, SetName};
use serde::{Deserialize, Serialize};
use streamflow_model::timestamp::SECOND;

/// A version of a rule set: who made it and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Who made it.
    pub author: String,
    /// Why.
    pub note: String,
    /// The rules.
    pub rules: RuleSet,
}

impl Version {
    /// Who makes the versions that come from the configuration.
    pub const CONFIGURATION: &'static str = "configuration";

    /// Checks what only matters to one that is put: who makes it, and that no rule looks farther back than
    /// `longest_window`, microseconds.
    ///
    /// # Errors
    /// One line that names the key, its value and what is allowed.
    pub fn can_be_put(&self, longest_window: i64) -> Result<(), String> {
        if self.author == Self::CONFIGURATION {
            return Err(format!("author = {}: is what versions of the configuration have", self.author));
        }
        let too_far = self.rules.enabled().find(|rule| rule.look_back().farthest() > longest_window);
        match too_far {
            None => Ok(()),
            Some(rule) => Err(format!(
                "rule {}: looks {} s back: must be at most longest_rule_window_seconds = {}",
                rule.id,
                rule.look_back().farthest() / SECOND,
                longest_window / SECOND
            )),
        }
    }

    /// A version that the configuration makes.
    pub fn configured(rules: RuleSet) -> Self {
        Self { author: Self::CONFIGURATION.to_owned(), note: String::new(), rules }
    }
}

/// A change of the rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RulesChange {
    /// Of which set this is a version. A shadow set is removed by a version without rules.
    pub set: SetName,
    /// The first event time to which it applies, microseconds since 1970.
    pub applies_from: i64,
    /// What the rules become.
    pub version: Version,
}

impl RulesChange {
    /// Whether somebody has put it; what the configuration changes comes before that in an epoch.
    pub fn is_put(&self) -> bool {
        self.version.author != Version::CONFIGURATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Rules;
    use streamflow_model::timestamp::HOUR;

    #[test]
    fn only_what_looks_back_as_far_as_is_kept_can_be_put() {
        let mut rules = Rules::default();
        rules.velocity.window_seconds = 7200;
        let version = |author: &str, rules: Rules| Version {
            author: author.to_owned(),
            note: String::new(),
            rules: rules.into(),
        };
        assert_eq!(version("ana", Rules::default()).can_be_put(HOUR), Ok(()));
        assert_eq!(
            version("ana", rules).can_be_put(HOUR).unwrap_err(),
            "rule FR-002: looks 7200 s back: must be at most longest_rule_window_seconds = 3600"
        );
        assert!(version("configuration", Rules::default()).can_be_put(HOUR).is_err());
    }
}
