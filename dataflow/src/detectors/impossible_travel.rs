//! FR-003: could anybody have travelled that far since the last transaction?
//!
//! Triggers when the latest earlier transaction with a place lies at most 1 h back and more than 500 km away.
//! Score: km / 1000.

use crate::detectors::hit::{hundredths, thousandths};
use crate::detectors::{
    Bound, Context, Detection, Detector, Evidence, Finding, Interval, LookBack, Movement,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use streamflow_model::timestamp::{MINUTE, SECOND};
use streamflow_model::{Id, Score, Thousandths};

/// Settings of FR-003.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImpossibleTravel {
    /// Weight in the combined score.
    pub weight: Thousandths,
    /// Kilometres that are still possible.
    pub distance_km: Thousandths,
    /// Seconds that the two transactions may lie apart.
    pub within_seconds: u32,
    /// Kilometres at which the score is 1.
    pub full_score_km: Thousandths,
}

impl Default for ImpossibleTravel {
    fn default() -> Self {
        Self {
            weight: Thousandths(200),
            distance_km: Thousandths(500_000),
            within_seconds: 3600,
            full_score_km: Thousandths(1_000_000),
        }
    }
}

impl ImpossibleTravel {
    /// The time that the two transactions may lie apart in microseconds.
    fn within(&self) -> i64 {
        i64::from(self.within_seconds) * SECOND
    }
}

impl Detector for ImpossibleTravel {
    fn key(&self) -> &'static str {
        "impossible_travel"
    }

    fn weight(&self) -> Thousandths {
        self.weight
    }

    fn bounds(&self) -> Vec<Bound> {
        vec![
            Bound::decimal("distance_km", self.distance_km, 0..=20_040_000),
            Bound::decimal("full_score_km", self.full_score_km, 1..=20_040_000),
            Bound::count("within_seconds", self.within_seconds, 1..=86_400),
        ]
    }

    fn look_back(&self) -> LookBack {
        LookBack { place: self.within(), ..LookBack::default() }
    }

    fn detect(&self, context: &Context<'_>) -> Option<Detection> {
        let place = context.place?;
        let previous = context.recent.latest_place(context.event_time - self.within())?;
        let elapsed = context.event_time - previous.event_time;
        if elapsed > self.within() {
            return None;
        }
        let metres = previous.place.distance_km(place) * 1000.0;
        if metres <= f64::from(self.distance_km.0) {
            return None;
        }
        Some(Detection {
            score: Score::from_float(metres / f64::from(self.full_score_km.0)),
            evidence: Evidence::ImpossibleTravel(ImpossibleTravelEvidence {
                metres: metres.round() as i64,
                elapsed,
                previous: previous.transaction.clone(),
            }),
        })
    }

    /// The transaction after one whose place changes is evaluated again anyway.
    fn leeway(&self, _context: &Context<'_>, _score: Interval) -> Movement {
        Movement::ANY
    }
}

/// The latest earlier transaction with a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ImpossibleTravelEvidence {
    /// Distance in metres.
    pub metres: i64,
    /// Time between the two in microseconds.
    pub elapsed: i64,
    /// The other transaction.
    pub previous: Id,
}

impl ImpossibleTravelEvidence {
    fn minutes(&self) -> f64 {
        hundredths(self.elapsed * 100 / MINUTE)
    }
}

impl Finding for ImpossibleTravelEvidence {
    fn details(&self) -> Value {
        json!({
            "km": thousandths(self.metres), "minutes": self.minutes(), "previous_transaction_id": self.previous,
        })
    }

    fn explanation(&self) -> String {
        let km = thousandths(self.metres);
        format!("{km:.0} km in {:.0} min from {}", self.minutes(), self.previous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::PreviousPlace;
    use crate::detectors::examples::{Past, context};
    use streamflow_model::Place;
    use streamflow_model::timestamp::HOUR;

    static BEFORE: Id = Id::const_new("before");

    fn past_at(place: Option<Place>) -> Past {
        let place = place.map(|place| PreviousPlace { event_time: 0, place, transaction: &BEFORE });
        Past { place, ..Past::default() }
    }

    /// Two places on the equator; a degree of longitude there is 111.19 km.
    fn hit(degrees_apart: f64, elapsed: i64) -> Option<Detection> {
        let past = past_at(Place::from_degrees(0.0, 0.0));
        let place = Place::from_degrees(0.0, degrees_apart);
        ImpossibleTravel::default().detect(&Context {
            event_time: elapsed,
            place,
            recent: &past,
            ..context()
        })
    }

    /// 500 km on the equator in degrees: 500 / (6371 * pi / 180).
    const LIMIT: f64 = 4.496_608;

    #[test]
    fn more_than_500_km_within_the_hour_is_impossible() {
        let hit = hit(9.0, 30 * MINUTE).unwrap();
        assert_eq!(hit.score.to_string(), "1.000");
        let expected =
            ImpossibleTravelEvidence { metres: 1_000_754, elapsed: 30 * MINUTE, previous: BEFORE.clone() };
        assert_eq!(hit.evidence, Evidence::ImpossibleTravel(expected));
        assert_eq!(hit.explanation(), "1001 km in 30 min from before");
    }

    #[test]
    fn the_limit_of_500_km_itself_is_possible() {
        assert_eq!(hit(LIMIT - 0.000_01, MINUTE), None);
        assert_eq!(hit(LIMIT + 0.000_01, MINUTE).unwrap().score.to_string(), "0.500");
        let exact = ImpossibleTravel { distance_km: Thousandths(0), ..Default::default() };
        let place = Place::from_degrees(1.0, 1.0);
        let context = Context { place, recent: &past_at(place), ..context() };
        assert_eq!(exact.detect(&context), None, "exactly the limit, here 0 km");
    }

    #[test]
    fn exactly_one_hour_back_counts_and_a_microsecond_more_does_not() {
        assert!(hit(9.0, HOUR).is_some());
        assert!(hit(9.0, HOUR + 1).is_none());
    }

    #[test]
    fn without_a_place_there_is_no_distance() {
        assert_eq!(ImpossibleTravel::default().detect(&context()), None);
    }
}
