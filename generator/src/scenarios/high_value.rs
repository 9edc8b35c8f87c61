//! High value: one payment far above the customer's mean (FR-001).

use rand::RngExt;

use super::{Episode, QUIET, Scene};
use crate::time::SECOND;

/// Times the mean; the detector asks for more than three, scores fully from four and a half.
const TIMES_MEAN: std::ops::Range<f64> = 4.6..12.0;

/// A customer with five purchases or more pays a multiple of their mean.
pub(super) fn stage(scene: &mut Scene) -> Option<Episode> {
    let customer = scene.shopper(|scene, who| scene.histories.of(who).mean_cents().is_some())?;
    let mean = scene.histories.of(customer).mean_cents()?;
    let mut purchase = scene.ordinary(customer, scene.now + SECOND);
    purchase.cents = (mean * scene.rng.random_range(TIMES_MEAN)).ceil() as u64;
    Some(Episode::new(vec![purchase], QUIET))
}
