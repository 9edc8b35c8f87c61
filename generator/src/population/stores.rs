//! Stores, and which of them a customer can reach.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::cities::{CITIES, Coordinates, draw_city};
use super::{DimensionRecord, json};
use crate::identity::scatter;
use crate::settings::GeneratorSettings;

/// What stores and products are about; the number of a category is its position.
pub(super) const CATEGORIES: [&str; 10] = [
    "electronics",
    "clothing",
    "groceries",
    "pharmacy",
    "home",
    "sports",
    "books",
    "beauty",
    "toys",
    "travel",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Channel {
    Online,
    Physical,
}

pub(crate) struct Store {
    /// The 32 bits of the store_id.
    pub(crate) number: u64,
    pub(crate) city: u8,
    pub(crate) category: u8,
    pub(crate) channel: Channel,
    pub(crate) place: Coordinates,
}

/// A store as published.
#[derive(Serialize)]
struct PublishedStore {
    store_id: String,
    name: String,
    city: &'static str,
    state: &'static str,
    category: &'static str,
    channel: Channel,
    latitude: f64,
    longitude: f64,
}

impl Store {
    pub(super) fn draw(settings: &GeneratorSettings, position: u32, rng: &mut ChaCha8Rng) -> Self {
        // The first ten give each city and each category a physical store.
        let founding = position < 10;
        let city = if founding { position as u8 } else { draw_city(rng) };
        let online = !founding && rng.random_bool(0.4);
        Self {
            number: scatter(u64::from(position), settings.seed, 32),
            city,
            category: (position % 10) as u8,
            channel: if online { Channel::Online } else { Channel::Physical },
            place: CITIES[usize::from(city)].place.near(5_000, rng),
        }
    }

    /// The store_id.
    pub(crate) fn id(&self) -> String {
        format!("store-{:08x}", self.number)
    }

    pub(super) fn record(&self, position: usize) -> DimensionRecord {
        let city = &CITIES[usize::from(self.city)];
        let category = CATEGORIES[usize::from(self.category)];
        let (latitude, longitude) = self.place.degrees();
        let published = PublishedStore {
            store_id: self.id(),
            name: format!("{} {category} {}", city.name, position + 1),
            city: city.name,
            state: city.state,
            category,
            channel: self.channel,
            latitude,
            longitude,
        };
        DimensionRecord { key: self.id(), value: json(&published) }
    }
}

/// The stores ordinary customers go to, by how they are reached. Listed stores are not among them.
pub(crate) struct StoreIndex {
    physical: [Vec<u32>; CITIES.len()],
    online: Vec<u32>,
    all: Vec<u32>,
}

impl StoreIndex {
    pub(super) fn new(stores: &[Store], is_listed: impl Fn(u32) -> bool) -> Self {
        let mut index = Self { physical: Default::default(), online: Vec::new(), all: Vec::new() };
        for (position, store) in (0..).zip(stores).filter(|(position, _)| !is_listed(*position)) {
            index.all.push(position);
            match store.channel {
                Channel::Physical => index.physical[usize::from(store.city)].push(position),
                Channel::Online => index.online.push(position),
            }
        }
        index
    }

    /// A store within reach of a customer in `city`: mostly one in town, else online, else any.
    pub(crate) fn draw(&self, city: u8, rng: &mut ChaCha8Rng) -> u32 {
        let in_town = &self.physical[usize::from(city)];
        let choice = match (in_town.is_empty(), self.online.is_empty()) {
            (false, true) => in_town,
            (false, false) if rng.random_bool(0.65) => in_town,
            (_, false) => &self.online,
            (true, true) => &self.all,
        };
        choice.get(rng.random_range(0..choice.len().max(1))).copied().unwrap_or_default()
    }

    /// A physical store in `city`, if there is one.
    pub(crate) fn draw_in_town(&self, city: u8, rng: &mut ChaCha8Rng) -> Option<u32> {
        let in_town = &self.physical[usize::from(city)];
        in_town.get(rng.random_range(0..in_town.len().max(1))).copied()
    }
}
