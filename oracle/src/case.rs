//! What the rules look at.

use crate::expected::{Entity, ListEntry};
use crate::intake::Current;
use crate::rules::RuleSet;

const EARTH_RADIUS_KM: f64 = 6371.0;

/// A transaction with its context.
pub(crate) struct Case<'a> {
    pub rules: &'a RuleSet,
    pub transaction: &'a Current,
    /// The customer's current transactions strictly before it, in order.
    pub earlier: &'a [&'a Current],
    /// The list entry in force: the customer's, else the store's.
    pub listing: Option<(&'a Entity, &'a ListEntry)>,
}

/// By the haversine formula.
pub(crate) fn distance_km(from: (f64, f64), to: (f64, f64)) -> f64 {
    let sine_squared = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let across = from.0.to_radians().cos() * to.0.to_radians().cos();
    let h = sine_squared(to.0 - from.0) + across * sine_squared(to.1 - from.1);
    2.0 * EARTH_RADIUS_KM * h.sqrt().min(1.0).asin()
}
