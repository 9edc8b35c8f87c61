//! FR-005: is the customer or the store listed at event time? Score: 1.

use crate::detectors::{Context, Evidence, Hit};
use streamflow_model::Score;

/// The hit, if an entry is in force. Which one that is, the context knows.
pub fn detect(context: &Context<'_>) -> Option<Hit> {
    context.listing.map(|listing| Hit {
        score: Score::ONE,
        evidence: Evidence::Blacklist { entity: listing.entity.clone(), entry: listing.entry.clone() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::Listing;
    use crate::detectors::examples::context;
    use streamflow_model::{Entity, Id, ListEntry};

    #[test]
    fn a_listing_scores_one_and_none_scores_nothing() {
        assert_eq!(detect(&context()), None);
        let (entity, entry) = (Entity::Store(Id::from("s")), ListEntry::default());
        let listing = Some(Listing { entity: &entity, entry: &entry });
        assert_eq!(detect(&Context { listing, ..context() }).unwrap().score, Score::ONE);
    }

    #[test]
    fn an_entry_is_in_force_from_its_start_until_before_its_end() {
        let entry = ListEntry { valid_from: Some(10), expires_at: Some(20), reason: None };
        let in_force: Vec<bool> = [9, 10, 19, 20].map(|at| entry.in_force(at)).into();
        assert_eq!(in_force, [false, true, true, false]);
    }
}
