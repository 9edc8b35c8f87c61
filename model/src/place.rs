//! Places on the globe and the distance between them.

use serde::{Deserialize, Serialize};

/// The mean radius of the Earth in kilometres, IUGG's rounded to one decimal.
const EARTH_RADIUS_KM: f64 = 6371.0;

/// Units in a degree.
pub const DEGREE: i32 = 10_000_000;
const DECIMALS: usize = 7;

/// Reads degrees in units of 1e-7 from a JSON number; further decimals are rounded. `None` beyond `limit`
/// degrees.
pub fn parse_degrees(text: &str, limit: i32) -> Option<i32> {
    if let Some(units) = plain(text.as_bytes()) {
        return (units.abs() <= limit * DEGREE).then_some(units);
    }
    let degrees: f64 = text.parse().ok()?;
    (degrees.abs() <= f64::from(limit)).then(|| (degrees * f64::from(DEGREE)).round() as i32)
}

/// Parses the form of nearly all degrees: up to three digits, a point, up to seven.
fn plain(text: &[u8]) -> Option<i32> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let point = text.iter().position(|byte| *byte == b'.')?;
    let (whole, fraction) = (&text[..point], &text[point + 1..]);
    if !(1..=3).contains(&whole.len()) || !(1..=DECIMALS).contains(&fraction.len()) {
        return None;
    }
    let units = whole
        .iter()
        .chain(fraction)
        .try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))?;
    // 999 degrees do not fit, and are out of any range.
    let units = i32::try_from(units * 10i64.pow((DECIMALS - fraction.len()) as u32)).ok()?;
    Some(if negative { -units } else { units })
}

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
    fn degrees_are_read_as_a_float_would_be() {
        for text in
            ["-23.55052", "0.0", "-0.0000001", "90.0", "7.12345678", "89.99999999", "1e1", "-5", "12.5e-1"]
        {
            let degrees: f64 = text.parse().unwrap();
            let expected = Place::from_degrees(degrees, 0.0).map(|place| place.latitude);
            assert_eq!(parse_degrees(text, 90), expected, "{text}");
        }
        for text in ["90.0000001", "-90.5", "999.0", "1000.5", "1e3", "abc", "", "-"] {
            assert_eq!(parse_degrees(text, 90), None, "{text}");
        }
    }

    #[test]
    fn seven_decimals_come_back_exactly() {
        for degrees in ["-23.55052", "-46.63331", "0.0000001", "89.9999999"] {
            let value: f64 = degrees.parse().unwrap();
            assert_eq!(Place::from_degrees(value, 0.0).unwrap().latitude_degrees(), value);
        }
    }
}
