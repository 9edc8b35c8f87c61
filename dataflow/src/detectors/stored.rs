//! Evidence as the tables hold it.

use crate::detectors::Finding;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a detector once saw, read back: its numbers are not looked at again, only shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoredEvidence {
    /// The object in `rule_details`, as JSON; empty where none is stored.
    pub details: String,
}

impl Finding for StoredEvidence {
    fn details(&self) -> Value {
        let details = serde_json::from_str(&self.details).ok();
        details.filter(Value::is_object).unwrap_or_else(|| Value::Object(Map::new()))
    }

    fn explanation(&self) -> String {
        "as it was recorded".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_shown_as_they_were_stored() {
        let stored = |details: &str| StoredEvidence { details: details.to_owned() };
        assert_eq!(stored(r#"{"count": 6}"#).details()["count"], 6);
        assert_eq!(stored("").details(), Value::Object(Map::new()));
    }
}
