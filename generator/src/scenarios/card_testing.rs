//! Card testing: a few tiny payments, as when a stolen card is tried out, and a large one (FR-006).

use rand::RngExt;

use super::{Episode, QUIET, Scene};
use crate::purchase::Purchase;
use crate::time::{MINUTE, SECOND, to_millisecond};

/// Cents of a tiny payment; the detector counts those below 5.00.
const TINY: std::ops::Range<u64> = 50..400;

/// Cents of the large one at the least; the detector asks for ten times the mean of the tiny ones.
const LARGE: u64 = 10_000;

/// Three or four tiny payments two to four minutes apart, slow enough to be no burst, and the large one,
/// all in one currency.
pub(super) fn stage(scene: &mut Scene) -> Option<Episode> {
    let customer = scene.shopper(|_, _| true)?;
    let mut at = scene.now + SECOND;
    let mut purchases = Vec::new();
    for _ in 0..scene.rng.random_range(3..=4) {
        let mut purchase = scene.ordinary(customer, at);
        purchase.foreign = purchases.first().map_or(purchase.foreign, |first: &Purchase| first.foreign);
        purchase.cents = scene.rng.random_range(TINY);
        purchases.push(purchase);
        at += to_millisecond(scene.rng.random_range(2 * MINUTE..4 * MINUTE));
    }
    let mut last = scene.ordinary(customer, at);
    last.cents = last.cents.max(LARGE);
    last.foreign = purchases.first().and_then(|first| first.foreign);
    purchases.push(last);
    Some(Episode::new(purchases, QUIET))
}
