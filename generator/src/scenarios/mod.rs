//! Staged fraud: a file for each detector, each a function from the scene to an episode.

mod blacklist;
mod card_testing;
mod high_value;
mod impossible_travel;
mod unusual_hour;
mod velocity;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::history::Histories;
use crate::label::Pattern;
use crate::population::{Population, is_preferred};
use crate::purchase::Purchase;
use crate::time::{HOUR, local_minute};

/// How often to look for a fitting customer before giving up.
const TRIES: usize = 64;

/// What a scenario sees when it starts.
pub(crate) struct Scene<'a> {
    pub(crate) population: &'a Population,
    pub(crate) histories: &'a Histories,
    pub(crate) rng: &'a mut ChaCha8Rng,
    /// Current event time, microseconds since 1970. All purchases come later.
    pub(crate) now: i64,
}

/// Purchases of one customer that belong together, in order of time; at least one.
pub(crate) struct Episode {
    pub(crate) purchases: Vec<Purchase>,
    /// Until then ordinary traffic leaves the customer alone: nothing comes between the purchases, and
    /// nothing after them is taken for fraud on their account.
    pub(crate) quiet_until: i64,
}

impl Episode {
    fn new(purchases: Vec<Purchase>, quiet: i64) -> Self {
        let last = purchases.last().map_or(i64::MIN, |purchase| purchase.at);
        Self { purchases, quiet_until: last.saturating_add(quiet) }
    }
}

/// Stages an episode of the pattern that will make its detector trigger; none where no customer fits.
pub(crate) fn stage(pattern: Pattern, scene: &mut Scene) -> Option<Episode> {
    match pattern {
        Pattern::HighValue => high_value::stage(scene),
        Pattern::Velocity => velocity::stage(scene),
        Pattern::ImpossibleTravel => impossible_travel::stage(scene),
        Pattern::UnusualHour => unusual_hour::stage(scene),
        Pattern::Blacklist => blacklist::stage(scene),
        Pattern::CardTesting => card_testing::stage(scene),
    }
}

impl Scene<'_> {
    /// Someone who shops at this hour, rather of high risk than of low.
    fn shopper(&mut self, fits: impl Fn(&Self, u32) -> bool) -> Option<u32> {
        let hour = (local_minute(self.now) / 60) as usize;
        self.look(fits, |scene| scene.population.activity().draw(hour, scene.rng))
    }

    /// Anyone who does not shop at this hour.
    fn sleeper(&mut self, fits: impl Fn(&Self, u32) -> bool) -> Option<u32> {
        let hour = (local_minute(self.now) / 60) as usize;
        let anyone = |scene: &mut Self| {
            let drawn = scene.rng.random_range(0..24);
            scene.population.activity().draw(drawn, scene.rng)
        };
        self.look(|scene, who| !is_preferred(who, hour) && fits(scene, who), anyone)
    }

    fn look(&mut self, fits: impl Fn(&Self, u32) -> bool, draw: impl Fn(&mut Self) -> u32) -> Option<u32> {
        (0..TRIES).find_map(|_| {
            let drawn = draw(self);
            let exposed = self.rng.random_bool(self.population.customer(drawn).risk.exposure());
            let free = !self.histories.is_reserved(drawn, self.now);
            (exposed && free && fits(self, drawn)).then_some(drawn)
        })
    }

    fn ordinary(&mut self, customer: u32, at: i64) -> Purchase {
        Purchase::ordinary(self.population, customer, at, self.rng)
    }
}

/// How long a customer is left alone after an episode by default.
const QUIET: i64 = HOUR;
