//! Blacklist: a listed customer pays, or someone pays at a listed store (FR-005).

use rand::RngExt;

use super::{Episode, Scene};
use crate::population::{Entry, Listed};
use crate::purchase::Purchase;
use crate::time::{MINUTE, SECOND};

/// One payment under an entry that holds at its time.
pub(super) fn stage(scene: &mut Scene) -> Option<Episode> {
    let at = scene.now + SECOND;
    let in_force: Vec<&Entry> =
        scene.population.entries().iter().filter(|entry| entry.holds_at(at)).collect();
    let entry = *in_force.get(scene.rng.random_range(0..in_force.len().max(1)))?;
    let purchase = match entry.listed {
        Listed::Customer(customer) => {
            let free = !scene.histories.is_reserved(customer, scene.now);
            free.then(|| scene.ordinary(customer, at))?
        }
        Listed::Store(store) => {
            let customer = scene.shopper(|_, _| true)?;
            Purchase::at_store(scene.population, customer, store, at, scene.rng)
        }
    };
    Some(Episode::new(vec![purchase], 10 * MINUTE))
}
