//! The one-thread loop: the five rules over the same bytes, and nothing else.
//!
//! It keeps no more of a customer than the rules need: no id, no correction, no view, no order but that of
//! the bytes, one currency, one zone. So it is not a product, and what it reaches is a line that no product
//! with these rules crosses on one core.

use super::events::Events;
use super::fields::Fields;
use anyhow::{Context, Result};
use foldhash::fast::RandomState;
use serde::Deserialize;
use std::collections::{HashMap, VecDeque};
use streamflow_model::timestamp::{DAY, HOUR, MINUTE};
use streamflow_model::{Place, timestamp};

/// Local time in Brazil.
const OFFSET: i64 = -3 * HOUR;
const WINDOW: i64 = 10 * MINUTE;
const WINDOW_LIMIT: usize = 5;
const MINIMUM_HISTORY: i64 = 5;
const ALERT_THRESHOLD: f64 = 0.7;
/// Scores on the threshold that floats put below it.
const ROUNDING: f64 = 1e-12;

/// The alerts that the events raise.
///
/// # Errors
/// An event that cannot be read.
pub fn count_alerts(events: &Events) -> Result<u64> {
    let blacklist = Blacklist::read(&events.blacklist)?;
    let mut customers: HashMap<Box<str>, Customer, RandomState> = HashMap::default();
    let mut alerts = 0;
    for line in events.partitions.iter().flatten() {
        let fields: Fields<'_> = sonic_rs::from_slice(&events.bytes[line.place.clone()])?;
        let payment = Payment::of(&fields).context("an event that the loop cannot read")?;
        let listed = blacklist.lists(fields.customer_id, fields.store_id, payment.at);
        let alert = match customers.get_mut(fields.customer_id) {
            Some(customer) => customer.pay(&payment, listed),
            None => customers.entry(fields.customer_id.into()).or_default().pay(&payment, listed),
        };
        alerts += u64::from(alert);
    }
    Ok(alerts)
}

/// What the rules look at.
struct Payment {
    /// Microseconds since 1970.
    at: i64,
    cents: i64,
    place: Option<Place>,
}

impl Payment {
    fn of(fields: &Fields<'_>) -> Option<Self> {
        let amount: f64 = fields.amount.parse().ok()?;
        let degrees = fields.latitude.zip(fields.longitude);
        Some(Self {
            at: timestamp::parse(fields.timestamp)?,
            cents: (amount * 100.0).round() as i64,
            place: degrees.and_then(|(latitude, longitude)| Place::from_degrees(latitude, longitude)),
        })
    }

    /// Of the local day.
    fn minute(&self) -> i64 {
        (self.at + OFFSET).rem_euclid(DAY) / MINUTE
    }
}

/// A customer so far.
#[derive(Default)]
struct Customer {
    count: i64,
    cents: i64,
    minutes: i64,
    squared_minutes: i64,
    /// The times of payments in the window.
    window: VecDeque<i64>,
    /// The last payment with a place.
    visit: Option<(i64, Place)>,
}

/// A sum of weighted scores.
#[derive(Default)]
struct Score {
    sum: f64,
    weights: f64,
}

impl Score {
    fn add(&mut self, score: f64, weight: f64) {
        self.sum += score.min(1.0) * weight;
        self.weights += weight;
    }

    fn is_alert(&self) -> bool {
        self.weights > 0.0 && self.sum / self.weights >= ALERT_THRESHOLD - ROUNDING
    }
}

impl Customer {
    /// Whether the payment raises an alert.
    fn pay(&mut self, payment: &Payment, listed: bool) -> bool {
        let mut score = Score::default();
        self.high_value(payment.cents, &mut score);
        self.velocity(payment.at, &mut score);
        self.impossible_travel(payment, &mut score);
        self.unusual_hour(payment.minute(), &mut score);
        if listed {
            score.add(1.0, 0.1);
        }
        self.remember(payment);
        score.is_alert()
    }

    fn high_value(&self, cents: i64, score: &mut Score) {
        let limit = 3 * self.cents;
        if self.count >= MINIMUM_HISTORY && cents * self.count > limit {
            score.add((cents * self.count) as f64 / limit as f64 - 0.5, 0.3);
        }
    }

    fn velocity(&mut self, at: i64, score: &mut Score) {
        while self.window.front().is_some_and(|earlier| *earlier <= at - WINDOW) {
            self.window.pop_front();
        }
        self.window.push_back(at);
        if let Some(excess @ 1..) = self.window.len().checked_sub(WINDOW_LIMIT) {
            score.add(excess as f64 / WINDOW_LIMIT as f64, 0.25);
        }
    }

    fn impossible_travel(&self, payment: &Payment, score: &mut Score) {
        let (Some(place), Some((at, from))) = (payment.place, self.visit) else { return };
        if payment.at - at <= HOUR {
            let km = from.distance_km(place);
            if km > 500.0 {
                score.add(km / 1000.0, 0.2);
            }
        }
    }

    fn unusual_hour(&self, minute: i64, score: &mut Score) {
        let spread = self.count * self.squared_minutes - self.minutes * self.minutes;
        if self.count < MINIMUM_HISTORY || spread == 0 {
            return;
        }
        let distance = (self.count * minute - self.minutes) as f64;
        let squared = distance * distance * (self.count - 1) as f64 / (self.count as f64 * spread as f64);
        if squared > 4.0 {
            score.add(squared.sqrt() / 2.0 - 1.0, 0.15);
        }
    }

    fn remember(&mut self, payment: &Payment) {
        let minute = payment.minute();
        self.count += 1;
        self.cents += payment.cents;
        self.minutes += minute;
        self.squared_minutes += minute * minute;
        if let Some(place) = payment.place {
            self.visit = Some((payment.at, place));
        }
    }
}

/// An entry of the list.
#[derive(Deserialize)]
struct Entry<'a> {
    entity: &'a str,
    id: &'a str,
    valid_from: Option<&'a str>,
    expires_at: Option<&'a str>,
}

/// When each listed id is listed: from the first instant on, before the second.
#[derive(Default)]
struct Blacklist {
    customers: HashMap<Box<str>, (i64, i64), RandomState>,
    stores: HashMap<Box<str>, (i64, i64), RandomState>,
}

impl Blacklist {
    fn read(entries: &[impl AsRef<[u8]>]) -> Result<Self> {
        let mut blacklist = Self::default();
        for entry in entries {
            let Entry { entity, id, valid_from, expires_at } = sonic_rs::from_slice(entry.as_ref())?;
            let from = valid_from.and_then(timestamp::parse).unwrap_or(i64::MIN);
            let until = expires_at.and_then(timestamp::parse).unwrap_or(i64::MAX);
            let of = if entity == "customer" { &mut blacklist.customers } else { &mut blacklist.stores };
            of.insert(id.into(), (from, until));
        }
        Ok(blacklist)
    }

    fn lists(&self, customer: &str, store: &str, at: i64) -> bool {
        let entries = [self.customers.get(customer), self.stores.get(store)];
        entries.into_iter().flatten().any(|(from, until)| (*from..*until).contains(&at))
    }
}
