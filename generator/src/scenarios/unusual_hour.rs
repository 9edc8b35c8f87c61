//! Unusual hour: a payment far from the hours the customer is known by (FR-004).

use rand::RngExt;

use super::{Episode, QUIET, Scene};
use crate::history::History;
use crate::time::{MINUTE, SECOND, to_millisecond};

/// Standard deviations from the mean minute of the day; the detector asks for more than two.
const FAR: f64 = 3.0;

/// A customer pays at an hour that is not theirs. While the traffic is younger than a day there is no
/// such customer; then a newcomer makes a few payments in a row and one well after them.
pub(super) fn stage(scene: &mut Scene) -> Option<Episode> {
    known_customer(scene).or_else(|| newcomer(scene))
}

fn known_customer(scene: &mut Scene) -> Option<Episode> {
    let at = scene.now + SECOND;
    let customer = scene.sleeper(|scene, who| {
        scene.histories.of(who).deviation_at(at).is_some_and(|deviation| deviation > FAR)
    })?;
    Some(Episode::new(vec![scene.ordinary(customer, at)], QUIET))
}

/// Five payments two to four minutes apart, slow enough to be no burst, and the one that stands out.
fn newcomer(scene: &mut Scene) -> Option<Episode> {
    let customer = scene.sleeper(|scene, who| scene.histories.of(who).count == 0)?;
    let mut history = History::default();
    let mut purchases = Vec::new();
    let mut at = scene.now + SECOND;
    for _ in 0..5 {
        purchases.push(scene.ordinary(customer, at));
        history.add(at, 0, false);
        at += to_millisecond(scene.rng.random_range(2 * MINUTE..4 * MINUTE));
    }
    let at = at + to_millisecond(scene.rng.random_range(20 * MINUTE..40 * MINUTE));
    purchases.push(scene.ordinary(customer, at));
    // Across midnight the minutes of the day jump, and nothing stands out.
    let stands_out = history.deviation_at(at).is_some_and(|deviation| deviation > FAR);
    stands_out.then(|| Episode::new(purchases, QUIET))
}
