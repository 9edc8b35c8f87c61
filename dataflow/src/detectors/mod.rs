//! The detectors: a file for each, with its settings, its evidence and what makes it trigger; and here the
//! list of them.
//!
//! A new one is a file beside this one, and a line in each of the lists below: modules, [`Rule`] with its
//! ids, [`Rules`] with its defaults and detectors, [`Evidence`] with its findings.

pub mod blacklist;
pub mod card_testing;
pub mod context;
pub mod detector;
pub mod high_value;
pub mod hit;
pub mod impossible_travel;
pub mod leeway;
pub mod stored;
pub mod unusual_hour;
pub mod velocity;

pub use context::{Context, EarlierTransaction, Listing, MinuteSums, PreviousPlace, Recent, Sums};
pub use detector::{Bound, Detector, Finding, LookBack};
pub use hit::Hit;
pub use leeway::{Interval, Movement};

use serde::{Deserialize, Serialize};
use streamflow_model::Thousandths;

/// The detectors by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Rule {
    /// FR-001: an amount far above the customer's mean.
    HighValue,
    /// FR-002: many transactions in a short time.
    Velocity,
    /// FR-003: two places too far apart for the time between.
    ImpossibleTravel,
    /// FR-004: a time of day that the customer does not use.
    UnusualHour,
    /// FR-005: a listed customer or store.
    Blacklist,
    /// FR-006: small transactions, then a large one.
    CardTesting,
}

impl Rule {
    /// All rules in the order of their ids.
    pub const ALL: [Self; 6] = [
        Self::HighValue,
        Self::Velocity,
        Self::ImpossibleTravel,
        Self::UnusualHour,
        Self::Blacklist,
        Self::CardTesting,
    ];

    /// The id that users see.
    pub fn id(self) -> &'static str {
        match self {
            Self::HighValue => "FR-001",
            Self::Velocity => "FR-002",
            Self::ImpossibleTravel => "FR-003",
            Self::UnusualHour => "FR-004",
            Self::Blacklist => "FR-005",
            Self::CardTesting => "FR-006",
        }
    }
}

/// All parameters of scoring. Defaults are those of the specification.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// The combined score from which a transaction is alerted, 0 to 1.
    pub alert_threshold: Thousandths,
    /// FR-001.
    pub high_value: high_value::HighValue,
    /// FR-002.
    pub velocity: velocity::Velocity,
    /// FR-003.
    pub impossible_travel: impossible_travel::ImpossibleTravel,
    /// FR-004.
    pub unusual_hour: unusual_hour::UnusualHour,
    /// FR-005.
    pub blacklist: blacklist::Blacklist,
    /// FR-006.
    pub card_testing: card_testing::CardTesting,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            alert_threshold: Thousandths(700),
            high_value: Default::default(),
            velocity: Default::default(),
            impossible_travel: Default::default(),
            unusual_hour: Default::default(),
            blacklist: Default::default(),
            card_testing: Default::default(),
        }
    }
}

impl Rules {
    /// The detectors in the order of [`Rule::ALL`].
    pub fn detectors(&self) -> [&dyn Detector; Rule::ALL.len()] {
        [
            &self.high_value,
            &self.velocity,
            &self.impossible_travel,
            &self.unusual_hour,
            &self.blacklist,
            &self.card_testing,
        ]
    }

    /// The detector of a rule.
    pub fn detector(&self, rule: Rule) -> &dyn Detector {
        self.detectors()[rule as usize]
    }

    /// The hits of a transaction, by rule id.
    pub fn hits(&self, context: &Context<'_>) -> Vec<Hit> {
        self.detectors().into_iter().filter_map(|detector| detector.detect(context)).collect()
    }

    /// How far back any of the detectors looks.
    pub fn look_back(&self) -> LookBack {
        self.detectors().into_iter().map(Detector::look_back).fold(LookBack::default(), LookBack::max)
    }

    /// What is wrong with the parameters, if anything: the key, its value and what is allowed.
    pub fn problem(&self) -> Option<String> {
        let threshold = Bound::decimal("alert_threshold", self.alert_threshold, 1..=1000);
        threshold.problem().or_else(|| {
            self.detectors().into_iter().find_map(|detector| {
                let weight = Bound::decimal("weight", detector.weight(), 0..=1000);
                let problem =
                    [weight].into_iter().chain(detector.bounds()).find_map(|bound| bound.problem())?;
                Some(format!("{}.{problem}", detector.key()))
            })
        })
    }
}

/// A change of the rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RulesChange {
    /// The first event time to which they apply, microseconds since 1970.
    pub applies_from: i64,
    /// The new rules.
    pub rules: Rules,
}

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
            Self::Stored(evidence) => evidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_finds_its_own_detector_and_settings() {
        let rules = Rules::default();
        let keys: Vec<&str> = Rule::ALL.map(|rule| rules.detector(rule).key()).into();
        let expected =
            ["high_value", "velocity", "impossible_travel", "unusual_hour", "blacklist", "card_testing"];
        assert_eq!(keys, expected);
        let settings = serde_json::to_value(&rules).unwrap();
        assert!(keys.iter().all(|key| settings[key]["weight"].is_number()), "{settings}");
        assert_eq!(settings.as_object().unwrap().len(), 1 + keys.len());
        assert!(Rule::ALL.is_sorted_by_key(|rule| rule.id()));
    }

    #[test]
    fn the_defaults_are_allowed_and_a_problem_names_key_value_and_range() {
        assert_eq!(Rules::default().problem(), None);
        let problem = |change: fn(&mut Rules)| {
            let mut rules = Rules::default();
            change(&mut rules);
            rules.problem().unwrap()
        };
        let weight = problem(|rules| rules.blacklist.weight = Thousandths(1001));
        assert_eq!(weight, "blacklist.weight = 1.001: must be 0.000 to 1.000");
        let threshold = problem(|rules| rules.alert_threshold = Thousandths(0));
        assert_eq!(threshold, "alert_threshold = 0.000: must be 0.001 to 1.000");
        let window = problem(|rules| rules.velocity.window_seconds = 0);
        assert_eq!(window, "velocity.window_seconds = 0: must be 1 to 86400");
        let deviations = problem(|rules| rules.unusual_hour.deviations = Thousandths(100_001));
        assert_eq!(deviations, "unusual_hour.deviations = 100.001: must be 0.001 to 100.000");
    }
}

#[cfg(test)]
pub(crate) mod examples {
    use super::{Context, EarlierTransaction, MinuteSums, PreviousPlace, Recent, Sums};

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

    const NOTHING: &Past = &Past { transactions: Vec::new(), place: None };

    /// A transaction of 100.00 at noon whose customer has done nothing before.
    pub(crate) fn context() -> Context<'static> {
        Context {
            amount: 10_000,
            event_time: 0,
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
