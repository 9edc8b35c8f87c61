//! Places on the globe and the distance between them.

use serde::{Deserialize, Serialize};

/// The mean radius of the Earth in kilometres, IUGG's rounded to one decimal.
const EARTH_RADIUS_KM: f64 = 6371.0;

/// Units in a degree.
pub const DEGREE: i32 = 10_000_000;

/// A place in integer units of 1e-7 degrees (about a centimetre), so that it compares exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Latitude, -90 to 90 degrees, in 1e-7 degrees.
    pub latitude: i32,
    /// Longitude, -180 to 180 degrees, in 1e-7 degrees.
    pub longitude: i32,
}

impl Place {
    /// From degrees; `None` out of range or not finite. More than seven decimals are rounded.
    pub fn from_degrees(latitude: f64, longitude: f64) -> Option<Self> {
        let inside = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        let units = |degrees: f64| (degrees * f64::from(DEGREE)).round() as i32;
        inside.then(|| Self { latitude: units(latitude), longitude: units(longitude) })
    }

    /// Latitude in degrees: exactly the number that up to seven decimals denote.
    pub fn latitude_degrees(self) -> f64 {
        f64::from(self.latitude) / f64::from(DEGREE)
    }

    /// Longitude in degrees.
    pub fn longitude_degrees(self) -> f64 {
        f64::from(self.longitude) / f64::from(DEGREE)
    }

    /// Great-circle distance in kilometres by the haversine formula
    /// (R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68, 1984).
    pub fn distance_km(self, other: Self) -> f64 {
        let (lat1, lat2) = (self.latitude_degrees().to_radians(), other.latitude_degrees().to_radians());
        let half_lat = (lat2 - lat1) / 2.0;
        let half_lon = (other.longitude_degrees() - self.longitude_degrees()).to_radians() / 2.0;
        let h = half_lat.sin().powi(2) + lat1.cos() * lat2.cos() * half_lon.sin().powi(2);
        2.0 * EARTH_RADIUS_KM * h.sqrt().min(1.0).asin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sao_paulo_to_manaus_is_about_2690_km() {
        let sao_paulo = Place::from_degrees(-23.55052, -46.63331).unwrap();
        let manaus = Place::from_degrees(-3.11903, -60.02173).unwrap();
        let km = sao_paulo.distance_km(manaus);
        assert!((2680.0..2700.0).contains(&km), "{km}");
        assert_eq!(km, manaus.distance_km(sao_paulo));
        assert_eq!(sao_paulo.distance_km(sao_paulo), 0.0);
    }

    #[test]
    fn limits_are_inclusive() {
        assert!(Place::from_degrees(90.0, -180.0).is_some());
        assert!(Place::from_degrees(90.000001, 0.0).is_none());
        assert!(Place::from_degrees(0.0, 180.1).is_none());
        assert!(Place::from_degrees(f64::NAN, 0.0).is_none());
        assert!(Place::from_degrees(0.0, f64::INFINITY).is_none());
    }

    #[test]
    fn seven_decimals_come_back_exactly() {
        for degrees in ["-23.55052", "-46.63331", "0.0000001", "89.9999999"] {
            let value: f64 = degrees.parse().unwrap();
            assert_eq!(Place::from_degrees(value, 0.0).unwrap().latitude_degrees(), value);
        }
    }
}
