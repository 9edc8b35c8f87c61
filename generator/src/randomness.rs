//! Seeded streams of random numbers, one for each concern.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A concern with a stream of its own: drawing more for one does not shift another.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Customers = 1,
    Stores,
    Products,
    Purchases,
    Fraud,
    Disturbance,
    Refunds,
}

/// The stream of `concern` under `seed`.
pub(crate) fn stream(seed: u64, concern: Stream) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(concern as u64);
    rng
}
