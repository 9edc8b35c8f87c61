//! Customers: who they are and how they shop.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::Serialize;

use super::cities::{CITIES, Coordinates, draw_city};
use super::names::{FAMILY, GIVEN, plain};
use super::stores::StoreIndex;
use super::{DimensionRecord, json};
use crate::currency::{Foreign, beside_home};
use crate::identity::{customer_id, scatter};
use crate::payment::Payment;
use crate::settings::GeneratorSettings;
use crate::time::{DAY, local};

/// Median of the customers' median spending: the logarithm of 12,000 cents.
const LOG_TYPICAL_CENTS: f64 = 9.392_661_928_770_137;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Risk {
    Low,
    Normal,
    High,
    Critical,
}

impl Risk {
    /// 20, 70, 8 and 2 %.
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        match rng.random_range(0..100) {
            0..20 => Self::Low,
            20..90 => Self::Normal,
            90..98 => Self::High,
            _ => Self::Critical,
        }
    }

    /// How readily a fraudster picks such a customer, 0 to 1.
    pub(crate) fn exposure(self) -> f64 {
        match self {
            Self::Low => 0.1,
            Self::Normal => 0.3,
            Self::High => 0.7,
            Self::Critical => 1.0,
        }
    }
}

pub(crate) struct Customer {
    /// The 48 bits of the customer_id.
    pub(crate) number: u64,
    pub(crate) city: u8,
    pub(crate) risk: Risk,
    pub(crate) home: Coordinates,
    /// Logarithm of the median purchase in cents.
    pub(crate) log_median: f64,
    /// Standard deviation of that logarithm.
    pub(crate) spread: f64,
    /// Preferred stores, the dearest first; may repeat.
    pub(crate) favourites: [u32; 3],
    pub(crate) payment: Payment,
    /// The currency in which they also pay.
    pub(crate) foreign: Option<Foreign>,
    given: u8,
    families: [u8; 2],
    registered_at: i64,
}

/// A customer as published.
#[derive(Serialize)]
struct PublishedCustomer {
    customer_id: String,
    name: String,
    email: String,
    city: &'static str,
    state: &'static str,
    risk_profile: Risk,
    registered_at: String,
}

impl Customer {
    pub(super) fn draw(
        settings: &GeneratorSettings,
        position: u32,
        stores: &StoreIndex,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let number = scatter(u64::from(position), settings.seed, 48);
        let city = draw_city(rng);
        let deviation: f64 = rng.sample(StandardNormal);
        Self {
            number,
            city,
            risk: Risk::draw(rng),
            home: CITIES[usize::from(city)].place.near(8_000, rng),
            log_median: LOG_TYPICAL_CENTS + 0.7 * deviation,
            spread: rng.random_range(0.2..0.35),
            favourites: std::array::from_fn(|_| stores.draw(city, rng)),
            payment: Payment::draw(rng),
            foreign: beside_home(number, settings.seed, settings.foreign_customer_rate),
            given: rng.random_range(0..GIVEN.len()) as u8,
            families: std::array::from_fn(|_| rng.random_range(0..FAMILY.len()) as u8),
            registered_at: settings.start - rng.random_range(DAY..2_000 * DAY),
        }
    }

    /// The customer_id.
    pub(crate) fn id(&self) -> String {
        customer_id(self.number)
    }

    pub(super) fn record(&self) -> DimensionRecord {
        let given = GIVEN[usize::from(self.given)];
        let [middle, last] = self.families.map(|number| FAMILY[usize::from(number)]);
        let city = &CITIES[usize::from(self.city)];
        let published = PublishedCustomer {
            customer_id: self.id(),
            name: format!("{given} {middle} {last}"),
            // A piece of the id keeps namesakes apart; example.com belongs to nobody.
            email: format!("{}.{}{:04x}@example.com", plain(given), plain(last), self.number & 0xffff),
            city: city.name,
            state: city.state,
            risk_profile: self.risk,
            registered_at: local(self.registered_at),
        };
        DimensionRecord { key: self.id(), value: json(&published) }
    }
}
