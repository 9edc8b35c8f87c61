//! Disturbances of transactions on their way; each meets at most one.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::defect::Defect;
use crate::settings::GeneratorSettings;
use crate::time::{HOUR, MINUTE, SECOND};

/// Delays are microseconds after the event time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Disturbance {
    /// Emitted later than it happened; beyond an hour it will not be accepted.
    Late { by: i64 },
    /// Emitted twice, the same bytes.
    Duplicate { after: i64 },
    /// Emitted, then again with the next revision and another amount.
    Correction { after: i64, cents: u64 },
    /// Emitted, then withdrawn by the next revision.
    Void { after: i64 },
    /// Emitted in a form that cannot be accepted.
    Malformed(Defect),
}

impl Disturbance {
    /// Draws at the set rates. Injected fraud is only ever late or duplicated, so that its label stays
    /// true.
    pub(crate) fn draw(
        settings: &GeneratorSettings,
        cents: u64,
        injected: bool,
        rng: &mut ChaCha8Rng,
    ) -> Option<Self> {
        let mut ticket: f64 = rng.random();
        let mut drawn = |rate: f64| {
            ticket -= rate;
            ticket < 0.0
        };
        if drawn(settings.late_rate) {
            // The square makes short delays common and long ones rare.
            let longest = f64::from(settings.late_by_max) * SECOND as f64;
            let by = (longest * rng.random::<f64>().powi(2)) as i64;
            return Some(Self::Late { by: by.max(SECOND) });
        }
        if drawn(settings.duplicate_rate) {
            return Some(Self::Duplicate { after: rng.random_range(1..=MINUTE) });
        }
        if injected {
            None
        } else if drawn(settings.too_late_rate) {
            Some(Self::Late { by: rng.random_range(HOUR + MINUTE..2 * HOUR) })
        } else if drawn(settings.corrected_rate) {
            let after = rng.random_range(SECOND..10 * MINUTE);
            Some(Self::Correction { after, cents: another_amount(cents, rng) })
        } else if drawn(settings.voided_rate) {
            Some(Self::Void { after: rng.random_range(SECOND..10 * MINUTE) })
        } else if drawn(settings.malformed_rate) {
            Some(Self::Malformed(Defect::draw(rng)))
        } else {
            None
        }
    }

    /// Draws whether a transaction without another disturbance is refunded, in whole or in part, at any age: all
    /// orders of magnitude between a minute and the set age are as likely.
    pub(crate) fn draw_refund(
        settings: &GeneratorSettings,
        cents: u64,
        rng: &mut ChaCha8Rng,
    ) -> Option<Self> {
        if rng.random::<f64>() >= settings.refunded_rate {
            return None;
        }
        let longest = f64::from(settings.refunded_within) * SECOND as f64;
        let shortest = MINUTE as f64;
        let after = (shortest * (longest / shortest).powf(rng.random())) as i64;
        if rng.random_bool(0.5) {
            return Some(Self::Void { after });
        }
        Some(Self::Correction { after, cents: another_amount(cents, rng) })
    }

    /// The final amount in cents; none where the transaction is voided or not accepted.
    pub(crate) fn final_cents(disturbance: Option<Self>, cents: u64) -> Option<u64> {
        match disturbance {
            None | Some(Self::Duplicate { .. }) => Some(cents),
            Some(Self::Late { by }) => (by <= HOUR).then_some(cents),
            Some(Self::Correction { cents, .. }) => Some(cents),
            Some(Self::Void { .. } | Self::Malformed(_)) => None,
        }
    }
}

/// An amount within a fifth of `cents`, but never the same.
fn another_amount(cents: u64, rng: &mut ChaCha8Rng) -> u64 {
    let most = (cents / 5).max(1);
    let change = rng.random_range(1..=most);
    if rng.random_bool(0.5) && change < cents { cents - change } else { cents + change }
}
