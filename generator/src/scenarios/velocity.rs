//! Velocity: a burst of payments, as when a stolen card is tried out (FR-002).

use rand::RngExt;

use super::{Episode, QUIET, Scene};
use crate::time::{MINUTE, SECOND, to_millisecond};

/// Six to twelve payments, smaller than usual, all within nine minutes.
pub(super) fn stage(scene: &mut Scene) -> Option<Episode> {
    let customer = scene.shopper(|_, _| true)?;
    let count = scene.rng.random_range(6..=12);
    let mut times: Vec<i64> =
        (0..count).map(|_| to_millisecond(scene.now + scene.rng.random_range(SECOND..9 * MINUTE))).collect();
    times.sort_unstable();
    let purchases = times
        .into_iter()
        .map(|at| {
            let mut purchase = scene.ordinary(customer, at);
            purchase.cents = (purchase.cents / 2).max(100);
            purchase
        })
        .collect();
    Some(Episode::new(purchases, QUIET))
}
