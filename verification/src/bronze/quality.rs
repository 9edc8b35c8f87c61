//! `silver.quality_counts`, over all windows: the window of an event depends on when it was read.

use crate::comparison::{self, Comparison};
use crate::error::VerificationError;
use crate::snapshot::{Snapshot, text};
use std::collections::BTreeMap;

/// Measures that depend on payloads alone.
const MEASURES: [&str; 6] =
    ["accepted", "no_place", "no_product", "no_payment_method", "newer_schema", "duplicate"];

/// Compares counts, unless maintenance has removed rows.
pub(super) fn compare(
    snapshot: &mut Snapshot<'_>,
    quality: &BTreeMap<(i64, String), i64>,
) -> Result<Comparison, VerificationError> {
    let complete: bool = snapshot
        .row("SELECT streamflow.kept_from('silver.quality_counts') = '-infinity'", &[])?
        .try_get(0)?;
    let sql = "SELECT measure, sum(events)::int8 FROM silver.quality_counts GROUP BY 1";
    let mut stored: Vec<_> = snapshot.rows(sql, &[], |row| Ok((text(row, 0)?, row.try_get(1)?)))?;
    let mut expected: BTreeMap<String, i64> = BTreeMap::new();
    for ((_, measure), events) in quality {
        *expected.entry(measure.clone()).or_default() += events;
    }
    let compared =
        |measure: &String, events: i64| complete && events != 0 && MEASURES.contains(&measure.as_str());
    stored.retain(|(measure, events)| compared(measure, *events));
    expected.retain(|measure, events| compared(measure, *events));
    Ok(comparison::equal("silver.quality_counts, from bronze", stored, expected))
}
