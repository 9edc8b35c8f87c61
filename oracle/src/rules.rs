//! Rules: sets of them, and the classic one of each detector with the defaults of the specification.

/// Rules that apply together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSet {
    /// Combined score from which a transaction is alerted, thousandths.
    pub alert_threshold: u32,
    /// Scores are combined as 1 - product of (1 - weight * score) instead of as a weighted mean.
    pub noisy_or: bool,
    /// The rules, each id once.
    pub rules: Vec<Rule>,
}

/// One rule of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The id.
    pub id: String,
    /// Weight, thousandths.
    pub weight: u32,
    /// The transactions that it looks at.
    pub segment: Segment,
    /// What it looks for.
    pub detector: Detector,
}

/// A rule as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenRule {
    /// Whether it triggers.
    pub when: String,
    /// Its score, limited to 1.
    pub score: String,
    /// What people are told, with expressions in braces; empty for what triggered it.
    pub reason: String,
    /// What `when` and `score` read, as it is written, with double quotes.
    pub names: Vec<String>,
    /// What `reason` reads.
    pub reason_names: Vec<String>,
}

/// A part of the transactions; empty lists and `None` restrict nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Payment methods.
    pub payment_methods: Vec<String>,
    /// Stores.
    pub stores: Vec<String>,
    /// Currencies.
    pub currencies: Vec<String>,
    /// The least amount in cents.
    pub amount_from: Option<i64>,
    /// The amount in cents from which on they do not belong to it.
    pub amount_below: Option<i64>,
}

/// What a rule looks for. Decimals are given in thousandths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detector {
    /// An amount above a multiple of the mean.
    HighValue {
        /// Earlier transactions needed.
        minimum_history: u32,
        /// How many times the mean is too much.
        multiple: u32,
    },
    /// Many transactions.
    Velocity {
        /// Transactions that are still normal.
        limit: u32,
        /// Length of the window, seconds.
        window_seconds: u32,
    },
    /// A place too far away.
    ImpossibleTravel {
        /// Distance that is still possible, metres.
        distance: u32,
        /// Largest time between the two transactions, seconds.
        within_seconds: u32,
        /// Distance that scores 1, metres.
        full_score: u32,
    },
    /// An unusual minute of the day.
    UnusualHour {
        /// Earlier transactions needed.
        minimum_history: u32,
        /// Standard deviations that are still normal.
        deviations: u32,
    },
    /// A listed customer or store.
    Blacklist,
    /// What is written.
    Written(WrittenRule),
    /// Small amounts, then a large one.
    CardTesting {
        /// Amount below which a transaction is small, thousandths of the currency's unit.
        small_amount: u32,
        /// Small transactions needed.
        minimum_count: u32,
        /// Length of the window, seconds.
        window_seconds: u32,
        /// How many times the mean of the small ones is too much.
        multiple: u32,
    },
}

impl Detector {
    /// The window over single earlier transactions, if it has one.
    pub fn window_mut(&mut self) -> Option<&mut u32> {
        match self {
            Self::Velocity { window_seconds, .. } | Self::CardTesting { window_seconds, .. } => {
                Some(window_seconds)
            }
            _ => None,
        }
    }
}

impl Default for RuleSet {
    fn default() -> Self {
        Rules::default().into()
    }
}

impl From<Rules> for RuleSet {
    fn from(rules: Rules) -> Self {
        let high_value = Detector::HighValue {
            minimum_history: rules.high_value_minimum_history,
            multiple: rules.high_value_multiple,
        };
        let velocity =
            Detector::Velocity { limit: rules.velocity_limit, window_seconds: rules.velocity_window_seconds };
        let travel = Detector::ImpossibleTravel {
            distance: rules.travel_distance,
            within_seconds: rules.travel_within_seconds,
            full_score: rules.travel_full_score,
        };
        let hour = Detector::UnusualHour {
            minimum_history: rules.hour_minimum_history,
            deviations: rules.hour_deviations,
        };
        let card_testing = Detector::CardTesting {
            small_amount: rules.card_testing_small_amount,
            minimum_count: rules.card_testing_minimum_count,
            window_seconds: rules.card_testing_window_seconds,
            multiple: rules.card_testing_multiple,
        };
        let mut all = vec![
            ("FR-001", rules.high_value_weight, high_value),
            ("FR-002", rules.velocity_weight, velocity),
            ("FR-003", rules.travel_weight, travel),
            ("FR-004", rules.hour_weight, hour),
            ("FR-005", rules.blacklist_weight, Detector::Blacklist),
        ];
        if rules.card_testing_enabled {
            all.push(("FR-006", rules.card_testing_weight, card_testing));
        }
        let rule = |(id, weight, detector): (&str, u32, Detector)| Rule {
            id: id.to_owned(),
            weight,
            segment: Segment::default(),
            detector,
        };
        Self {
            alert_threshold: rules.alert_threshold,
            noisy_or: false,
            rules: all.into_iter().map(rule).collect(),
        }
    }
}

/// One rule of each detector. Decimals are given in thousandths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Combined score from which a transaction is alerted, thousandths.
    pub alert_threshold: u32,
    /// FR-001: weight, thousandths.
    pub high_value_weight: u32,
    /// FR-001: earlier transactions needed.
    pub high_value_minimum_history: u32,
    /// FR-001: how many times the mean is too much, thousandths.
    pub high_value_multiple: u32,
    /// FR-002: weight, thousandths.
    pub velocity_weight: u32,
    /// FR-002: transactions that are still normal.
    pub velocity_limit: u32,
    /// FR-002: length of the window, seconds.
    pub velocity_window_seconds: u32,
    /// FR-003: weight, thousandths.
    pub travel_weight: u32,
    /// FR-003: distance that is still possible, metres.
    pub travel_distance: u32,
    /// FR-003: largest time between the two transactions, seconds.
    pub travel_within_seconds: u32,
    /// FR-003: distance that scores 1, metres.
    pub travel_full_score: u32,
    /// FR-004: weight, thousandths.
    pub hour_weight: u32,
    /// FR-004: earlier transactions needed.
    pub hour_minimum_history: u32,
    /// FR-004: standard deviations that are still normal, thousandths.
    pub hour_deviations: u32,
    /// FR-005: weight, thousandths.
    pub blacklist_weight: u32,
    /// FR-006: whether it is on.
    pub card_testing_enabled: bool,
    /// FR-006: weight, thousandths.
    pub card_testing_weight: u32,
    /// FR-006: amount below which a transaction is small, thousandths of the currency's unit.
    pub card_testing_small_amount: u32,
    /// FR-006: small transactions needed.
    pub card_testing_minimum_count: u32,
    /// FR-006: length of the window, seconds.
    pub card_testing_window_seconds: u32,
    /// FR-006: how many times the mean of the small ones is too much, thousandths.
    pub card_testing_multiple: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            alert_threshold: 700,
            high_value_weight: 300,
            high_value_minimum_history: 5,
            high_value_multiple: 3000,
            velocity_weight: 250,
            velocity_limit: 5,
            velocity_window_seconds: 600,
            travel_weight: 200,
            travel_distance: 500_000,
            travel_within_seconds: 3600,
            travel_full_score: 1_000_000,
            hour_weight: 150,
            hour_minimum_history: 5,
            hour_deviations: 2000,
            blacklist_weight: 100,
            card_testing_enabled: false,
            card_testing_weight: 250,
            card_testing_small_amount: 5000,
            card_testing_minimum_count: 3,
            card_testing_window_seconds: 1800,
            card_testing_multiple: 10_000,
        }
    }
}
