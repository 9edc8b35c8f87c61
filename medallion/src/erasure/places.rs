//! Where an erased customer paid.

use streamflow_model::Place;
use streamflow_model::place::DEGREE;

/// Units of the whole circle of longitudes.
const CIRCLE: i64 = 360 * DEGREE as i64;

/// What becomes of a customer's places. An event keeps having one, because the checks count those without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Places {
    /// All are latitude 0, longitude 0: no distance is left, so none may have been found too long.
    Nowhere,
    /// All are turned around the Earth's axis by this, 1e-7 degrees, from 1 to before the whole circle: the distances
    /// between them stay.
    Turned(i64),
}

impl Places {
    /// Turned by a random angle.
    pub(super) fn turned() -> Self {
        Self::Turned(rand::random_range(1..CIRCLE))
    }

    pub(super) fn of(self, place: Place) -> Place {
        match self {
            Self::Nowhere => Place { latitude: 0, longitude: 0 },
            Self::Turned(by) => {
                let turned = (i64::from(place.longitude) + by + CIRCLE / 2).rem_euclid(CIRCLE) - CIRCLE / 2;
                // From -180 to 180 degrees.
                Place { longitude: i32::try_from(turned).unwrap_or_default(), ..place }
            }
        }
    }
}

/// As [`Places::of`] for the rows of `silver.transactions` of customers `$1`, turned by `$2`, or null for nowhere.
pub(super) const UPDATE: &str = "UPDATE silver.transactions AS t SET \
         latitude = CASE WHEN n.turned IS NULL THEN 0 ELSE t.latitude END, \
         longitude = CASE WHEN n.turned IS NULL THEN 0 \
             ELSE (t.longitude + n.turned + 1800000000) % 3600000000 - 1800000000 END \
     FROM unnest($1::int4[], $2::int8[]) AS n (customer_key, turned) \
     WHERE t.customer_key = n.customer_key AND t.latitude IS NOT NULL";

impl Places {
    /// The parameter `$2` of [`UPDATE`].
    pub(super) fn parameter(self) -> Option<i64> {
        match self {
            Self::Nowhere => None,
            Self::Turned(by) => Some(by),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn turning_keeps_distances_and_stays_on_the_globe() {
        let sao_paulo = Place::from_degrees(-23.55052, -46.63331).unwrap();
        let auckland = Place::from_degrees(-36.85, 179.99999).unwrap();
        let km = sao_paulo.distance_km(auckland);
        for by in [1, 450_000_000, CIRCLE / 2, CIRCLE - 1, rand::random_range(1..CIRCLE)] {
            let [a, b] = [sao_paulo, auckland].map(|place| Places::Turned(by).of(place));
            assert!((a.distance_km(b) - km).abs() < 1e-6, "{by}");
            assert!(Place::from_degrees(a.latitude_degrees(), a.longitude_degrees()).is_some(), "{by}");
            assert_ne!(a, sao_paulo, "{by}");
        }
        let nowhere = Places::Nowhere.of(auckland);
        assert_eq!((nowhere.latitude, nowhere.longitude), (0, 0));
    }
}
