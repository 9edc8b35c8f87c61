//! Verdicts on corrected versions of final transactions, in the context of what precedes them.

use super::Case;
use super::removed::{Removed, removed};
use crate::encoding::Instant;
use postgres::Transaction as Snapshot;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::ToSql;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::amendments::{FinalPlace, Precedents};
use streamflow_dataflow::controls::ControlChange;
use streamflow_dataflow::detectors::EarlierTransaction;
use streamflow_dataflow::history::Judge;
use streamflow_dataflow::score::Verdict;
use streamflow_dataflow::settings::Settings;
use streamflow_model::{Calendar, Place};

const EARLIER: &str = "SELECT t.transaction_at, t.amount_cents, t.latitude, t.longitude, t.transaction_id, t.currency = $5 \
     FROM silver.transactions AS t JOIN gold.dim_customer AS c USING (customer_key) \
     WHERE c.customer_id = $1 AND NOT t.voided AND t.transaction_id IS DISTINCT FROM $4 \
     AND (t.transaction_at < $2 OR t.transaction_at = $2 AND t.transaction_id < $3) \
     ORDER BY t.transaction_at, t.transaction_id";

/// The verdict on the version of each case; empty for a voided one and one that is not final.
pub(super) fn verdicts(
    snapshot: &mut Snapshot<'_>,
    cases: &[Case],
    settings: &Settings,
    controls: &[ControlChange],
    look_back: i64,
) -> Result<Vec<Verdict>, PostgresError> {
    let judged = |case: &&Case| case.is_final() && !case.pending.event.transaction.voided;
    if !cases.iter().any(|case| judged(&case)) {
        return Ok(vec![Verdict::default(); cases.len()]);
    }
    let calendar = || Calendar::new(settings.time_zone);
    let judge = Judge::new(settings.rules.clone(), controls.iter().cloned(), calendar());
    let verdict = |case| {
        if !judged(&case) {
            return Ok(Verdict::default());
        }
        let precedents = precedents(snapshot, case, &calendar(), look_back)?;
        Ok(judge.verdict(&case.pending.event.transaction, &precedents))
    };
    cases.iter().map(verdict).collect()
}

/// Reads what precedes a version, row by row, and the sums of what was removed: all of it counts in the sums. What was
/// removed precedes every version that can be amended.
fn precedents(
    snapshot: &mut Snapshot<'_>,
    case: &Case,
    calendar: &Calendar,
    look_back: i64,
) -> Result<Precedents, PostgresError> {
    let new = &case.pending.event.transaction;
    let (customer, id, event_time) = (new.customer.as_str(), new.id.as_str(), Instant(new.event_time));
    let replaced = case.replaced();
    let currency = new.currency.as_str();
    let parameters: [&(dyn ToSql + Sync); 5] = [&customer, &event_time, &id, &replaced, &currency];
    let mut precedents = Precedents::default();
    for Removed { in_currency, sums } in removed(snapshot, customer, currency)? {
        precedents.add_sums(&sums, in_currency);
    }
    let mut rows = snapshot.query_raw(EARLIER, parameters)?;
    let kept_from = new.event_time.saturating_sub(look_back);
    while let Some(row) = rows.next()? {
        let (event_time, cents) = (row.try_get::<_, Instant>(0)?.0, row.try_get(1)?);
        let earlier = EarlierTransaction { event_time, cents };
        precedents.add(earlier, calendar.minute_of_day(event_time), row.try_get(5)?, kept_from);
        if let (Some(latitude), Some(longitude)) = (row.try_get(2)?, row.try_get(3)?) {
            let id = row.try_get::<_, &str>(4)?.into();
            precedents.last_place = Some(FinalPlace { event_time, place: Place { latitude, longitude }, id });
        }
    }
    Ok(precedents)
}
