//! What to generate: one struct, every key with its unit and default.

use std::fmt::Display;

use serde::Deserialize;
use thiserror::Error;

use crate::label::Pattern;

/// 2020-01-01T00:00:00Z: Brazil's offset is -03:00 all year from here on.
const EARLIEST_START: i64 = 1_577_836_800_000_000;
/// 2100-01-01T00:00:00Z.
const LATEST_START: i64 = 4_102_444_800_000_000;

/// What to generate. Rates are fractions of transactions unless they say otherwise, from 0 to 1; a transaction
/// meets at most one of the disturbances, so their rates add up to at most 1.
///
/// Ordinary traffic stays clear of a velocity rule only while it is thin: a customer paying more than
/// about five times in ten minutes is a burst. At `transactions_per_second` = 1000 that takes a
/// population of about a million; the default 10,000 customers suit about 10 a second. More is fine
/// for load, but then most transactions look like bursts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneratorSettings {
    /// Seed of everything. Default 42.
    pub seed: u64,
    /// Number of customers, 1 to 10,000,000. Default 10,000.
    pub customers: u32,
    /// Number of stores, 1 to 100,000. Default 200.
    pub stores: u32,
    /// Number of products, 1 to 10,000. Default 500.
    pub products: u32,
    /// Ordinary transactions per second of event time, 0.001 to 10,000,000; injected fraud, duplicates
    /// and corrections come on top. Default 1000.
    pub transactions_per_second: f64,
    /// Event time of the first transaction, microseconds since 1970, in the years 2020 to 2099.
    /// Default 2026-02-01T00:00:00-03:00.
    pub start: i64,
    /// Fraction emitted later than its event time, by at most `late_by_max`. Default 0.01.
    pub late_rate: f64,
    /// Largest delay of a late event, seconds, 1 to 3600. Default 1800.
    pub late_by_max: u32,
    /// Fraction emitted one to two hours after its event time. Default 0.0001.
    pub too_late_rate: f64,
    /// Fraction emitted a second time, the same bytes, within a minute. Default 0.005.
    pub duplicate_rate: f64,
    /// Fraction corrected (next revision, another amount) within ten minutes. Default 0.002.
    pub corrected_rate: f64,
    /// Fraction voided (next revision, `voided`) within ten minutes. Default 0.001.
    pub voided_rate: f64,
    /// Fraction of the transactions without a disturbance that are voided or corrected at any age, up to
    /// `refunded_within`. Default 0.
    pub refunded_rate: f64,
    /// Largest age at which a transaction is refunded, seconds, 120 to 31,536,000. Default 30 days.
    pub refunded_within: u32,
    /// Fraction that cannot be accepted as it is: broken, incomplete, out of range. Default 0.001.
    pub malformed_rate: f64,
    /// Fraud episodes per ordinary transaction; an episode is 1 to 12 transactions. An episode that
    /// finds no fitting customer is left out. Default 0.0005.
    pub fraud_episode_rate: f64,
    /// Fraction of customers who pay about every second purchase in a currency other than BRL, always the
    /// same one. Default 0.
    pub foreign_customer_rate: f64,
    /// The kinds of fraud that episodes are drawn from, at least one. Default: all but `card_testing`.
    pub patterns: Vec<Pattern>,
}

impl Default for GeneratorSettings {
    fn default() -> Self {
        Self {
            seed: 42,
            customers: 10_000,
            stores: 200,
            products: 500,
            transactions_per_second: 1000.0,
            start: 1_769_914_800_000_000,
            late_rate: 0.01,
            late_by_max: 1800,
            too_late_rate: 0.0001,
            duplicate_rate: 0.005,
            corrected_rate: 0.002,
            voided_rate: 0.001,
            refunded_rate: 0.0,
            refunded_within: 2_592_000,
            malformed_rate: 0.001,
            fraud_episode_rate: 0.0005,
            foreign_customer_rate: 0.0,
            patterns: Pattern::USUAL.into(),
        }
    }
}

/// A setting out of its range; whoever wrote the configuration can fix it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("generator setting {key} is {value}; allowed: {allowed}")]
pub struct SettingsError {
    /// The setting's name.
    pub key: &'static str,
    /// The value it has.
    pub value: String,
    /// What is allowed.
    pub allowed: &'static str,
}

impl GeneratorSettings {
    /// Checks every setting against its range.
    ///
    /// # Errors
    /// The first setting that is out of range, and what is allowed.
    pub fn validate(&self) -> Result<(), SettingsError> {
        check("customers", self.customers, (1..=10_000_000).contains(&self.customers), "1 to 10000000")?;
        check("stores", self.stores, (1..=100_000).contains(&self.stores), "1 to 100000")?;
        check("products", self.products, (1..=10_000).contains(&self.products), "1 to 10000")?;
        let rate = self.transactions_per_second;
        check("transactions_per_second", rate, (0.001..=1e7).contains(&rate), "0.001 to 10000000")?;
        let start_allowed = "microseconds since 1970, in the years 2020 to 2099";
        check("start", self.start, (EARLIEST_START..LATEST_START).contains(&self.start), start_allowed)?;
        check("late_by_max", self.late_by_max, (1..=3600).contains(&self.late_by_max), "1 to 3600 seconds")?;
        let within = self.refunded_within;
        let ages = "120 to 31536000 seconds";
        check("refunded_within", within, (120..=31_536_000).contains(&within), ages)?;
        let count = self.patterns.len();
        check("patterns", format!("a list of {count}"), count > 0, "a list of at least one")?;
        self.validate_rates()
    }

    fn validate_rates(&self) -> Result<(), SettingsError> {
        let disturbances = [
            ("late_rate", self.late_rate),
            ("too_late_rate", self.too_late_rate),
            ("duplicate_rate", self.duplicate_rate),
            ("corrected_rate", self.corrected_rate),
            ("voided_rate", self.voided_rate),
            ("malformed_rate", self.malformed_rate),
        ];
        let others = [
            ("fraud_episode_rate", self.fraud_episode_rate),
            ("foreign_customer_rate", self.foreign_customer_rate),
            ("refunded_rate", self.refunded_rate),
        ];
        for (key, rate) in disturbances.into_iter().chain(others) {
            check(key, rate, (0.0..=1.0).contains(&rate), "a fraction from 0 to 1")?;
        }
        let sum: f64 = disturbances.iter().map(|(_, rate)| rate).sum();
        let key =
            "late_rate + too_late_rate + duplicate_rate + corrected_rate + voided_rate + malformed_rate";
        // Decimal fractions that add up to 1 may exceed it by a rounding error.
        check(key, sum, sum <= 1.0 + 1e-9, "a sum of at most 1")
    }
}

fn check(
    key: &'static str,
    value: impl Display,
    allowed_value: bool,
    allowed: &'static str,
) -> Result<(), SettingsError> {
    if allowed_value {
        return Ok(());
    }
    Err(SettingsError { key, value: value.to_string(), allowed })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        GeneratorSettings::default().validate().unwrap();
    }

    #[test]
    fn message_names_key_value_and_range() {
        let settings = GeneratorSettings { late_rate: 1.5, ..GeneratorSettings::default() };
        let message = settings.validate().unwrap_err().to_string();
        assert_eq!(message, "generator setting late_rate is 1.5; allowed: a fraction from 0 to 1");
    }

    #[test]
    fn not_a_number_and_excessive_sums_are_refused() {
        let nan = GeneratorSettings { transactions_per_second: f64::NAN, ..GeneratorSettings::default() };
        assert_eq!(nan.validate().unwrap_err().key, "transactions_per_second");
        let harmless = GeneratorSettings { patterns: Vec::new(), ..GeneratorSettings::default() };
        assert!(harmless.validate().unwrap_err().to_string().contains("patterns"));
        let crowded =
            GeneratorSettings { late_rate: 0.6, duplicate_rate: 0.6, ..GeneratorSettings::default() };
        assert_eq!(crowded.validate().unwrap_err().allowed, "a sum of at most 1");
    }

    #[test]
    fn unknown_keys_are_errors() {
        let parsed: Result<GeneratorSettings, _> = serde_json::from_str(r#"{"sed": 1}"#);
        assert!(parsed.unwrap_err().to_string().contains("unknown field `sed`"));
        let partial: GeneratorSettings = serde_json::from_str(r#"{"seed": 7}"#).unwrap();
        assert_eq!(partial, GeneratorSettings { seed: 7, ..GeneratorSettings::default() });
    }
}
