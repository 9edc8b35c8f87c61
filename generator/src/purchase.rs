//! A purchase: the content of a transaction before it is written.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::currency::{Foreign, is_abroad};
use crate::payment::Payment;
use crate::population::{Channel, Coordinates, Population};

/// Most an ordinary purchase costs, cents.
const DEAREST: f64 = 99_999_999.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Purchase {
    /// Event time, microseconds since 1970, whole milliseconds.
    pub(crate) at: i64,
    pub(crate) customer: u32,
    pub(crate) store: u32,
    pub(crate) product: u32,
    pub(crate) cents: u64,
    /// The currency of the amount; `None` is BRL.
    pub(crate) foreign: Option<Foreign>,
    pub(crate) payment: Payment,
    pub(crate) place: Coordinates,
}

impl Purchase {
    /// What this customer would buy on an ordinary day.
    pub(crate) fn ordinary(population: &Population, customer: u32, at: i64, rng: &mut ChaCha8Rng) -> Self {
        let shopper = population.customer(customer);
        let store = match rng.random_range(0..100) {
            0..55 => shopper.favourites[0],
            55..75 => shopper.favourites[1],
            75..90 => shopper.favourites[2],
            _ => population.store_index().draw(shopper.city, rng),
        };
        Self::at_store(population, customer, store, at, rng)
    }

    /// The same at a given store. Bought in town it takes place at the store, otherwise from home.
    pub(crate) fn at_store(
        population: &Population,
        customer: u32,
        store: u32,
        at: i64,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let shopper = population.customer(customer);
        let shop = population.store(store);
        let in_town = shop.channel == Channel::Physical && shop.city == shopper.city;
        let place = if in_town { shop.place.near(30, rng) } else { shopper.home.near(500, rng) };
        let deviation: f64 = rng.sample(StandardNormal);
        let cents = (shopper.log_median + shopper.spread * deviation).exp().clamp(100.0, DEAREST);
        let cents = cents.round() as u64;
        let foreign = shopper.foreign.filter(|_| is_abroad(shopper.number, at));
        let payment = if rng.random_bool(0.85) { shopper.payment } else { Payment::draw(rng) };
        Self {
            at,
            customer,
            store,
            product: population.draw_product(store, rng),
            cents: foreign.map_or(cents, |foreign| foreign.cents(cents)),
            foreign,
            payment,
            place,
        }
    }
}

/// A purchase with an id, at some revision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Transaction {
    /// The 64 bits of the transaction_id.
    pub(crate) number: u64,
    pub(crate) purchase: Purchase,
    pub(crate) revision: u32,
    pub(crate) voided: bool,
}
