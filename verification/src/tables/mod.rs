//! The tables of silver and gold in the oracle's terms.

mod aggregates;
mod alerts;
mod minutes;
mod profiles;
mod quality;
mod transactions;

use crate::progress::State;
use crate::snapshot::Snapshot;
use crate::topics::Topics;
use crate::{Comparison, VerificationError};
use streamflow_oracle::Expected;

/// Compares every table.
pub(crate) fn compare(
    snapshot: &mut Snapshot<'_>,
    topics: &Topics,
    state: &State,
    expected: Expected,
) -> Result<Vec<Comparison>, VerificationError> {
    Ok(vec![
        transactions::compare(snapshot, topics, expected.transactions)?,
        alerts::compare(snapshot, expected.alerts)?,
        profiles::compare(snapshot, expected.profiles)?,
        aggregates::compare_hourly_sales(snapshot, expected.hourly)?,
        aggregates::compare_store_performance(snapshot, expected.store_days)?,
        aggregates::compare_daily_fraud(snapshot, expected.daily_fraud)?,
        aggregates::compare_rule_performance(snapshot, expected.rule_performance)?,
        minutes::compare_overall(snapshot, state, expected.minutes)?,
        minutes::compare_stores(snapshot, state, expected.store_minutes)?,
        quality::compare(snapshot, &expected.quality)?,
    ])
}
