//! The detectors: a file for each, with its settings, its evidence and what makes it trigger; and here the
//! list of them.
//!
//! A new one is a file beside this one, and a line in each list of detectors: modules and [`Evidence`] below,
//! [`Kind`](crate::rules::Kind), and [`Rules`](crate::rules::Rules) of the configuration with its id.

pub mod blacklist;
pub mod card_testing;
pub mod context;
pub mod detection;
pub mod detector;
pub mod expression;
pub mod high_value;
pub mod hit;
pub mod impossible_travel;
pub mod leeway;
pub mod stored;
pub mod unusual_hour;
pub mod velocity;

pub use context::{Context, Details, EarlierTransaction, Listing, MinuteSums, PreviousPlace, Recent, Sums};
pub use detection::Detection;
pub use detector::{Bound, Detector, Finding, LookBack};
pub use hit::Hit;
pub use leeway::{Interval, Movement};

use serde::{Deserialize, Serialize};

/// The numbers that a detector compared, as integers, so that hits compare exactly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Evidence {
    /// Of FR-001.
    HighValue(high_value::HighValueEvidence),
    /// Of FR-002.
    Velocity(velocity::VelocityEvidence),
    /// Of FR-003.
    ImpossibleTravel(impossible_travel::ImpossibleTravelEvidence),
    /// Of FR-004.
    UnusualHour(unusual_hour::UnusualHourEvidence),
    /// Of FR-005.
    Blacklist(blacklist::BlacklistEvidence),
    /// Of FR-006.
    CardTesting(card_testing::CardTestingEvidence),
    /// Of an expression rule.
    Expression(expression::ExpressionEvidence),
    /// Of any, read back from the tables.
    Stored(stored::StoredEvidence),
}

impl Evidence {
    /// The evidence as a [`Finding`].
    pub fn finding(&self) -> &dyn Finding {
        match self {
            Self::HighValue(evidence) => evidence,
            Self::Velocity(evidence) => evidence,
            Self::ImpossibleTravel(evidence) => evidence,
            Self::UnusualHour(evidence) => evidence,
            Self::Blacklist(evidence) => evidence,
            Self::CardTesting(evidence) => evidence,
            Self::Expression(evidence) => evidence,
            Self::Stored(evidence) => evidence,
        }
    }
}

#[cfg(test)]
pub(crate) mod examples {
    use super::{Context, Details, EarlierTransaction, MinuteSums, PreviousPlace, Recent, Sums};
    use streamflow_model::Currency;

    /// What a customer did before, newest last.
    #[derive(Default)]
    pub(crate) struct Past {
        pub(crate) transactions: Vec<EarlierTransaction>,
        pub(crate) place: Option<PreviousPlace<'static>>,
    }

    impl Past {
        /// Of transactions at event times with amounts in cents.
        pub(crate) fn of(transactions: impl IntoIterator<Item = (i64, i64)>) -> Self {
            let transactions = transactions.into_iter();
            let transactions =
                transactions.map(|(event_time, cents)| EarlierTransaction { event_time, cents });
            Self { transactions: transactions.collect(), place: None }
        }
    }

    impl Recent for Past {
        fn count_after(&self, start: i64) -> u64 {
            self.newest_first(start).count() as u64
        }

        fn newest_first(&self, start: i64) -> Box<dyn Iterator<Item = EarlierTransaction> + '_> {
            let newest_first = self.transactions.iter().rev().copied();
            Box::new(newest_first.filter(move |earlier| earlier.event_time > start))
        }

        fn latest_place(&self, _start: i64) -> Option<PreviousPlace<'_>> {
            self.place
        }
    }

    /// A transaction in BRL at store `s` without a payment method.
    impl Details for Past {
        fn store(&self) -> &str {
            "s"
        }

        fn currency(&self) -> &Currency {
            &Currency::BRL
        }

        fn payment_method(&self) -> Option<&str> {
            None
        }
    }

    const NOTHING: &Past = &Past { transactions: Vec::new(), place: None };

    /// A transaction of 100.00 at noon whose customer has done nothing before.
    pub(crate) fn context() -> Context<'static> {
        Context {
            amount: 10_000,
            event_time: 0,
            details: NOTHING,
            place: None,
            minute: 720,
            earlier: Sums::default(),
            earlier_minutes: MinuteSums::default(),
            recent: NOTHING,
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
