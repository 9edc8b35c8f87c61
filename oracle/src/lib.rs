//! The oracle: every view, recomputed from the events alone in the simplest way.
//!
//! It shares no code with the dataflow and has no epochs, workers, folding or closing buckets. Each event is
//! decoded, admitted and identified in the order of (epoch, topic, partition, offset); each current
//! transaction is then scored from all earlier ones of its customer; each view is one loop over the outcome.
//! Scores are compared with thresholds as exact numbers, so that a tie is a tie.
//!
//! ```text
//! events ── decode ── intake ──┬── current transactions ── detectors ── views
//!                              ├── bronze, dead letters, books, quality, progress
//!                              └── dimensions, list versions
//! ```

mod case;
mod decode;
mod detectors;
mod dimensions;
mod event;
mod exact;
mod expected;
mod expressions;
mod instant;
mod intake;
mod rules;
mod tables;
mod views;
mod written_rules;

use std::collections::BTreeSet;

pub use decode::{Decoded, Refusal, decode};
pub use event::{Clock, Coordinates, RawEvent, RulesVersion, TopicRole};
pub use expected::{
    AlertRow, CustomerSalesRow, DailyFraudRow, DeadLetterRow, Entity, Expected, ListEntry, ListVersion,
    ProfileRow, ProgressRow, ReceivedRow, RulePerformanceRow, SalesRow, ShadowAlertRow, TransactionRow,
};
pub use expressions::{Evaluation, Fact, evaluate};
pub use rules::{Detector, Rule, RuleSet, Rules, Segment, WrittenRule};

/// Everything that views depend on beside the events.
#[derive(Clone, Debug)]
pub struct OracleSettings {
    /// What the topic at each index of the configuration holds.
    pub topics: Vec<TopicRole>,
    /// How far behind its partition time an event is still accepted, microseconds.
    pub horizon: i64,
    /// How long ids are remembered beyond the horizon, microseconds.
    pub retention: i64,
    /// How old a transaction can be that is still corrected or voided, microseconds.
    pub correction_retention: i64,
    /// Other limits from an epoch on.
    pub later: Option<LaterLimits>,
    /// How far after its record's time an event may be, microseconds.
    pub future_allowance: i64,
    /// Used for lines of files, which have no record time, where an event time is compared with it;
    /// microseconds since 1970.
    pub file_now: i64,
    /// The zone of local days, hours and minutes.
    pub zone: chrono_tz::Tz,
    /// The rules at the start.
    pub rules: RuleSet,
}

/// Limits that a restart has changed.
#[derive(Clone, Copy, Debug)]
pub struct LaterLimits {
    /// The first epoch for which they hold.
    pub epoch: u64,
    /// Instead of [`OracleSettings::horizon`].
    pub horizon: i64,
    /// Instead of [`OracleSettings::retention`].
    pub retention: i64,
}

impl OracleSettings {
    /// Horizon and retention in an epoch.
    fn limits(&self, epoch: u64) -> (i64, i64) {
        let later = self.later.filter(|later| later.epoch <= epoch);
        later.map_or((self.horizon, self.retention), |later| (later.horizon, later.retention))
    }
}

/// Recomputes every view from the events.
#[derive(Clone, Debug)]
pub struct Oracle {
    settings: OracleSettings,
}

impl Oracle {
    /// Creates an oracle for these settings.
    pub fn new(settings: OracleSettings) -> Self {
        Self { settings }
    }

    /// What every view holds once exactly these events, and these changes of the rules, have been taken in.
    ///
    /// Events and clocks may be given in any order; changes of the rules in the order in which they were made.
    /// Clocks change nothing unless one was past a record that was still to come. Those in `pending` have been
    /// read and are not decided.
    pub fn recompute(
        &self,
        events: &[RawEvent],
        rules: &[RulesVersion],
        clocks: &[Clock],
        pending: &BTreeSet<Coordinates>,
    ) -> Expected {
        let mut ordered: Vec<&RawEvent> = events.iter().collect();
        ordered.sort_by_key(|event| (event.epoch, event.coordinates()));
        let mut clocks: Vec<&Clock> = clocks.iter().collect();
        clocks.sort_by_key(|clock| clock.epoch);
        let mut clocks = clocks.into_iter().peekable();
        let mut intake = intake::Intake::new(&self.settings, pending);
        for event in ordered {
            while let Some(clock) = clocks.next_if(|clock| clock.epoch < event.epoch) {
                intake.follow(clock);
            }
            intake.take(event);
        }
        clocks.for_each(|clock| intake.follow(clock));
        views::expected(&self.settings, intake, rules)
    }
}
