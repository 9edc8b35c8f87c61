//! Names of rule sets: the one whose alerts are told, and those that run beside it.

use serde::{Deserialize, Serialize};
use std::fmt;
use streamflow_model::RuleId;

/// Which set of rules a version or a result is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SetName {
    /// The set that makes alerts.
    Live,
    /// A set that is evaluated on the same transactions at the same frontier, and only recorded. Its name is
    /// spelled as ids of rules are, and is not `live`.
    Shadow(RuleId),
}

const LIVE: &str = "live";
const SHADOW: &str = "shadow:";

impl SetName {
    /// What a key of the topic of the rules, or an argument, has to be.
    pub const ALLOWED: &'static str =
        "must be live, or shadow: and a name of 1 to 24 letters, digits, -, _ or . other than live";

    /// The set that a key of the topic of the rules names; `None` where it names none.
    pub fn from_key(key: &str) -> Option<Self> {
        match key.strip_prefix(SHADOW) {
            Some(name) => Self::from_column(name).filter(|set| *set != Self::Live),
            None => (key == LIVE).then_some(Self::Live),
        }
    }

    /// The set that a column `rule_set` names; `None` where it names none.
    pub fn from_column(name: &str) -> Option<Self> {
        if name == LIVE { Some(Self::Live) } else { RuleId::new(name).map(Self::Shadow) }
    }

    /// As columns `rule_set` have it: `live`, or the shadow set's name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Live => LIVE,
            Self::Shadow(name) => name.as_str(),
        }
    }
}

/// As keys of the topic of the rules have it.
impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live => f.write_str(LIVE),
            Self::Shadow(name) => write!(f, "{SHADOW}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_a_column_are_read_as_they_are_written() {
        for key in ["live", "shadow:night-2"] {
            let set = SetName::from_key(key).unwrap();
            assert_eq!(set.to_string(), key);
            assert_eq!(SetName::from_column(set.as_str()), Some(set));
        }
    }

    #[test]
    fn a_shadow_set_is_not_called_live() {
        for key in ["", "Live", "night", "shadow:", "shadow:live", "shadow:two words", "shadow:a:b"] {
            assert_eq!(SetName::from_key(key), None, "{key}");
        }
    }
}
