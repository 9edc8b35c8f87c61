//! Impossible travel: a payment at home and one in a distant city within the hour (FR-003).

use rand::RngExt;

use super::{Episode, QUIET, Scene};
use crate::population::CITIES;
use crate::purchase::Purchase;
use crate::time::{MINUTE, SECOND, to_millisecond};

/// Kilometres between the two cities; the detector asks for more than 500 between the payments.
const DISTANT: f64 = 600.0;

/// A customer pays at home and 5 to 50 minutes later in person in a distant city.
pub(super) fn stage(scene: &mut Scene) -> Option<Episode> {
    let customer = scene.shopper(|_, _| true)?;
    let home = scene.population.customer(customer).home;
    let distant: Vec<u8> = (0..)
        .zip(&CITIES)
        .filter(|(_, city)| city.place.kilometres_to(home) > DISTANT)
        .map(|(number, _)| number)
        .collect();
    let city = *distant.get(scene.rng.random_range(0..distant.len().max(1)))?;
    let store = scene.population.store_index().draw_in_town(city, scene.rng)?;
    let first = scene.ordinary(customer, scene.now + SECOND);
    let later = first.at + to_millisecond(scene.rng.random_range(5 * MINUTE..50 * MINUTE));
    let mut second = Purchase::at_store(scene.population, customer, store, later, scene.rng);
    second.place = scene.population.store(store).place.near(30, scene.rng);
    Some(Episode::new(vec![first, second], QUIET))
}
