//! `gold.fraud_alert_history`: one row for each time an alert was raised.

use super::rule_ids::rule_ids;
use crate::changes::At;
use crate::encoding::{Columns, Fields, micros};
use crate::output::Output;
use postgres::types::Type;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::alerts::{AlertChange, ChangeKind};

const TABLE: &str = "gold.fraud_alert_history";

/// Transaction, revised at, withdrawn at, causes, score, rules; of a raised one, alert, sequence and time
/// too.
const CONTINUED: [Type; 6] =
    [Type::TEXT, Type::TIMESTAMPTZ, Type::TIMESTAMPTZ, Type::TEXT, Type::INT2, Type::TEXT];
const RAISED: [Type; 9] = [
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::TEXT,
    Type::INT2,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::TIMESTAMPTZ,
];

/// At most one row of an alert is open: that of its last raise.
const CONTINUE: &str = "UPDATE gold.fraud_alert_history AS h SET \
     revised_at = coalesce(n.revised_at, h.revised_at), withdrawn_at = n.withdrawn_at, \
     causes = h.causes || string_to_array(n.causes, ','), last_score = n.score * 0.001, \
     last_rules = string_to_array(n.rules, ',') \
     FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::int2[], $6::text[]) \
         AS n (transaction_id, revised_at, withdrawn_at, causes, score, rules) \
     WHERE h.transaction_id = n.transaction_id AND h.withdrawn_at IS NULL";

/// A conflict is caused by an id that is used again after the dataflow has forgotten it; the new alert wins.
const RAISE: &str = "INSERT INTO gold.fraud_alert_history (alert_id, raised_sequence, transaction_id, \
     raised_at, revised_at, withdrawn_at, causes, last_score, last_rules) \
     SELECT alert_id, raised_sequence, transaction_id, raised_at, revised_at, withdrawn_at, \
         string_to_array(causes, ','), score * 0.001, string_to_array(rules, ',') \
     FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::int2[], $6::text[], \
         $7::text[], $8::int8[], $9::timestamptz[]) AS n (transaction_id, revised_at, withdrawn_at, causes, \
         score, rules, alert_id, raised_sequence, raised_at) \
     ON CONFLICT (transaction_id, raised_sequence) DO UPDATE SET raised_at = excluded.raised_at, \
         revised_at = excluded.revised_at, withdrawn_at = excluded.withdrawn_at, causes = excluded.causes, \
         last_score = excluded.last_score, last_rules = excluded.last_rules";

/// Writes the changes of alerts, each alert's in their order.
pub(super) fn write<'a>(
    output: &mut Output<'_, '_>,
    alerts: impl Iterator<Item = &'a [&'a At<AlertChange>]>,
) -> Result<(), PostgresError> {
    let mut continued = Columns::new(&CONTINUED);
    let mut raised = Columns::new(&RAISED);
    for changes in alerts {
        let is_raise = |change: &&At<AlertChange>| change.value.kind == ChangeKind::Raised;
        let first_raise = changes.iter().position(is_raise).unwrap_or(changes.len());
        let (before, from_raise) = changes.split_at(first_raise);
        push_episode(&mut continued, before);
        for episode in from_raise.chunk_by(|_, next| !is_raise(next)) {
            push_episode(&mut raised, episode);
            push_raise(&mut raised, episode);
        }
    }
    // A raise follows the end of the row before it.
    output.write(TABLE, CONTINUE, &continued)?;
    output.write(TABLE, RAISE, &raised)
}

/// The row of the changes from one raise to the next; nothing for none.
fn push_episode(row: &mut Columns, changes: &[&At<AlertChange>]) {
    let Some(last) = changes.last() else { return };
    let latest = |kind| {
        let change = changes.iter().rev().find(|change| change.value.kind == kind);
        change.map(|change| micros(change.time))
    };
    let causes: Vec<_> = changes.iter().map(|change| change.value.cause.as_str()).collect();
    row.begin();
    row.text(&last.value.alert.transaction);
    row.nullable(latest(ChangeKind::Revised), Fields::instant);
    row.nullable(latest(ChangeKind::Withdrawn), Fields::instant);
    row.text(&causes.join(","));
    row.int2(last.value.alert.score.thousandths() as i16);
    row.text(&rule_ids(&last.value.alert));
}

fn push_raise(row: &mut Columns, episode: &[&At<AlertChange>]) {
    let Some(raise) = episode.first() else { return };
    row.text(&raise.value.alert.id());
    row.int8(i64::from(raise.value.sequence));
    row.instant(micros(raise.time));
}
