//! FR-005: is the customer or the store listed at event time? Score: 1.

use crate::detectors::{Context, Detection, Detector, Evidence, Finding, Interval, Movement};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use streamflow_model::timestamp::Rfc3339;
use streamflow_model::{Entity, ListEntry, Score, Thousandths};

/// Settings of FR-005.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Blacklist {
    /// Weight in the combined score.
    pub weight: Thousandths,
}

impl Default for Blacklist {
    fn default() -> Self {
        Self { weight: Thousandths(100) }
    }
}

impl Detector for Blacklist {
    fn key(&self) -> &'static str {
        "blacklist"
    }

    fn weight(&self) -> Thousandths {
        self.weight
    }

    fn detect(&self, context: &Context<'_>) -> Option<Detection> {
        context.listing.map(|listing| Detection {
            score: Score::ONE,
            evidence: Evidence::Blacklist(BlacklistEvidence {
                entity: listing.entity.clone(),
                entry: listing.entry.clone(),
            }),
        })
    }

    fn leeway(&self, _context: &Context<'_>, _score: Interval) -> Movement {
        Movement::ANY
    }
}

/// The list entry that was in force.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlacklistEvidence {
    /// Who is listed.
    pub entity: Entity,
    /// The entry.
    pub entry: ListEntry,
}

impl Finding for BlacklistEvidence {
    fn details(&self) -> Value {
        let Self { entity, entry } = self;
        json!({
            "entity": entity.kind(), "id": entity.id(), "reason": entry.reason,
            "valid_from": entry.valid_from.map(|at| Rfc3339(at).to_string()),
            "expires_at": entry.expires_at.map(|at| Rfc3339(at).to_string()),
        })
    }

    /// Without the reason, which a person wrote, perhaps with names.
    fn explanation(&self) -> String {
        format!("{} {} is listed", self.entity.kind(), self.entity.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::Listing;
    use crate::detectors::examples::context;
    use streamflow_model::Id;

    #[test]
    fn a_listing_scores_one_and_none_scores_nothing() {
        let detect = |context: &Context<'_>| Blacklist::default().detect(context);
        assert_eq!(detect(&context()), None);
        let (entity, entry) = (Entity::Store(Id::from("s")), ListEntry::default());
        let listing = Some(Listing { entity: &entity, entry: &entry });
        let hit = detect(&Context { listing, ..context() }).unwrap();
        assert_eq!((hit.score, hit.explanation().as_str()), (Score::ONE, "store s is listed"));
    }

    #[test]
    fn an_entry_is_in_force_from_its_start_until_before_its_end() {
        let entry = ListEntry { valid_from: Some(10), expires_at: Some(20), reason: None };
        let in_force: Vec<bool> = [9, 10, 19, 20].map(|at| entry.in_force(at)).into();
        assert_eq!(in_force, [false, true, true, false]);
    }
}
