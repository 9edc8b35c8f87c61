//! FR-003: could anybody have travelled that far since the last transaction?
//!
//! Triggers when the latest earlier transaction with a place lies at most 1 h back and more than 500 km away.
//! Score: km / 1000.

use crate::detectors::rules::ImpossibleTravel;
use crate::detectors::{Context, Evidence, Hit};
use streamflow_model::Score;

/// The hit, if the distance is impossible.
pub fn detect(rule: &ImpossibleTravel, context: &Context<'_>) -> Option<Hit> {
    let (place, previous) = (context.place?, context.previous_place?);
    let elapsed = context.event_time - previous.event_time;
    if elapsed > rule.within() {
        return None;
    }
    let km = previous.place.distance_km(place);
    let thousandths = km * 1000.0;
    if thousandths <= f64::from(rule.distance_km.0) {
        return None;
    }
    Some(Hit {
        score: Score::from_float(thousandths / f64::from(rule.full_score_km.0)),
        evidence: Evidence::ImpossibleTravel {
            metres: thousandths.round() as i64,
            elapsed,
            previous: previous.transaction.clone(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::PreviousPlace;
    use crate::detectors::examples::context;
    use streamflow_model::timestamp::{HOUR, MINUTE};
    use streamflow_model::{Id, Place};

    /// Two places on the equator; a degree of longitude there is 111.19 km.
    fn hit(degrees_apart: f64, elapsed: i64) -> Option<Hit> {
        let id = Id::from("before");
        let previous =
            PreviousPlace { event_time: 0, place: Place::from_degrees(0.0, 0.0)?, transaction: &id };
        let context = Context {
            event_time: elapsed,
            place: Place::from_degrees(0.0, degrees_apart),
            previous_place: Some(previous),
            ..context()
        };
        detect(&ImpossibleTravel::default(), &context)
    }

    /// 500 km on the equator in degrees: 500 / (6371 * pi / 180).
    const LIMIT: f64 = 4.496_608;

    #[test]
    fn more_than_500_km_within_the_hour_is_impossible() {
        let hit = hit(9.0, 30 * MINUTE).unwrap();
        assert_eq!(hit.score.to_string(), "1.000");
        let Evidence::ImpossibleTravel { metres, .. } = hit.evidence else { unreachable!() };
        assert_eq!(metres, 1_000_754);
    }

    #[test]
    fn the_limit_of_500_km_itself_is_possible() {
        assert_eq!(hit(LIMIT - 0.000_01, MINUTE), None);
        assert_eq!(hit(LIMIT + 0.000_01, MINUTE).unwrap().score.to_string(), "0.500");
        let exact = ImpossibleTravel { distance_km: streamflow_model::Thousandths(0), ..Default::default() };
        let place = Place::from_degrees(1.0, 1.0);
        let id = Id::from("before");
        let previous = place.map(|place| PreviousPlace { event_time: 0, place, transaction: &id });
        let context = Context { place, previous_place: previous, ..context() };
        assert_eq!(detect(&exact, &context), None, "exactly the limit, here 0 km");
    }

    #[test]
    fn exactly_one_hour_back_counts_and_a_microsecond_more_does_not() {
        assert!(hit(9.0, HOUR).is_some());
        assert!(hit(9.0, HOUR + 1).is_none());
    }

    #[test]
    fn without_a_place_there_is_no_distance() {
        assert_eq!(detect(&ImpossibleTravel::default(), &context()), None);
    }
}
