//! High value: one payment far above the customer's mean in its currency (FR-001).

use rand::RngExt;

use super::{Episode, QUIET, Scene};
use crate::currency::is_abroad;
use crate::time::SECOND;

/// Times the mean; the detector asks for more than three, scores fully from four and a half.
const TIMES_MEAN: std::ops::Range<f64> = 4.6..12.0;

/// A customer with five purchases or more in the currency pays a multiple of their mean.
pub(super) fn stage(scene: &mut Scene) -> Option<Episode> {
    let at = scene.now + SECOND;
    let mean_cents = |scene: &Scene<'_>, who| {
        let shopper = scene.population.customer(who);
        let is_foreign = shopper.foreign.is_some() && is_abroad(shopper.number, at);
        scene.histories.of(who).mean_cents(is_foreign)
    };
    let customer = scene.shopper(|scene, who| mean_cents(scene, who).is_some())?;
    let mean = mean_cents(scene, customer)?;
    let mut purchase = scene.ordinary(customer, at);
    purchase.cents = (mean * scene.rng.random_range(TIMES_MEAN)).ceil() as u64;
    Some(Episode::new(vec![purchase], QUIET))
}
