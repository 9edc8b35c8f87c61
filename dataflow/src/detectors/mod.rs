//! The five detectors: each a pure function of a transaction's context to an optional hit.

pub mod blacklist;
pub mod context;
pub mod high_value;
pub mod hit;
pub mod impossible_travel;
pub mod rules;
pub mod unusual_hour;
pub mod velocity;

pub use context::{Context, Listing, PreviousPlace, Sums};
pub use hit::{Evidence, Hit, Rule};
pub use rules::{Rules, RulesChange};

/// The hits of a transaction, by rule id.
pub fn hits(rules: &Rules, context: &Context<'_>) -> Vec<Hit> {
    let found = [
        high_value::detect(&rules.high_value, context),
        velocity::detect(&rules.velocity, context),
        impossible_travel::detect(&rules.impossible_travel, context),
        unusual_hour::detect(&rules.unusual_hour, context),
        blacklist::detect(context),
    ];
    found.into_iter().flatten().collect()
}

#[cfg(test)]
pub(crate) mod examples {
    use super::{Context, Sums};

    /// A transaction of 100.00 at noon whose customer has done nothing before.
    pub(crate) fn context() -> Context<'static> {
        Context {
            amount: 10_000,
            event_time: 0,
            place: None,
            minute: 720,
            earlier: Sums::default(),
            in_window: 1,
            previous_place: None,
            listing: None,
        }
    }

    /// Sums of earlier transactions, each of an amount in cents at a minute of the day.
    pub(crate) fn earlier(transactions: &[(i64, u16)]) -> Sums {
        let mut sums = Sums::default();
        for (cents, minute) in transactions {
            sums.add(*cents, *minute);
        }
        sums
    }
}
