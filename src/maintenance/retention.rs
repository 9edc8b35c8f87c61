//! The instants from which rows are kept.

use crate::config::{Config, MaintenanceSettings};
use chrono::{DateTime, TimeDelta, Utc};
use streamflow_medallion::Progress;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// For events as received, by time of ingestion. Only whole UTC days are removed.
    pub raw_transactions: DateTime<Utc>,
    /// For alert changes, by `detected_at`.
    pub alert_history: DateTime<Utc>,
    /// For counts of the quality checks, by the start of their window.
    pub quality_results: DateTime<Utc>,
    /// For dead letters, by time of ingestion; `None` where all are kept.
    pub dead_letters: Option<DateTime<Utc>>,
    /// For transactions, by event time; `None` where all are kept. Only whole local days are removed.
    pub transactions: Option<DateTime<Utc>>,
}

impl Retention {
    /// Counts back from the watermark, or from `now` if that is behind it; `None` without a watermark.
    pub fn of(config: &Config, progress: &Progress, now: DateTime<Utc>) -> Option<Self> {
        let watermark = DateTime::from_timestamp_micros(progress.watermark?)?;
        let latest = watermark.min(now);
        // What is behind the horizon is final. A day more, for clocks that differ and buckets that are still
        // open.
        let least = TimeDelta::seconds(i64::from(config.correction_horizon_seconds)) + TimeDelta::days(1);
        let before = |days: u32| latest.checked_sub_signed(TimeDelta::days(i64::from(days)).max(least));
        let MaintenanceSettings {
            raw_transactions_days,
            alert_history_days,
            quality_results_days,
            dead_letters_days,
            transactions_days,
        } = config.maintenance;
        Some(Self {
            raw_transactions: before(raw_transactions_days)?,
            alert_history: before(alert_history_days)?,
            quality_results: before(quality_results_days)?,
            dead_letters: dead_letters_days.and_then(before),
            transactions: transactions_days.and_then(before),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn of(watermark: Option<&str>, now: &str, horizon: u32) -> Option<Retention> {
        let config = Config { correction_horizon_seconds: horizon, ..Config::default() };
        let watermark = watermark.map(|watermark| at(watermark).timestamp_micros());
        Retention::of(&config, &Progress { watermark, ..Progress::default() }, at(now))
    }

    #[test]
    fn ages_are_counted_back_from_the_watermark_or_an_earlier_clock() {
        let expected = Retention {
            raw_transactions: at("2026-03-02T12:00:00Z"),
            alert_history: at("2026-01-01T12:00:00Z"),
            quality_results: at("2026-03-25T12:00:00Z"),
            dead_letters: None,
            transactions: None,
        };
        let (early, late) = ("2026-04-01T12:00:00Z", "2026-06-01T00:00:00Z");
        assert_eq!(of(Some(early), late, 3600), Some(expected), "a pipeline that stands still loses nothing");
        assert_eq!(of(Some(late), early, 3600), Some(expected));
        assert_eq!(of(None, late, 3600), None);
    }

    #[test]
    fn what_can_still_change_is_kept() {
        let retention = of(Some("2026-04-01T12:00:00Z"), "2026-04-01T12:00:00Z", 7 * 86_400).unwrap();
        assert_eq!(
            retention.quality_results,
            at("2026-03-24T12:00:00Z"),
            "seven days of horizon and one more"
        );
        assert_eq!(retention.raw_transactions, at("2026-03-02T12:00:00Z"));
    }
}
