//! Compares silver, gold, the books and the progress with what the oracle makes of the events in bronze.

mod alert_changes;
mod alerts;
mod events;
mod progress;
mod quality;
mod recomputation;
mod rules;
mod shadow_alerts;
mod transactions;
mod views;

use crate::comparison::Comparison;
use crate::error::VerificationError;
use crate::snapshot::Snapshot;
use streamflow_dataflow::rules::RuleSet;
use streamflow_medallion::{Progress, Topics};

/// Compares all tables. `rules` are those in force before the first version in `gold.rule_versions`.
pub(crate) fn compare(
    snapshot: &mut Snapshot<'_>,
    rules: &RuleSet,
) -> Result<Vec<Comparison>, VerificationError> {
    // In the order of their keys, which is that of the configuration they were first seen with.
    let sql = "SELECT topic FROM streamflow.topics ORDER BY topic_key";
    let topics: Vec<String> = snapshot.rows(sql, &[], |row| Ok(row.try_get(0)?))?;
    let topics = Topics::new(topics);
    let progress = Progress::read(snapshot.transaction())?;
    progress::require_all_events(snapshot, &progress)?;
    let received = events::read(snapshot, &topics)?;
    let expected = recomputation::recompute(snapshot, &topics, &received, &progress, rules)?;
    let mut comparisons = vec![
        events::compare_received(&received, &expected),
        events::compare_dead_letters(snapshot, &topics)?,
        progress::compare_books(snapshot, &topics, &progress, &expected)?,
        progress::compare_progress(snapshot, &progress)?,
    ];
    comparisons.extend(alert_changes::compare(snapshot)?);
    comparisons.extend(views::compare(snapshot, progress.watermark, &expected)?);
    comparisons.extend([
        quality::compare(snapshot, &expected.quality)?,
        transactions::compare(snapshot, &topics, expected.transactions)?,
        alerts::compare(snapshot, expected.alerts)?,
        shadow_alerts::compare(snapshot, expected.shadow_alerts)?,
    ]);
    Ok(comparisons)
}
