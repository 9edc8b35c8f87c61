//! The parameters of the detectors, with the defaults of the specification.

/// All parameters of scoring. Decimals are given in thousandths.
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
