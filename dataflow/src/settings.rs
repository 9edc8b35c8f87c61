//! Settings of the graph.

use crate::rules::RuleSet;

/// Everything that results depend on beside the events.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How far behind its partition time an event is still accepted, microseconds.
    pub correction_horizon: i64,
    /// How long ids are remembered after the horizon, microseconds.
    pub identity_retention: i64,
    /// How old a transaction can be that is still corrected or voided, microseconds.
    pub correction_retention: i64,
    /// How far after its record's time an event may be, microseconds.
    pub future_allowance: i64,
    /// The zone of local days and hours.
    pub time_zone: chrono_tz::Tz,
    /// The rules at the start.
    pub rules: RuleSet,
    /// How far before a transaction any rule may look at single earlier ones, microseconds.
    pub longest_window: i64,
    /// Used for lines of files, which have no record time, where an event time is compared with the broker's
    /// clock; microseconds since 1970.
    pub file_now: i64,
    /// Entries of a customer's history that lie in one block. Results do not depend on it.
    pub history_block: usize,
}

impl Settings {
    /// Shorter blocks cost a late event more steps, longer ones more entries that it looks at.
    pub const HISTORY_BLOCK: usize = 128;
}

impl Default for Settings {
    fn default() -> Self {
        use streamflow_model::timestamp::{DAY, HOUR, MINUTE};
        Self {
            correction_horizon: HOUR,
            identity_retention: HOUR,
            correction_retention: 120 * DAY,
            future_allowance: 5 * MINUTE,
            time_zone: chrono_tz::America::Sao_Paulo,
            rules: RuleSet::default(),
            longest_window: HOUR,
            file_now: i64::MAX - HOUR,
            history_block: Self::HISTORY_BLOCK,
        }
    }
}
