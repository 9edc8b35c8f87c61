//! Products: the catalogue, by category.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::stores::CATEGORIES;
use super::{DimensionRecord, json};

/// Cheapest price of each category in cents; the dearest is twenty times that.
const CHEAPEST: [u32; 10] = [9_900, 3_900, 590, 890, 2_900, 3_900, 1_990, 1_490, 1_990, 19_900];

const ARTICLES: [[&str; 3]; 10] = [
    ["Headphones", "Tablet", "Charger"],
    ["Shirt", "Jacket", "Sandals"],
    ["Coffee", "Rice", "Olive oil"],
    ["Vitamins", "Sunscreen", "Thermometer"],
    ["Lamp", "Cookware", "Bed linen"],
    ["Football", "Running shoes", "Yoga mat"],
    ["Novel", "Cookbook", "Atlas"],
    ["Perfume", "Shampoo", "Lipstick"],
    ["Puzzle", "Doll", "Board game"],
    ["Suitcase", "Bus ticket", "Hotel night"],
];

pub(crate) struct Product {
    price_cents: u32,
    article: &'static str,
    category: u8,
}

/// A product as published.
#[derive(Serialize)]
struct PublishedProduct {
    product_id: String,
    name: String,
    category: &'static str,
    price: String,
}

impl Product {
    pub(super) fn draw(position: u32, rng: &mut ChaCha8Rng) -> Self {
        let category = (position % 10) as usize;
        let cheapest = CHEAPEST[category];
        let articles = &ARTICLES[category];
        Self {
            // The square makes cheap products common and dear ones rare.
            price_cents: cheapest + (f64::from(cheapest) * 19.0 * rng.random::<f64>().powi(2)) as u32,
            article: articles[rng.random_range(0..articles.len())],
            category: category as u8,
        }
    }

    pub(super) fn record(&self, position: usize) -> DimensionRecord {
        let product_id = format!("prod-{position:04}");
        let published = PublishedProduct {
            product_id: product_id.clone(),
            name: format!("{} {position}", self.article),
            category: CATEGORIES[usize::from(self.category)],
            price: format!("{}.{:02}", self.price_cents / 100, self.price_cents % 100),
        };
        DimensionRecord { key: product_id, value: json(&published) }
    }
}

/// A product of `category`, out of a catalogue of `count`; any product where the category has none.
pub(crate) fn draw_product(category: u8, count: u32, rng: &mut ChaCha8Rng) -> u32 {
    let category = u32::from(category);
    if category >= count {
        return rng.random_range(0..count.max(1));
    }
    let in_category = (count - category).div_ceil(10);
    category + 10 * rng.random_range(0..in_category)
}
