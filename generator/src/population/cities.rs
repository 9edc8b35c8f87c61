//! Ten Brazilian cities, and places in and around them.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A place on earth, in units of 0.00001 degree: about a metre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Coordinates {
    pub(crate) latitude: i32,
    pub(crate) longitude: i32,
}

impl Coordinates {
    /// A place at most `radius` units away along each axis.
    pub(crate) fn near(self, radius: i32, rng: &mut ChaCha8Rng) -> Self {
        Self {
            latitude: self.latitude + rng.random_range(-radius..=radius),
            longitude: self.longitude + rng.random_range(-radius..=radius),
        }
    }

    /// Great-circle distance, kilometres.
    pub(crate) fn kilometres_to(self, other: Self) -> f64 {
        let radians = |units: i32| (f64::from(units) / 1e5).to_radians();
        let (here, there) = (radians(self.latitude), radians(other.latitude));
        let north = ((there - here) / 2.0).sin();
        let east = ((radians(other.longitude) - radians(self.longitude)) / 2.0).sin();
        let chord = north * north + here.cos() * there.cos() * east * east;
        2.0 * 6371.0 * chord.sqrt().asin()
    }

    /// Degrees north and east, as written to JSON.
    pub(crate) fn degrees(self) -> (f64, f64) {
        (f64::from(self.latitude) / 1e5, f64::from(self.longitude) / 1e5)
    }
}

/// A city with its share of customers and stores.
pub(crate) struct City {
    pub(crate) name: &'static str,
    pub(crate) state: &'static str,
    pub(crate) place: Coordinates,
    weight: u32,
}

const fn city(name: &'static str, state: &'static str, latitude: i32, longitude: i32, weight: u32) -> City {
    City { name, state, place: Coordinates { latitude, longitude }, weight }
}

pub(crate) const CITIES: [City; 10] = [
    city("São Paulo", "SP", -2_355_052, -4_663_331, 30),
    city("Rio de Janeiro", "RJ", -2_290_685, -4_317_290, 17),
    city("Brasília", "DF", -1_579_389, -4_788_278, 9),
    city("Salvador", "BA", -1_297_140, -3_850_140, 8),
    city("Fortaleza", "CE", -373_186, -3_852_667, 8),
    city("Belo Horizonte", "MG", -1_991_668, -4_393_449, 8),
    city("Manaus", "AM", -311_903, -6_002_173, 5),
    city("Curitiba", "PR", -2_542_836, -4_927_325, 6),
    city("Recife", "PE", -804_756, -3_487_704, 5),
    city("Porto Alegre", "RS", -3_003_465, -5_121_766, 4),
];

/// Draws the number of a city in proportion to its weight.
pub(super) fn draw_city(rng: &mut ChaCha8Rng) -> u8 {
    let total: u32 = CITIES.iter().map(|city| city.weight).sum();
    let mut ticket = rng.random_range(0..total);
    for (number, city) in (0..).zip(&CITIES) {
        if ticket < city.weight {
            return number;
        }
        ticket -= city.weight;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sao_paulo_to_manaus() {
        let kilometres = CITIES[0].place.kilometres_to(CITIES[6].place);
        assert!((2680.0..2700.0).contains(&kilometres), "{kilometres}");
    }

    #[test]
    fn every_city_has_one_far_away() {
        for here in &CITIES {
            assert!(CITIES.iter().any(|there| here.place.kilometres_to(there.place) > 600.0));
        }
    }
}
