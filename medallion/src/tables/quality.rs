//! `silver.quality_counts`, from which the view `silver.quality_check_results` derives.

use super::view::{Rows, View};
use crate::changes::Changes;
use crate::encoding::{Columns, Fields, micros};
use crate::output::Output;
use postgres::types::Type;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::views::rows::{Measure, QualityKey};
use streamflow_model::Reason;

const COUNTS: View = View {
    table: "silver.quality_check_results",
    key: &[Type::TIMESTAMPTZ, Type::TEXT],
    values: &[Type::INT8, Type::TIMESTAMPTZ],
    upsert: "INSERT INTO silver.quality_counts (window_start, measure, events, changed_at) \
         SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::int8[], $4::timestamptz[]) \
         ON CONFLICT (window_start, measure) DO UPDATE SET events = excluded.events, \
             changed_at = excluded.changed_at",
    delete: "DELETE FROM silver.quality_counts AS c \
         USING unnest($1::timestamptz[], $2::text[]) AS k (window_start, measure) \
         WHERE c.window_start = k.window_start AND c.measure = k.measure",
};

/// Brings the counts to their latest values.
pub(crate) fn write(output: &mut Output<'_, '_>, changes: &Changes) -> Result<(), PostgresError> {
    COUNTS.write(output, &changes.quality, Counts)
}

struct Counts;

impl Rows<QualityKey, i64> for Counts {
    fn key(&mut self, columns: &mut Columns, key: &QualityKey) {
        columns.begin();
        columns.instant(key.window_start);
        columns.text(name(key.measure));
    }

    fn values(&mut self, columns: &mut Columns, events: &i64, time: u64) {
        columns.int8(*events);
        columns.instant(micros(time));
    }
}

/// What a name in `silver.quality_counts.measure` stands for.
pub(crate) fn measure(text: &str) -> Option<Measure> {
    let mut measures = MEASURES.into_iter().chain(Reason::ALL.map(Measure::DeadLetter));
    measures.find(|measure| name(*measure) == text)
}

/// All that are no dead letters.
const MEASURES: [Measure; 9] = [
    Measure::Read,
    Measure::Accepted,
    Measure::NoPlace,
    Measure::NoProduct,
    Measure::NoPaymentMethod,
    Measure::NewerSchema,
    Measure::InvalidAmount,
    Measure::Late,
    Measure::Duplicate,
];

/// The name in `silver.quality_counts.measure`.
fn name(measure: Measure) -> &'static str {
    match measure {
        Measure::Read => "read",
        Measure::Accepted => "accepted",
        Measure::NoPlace => "no_place",
        Measure::NoProduct => "no_product",
        Measure::NoPaymentMethod => "no_payment_method",
        Measure::NewerSchema => "newer_schema",
        Measure::InvalidAmount => "invalid_amount",
        Measure::Late => "late",
        Measure::Duplicate => "duplicate",
        Measure::DeadLetter(Reason::MalformedJson) => "dead_letter_malformed_json",
        Measure::DeadLetter(Reason::MissingField) => "dead_letter_missing_field",
        Measure::DeadLetter(Reason::InvalidField) => "dead_letter_invalid_field",
        Measure::DeadLetter(Reason::TooLarge) => "dead_letter_too_large",
        Measure::DeadLetter(Reason::FutureTimestamp) => "dead_letter_future_timestamp",
        Measure::DeadLetter(Reason::TooLate) => "dead_letter_too_late",
        Measure::DeadLetter(Reason::ConflictingIdentity) => "dead_letter_conflicting_identity",
    }
}
