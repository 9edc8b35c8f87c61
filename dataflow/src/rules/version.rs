//! Versions of rule sets: timestamped input of the graph.

use super::RuleSet;
use serde::{Deserialize, Serialize};

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

    /// A version that the configuration makes.
    pub fn configured(rules: RuleSet) -> Self {
        Self { author: Self::CONFIGURATION.to_owned(), note: String::new(), rules }
    }
}

/// A change of the rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RulesChange {
    /// The first event time to which it applies, microseconds since 1970.
    pub applies_from: i64,
    /// What the rules become.
    pub version: Version,
}
