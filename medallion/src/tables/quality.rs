//! `silver.quality_counts`, from which the view `silver.quality_check_results` derives.

use super::view::{Column, Table, Value};
use streamflow_dataflow::views::quality::{Measure, QualityKey};
use streamflow_model::Reason;

/// The table.
pub(crate) static TABLE: Table<QualityKey, i64> = Table::new(
    "silver.quality_counts",
    "silver.quality_check_results",
    &[
        Column { name: "window_start", value: Value::Instant(|key| key.window_start) },
        Column { name: "measure", value: Value::Text(|key| name(key.measure)) },
    ],
    &[
        Column { name: "events", value: Value::Count(|events| *events) },
        Column { name: "changed_at", value: Value::ChangedAt },
    ],
);

/// The measure of a name in `silver.quality_counts.measure`.
pub(crate) fn measure(text: &str) -> Option<Measure> {
    let mut measures = MEASURES.into_iter().chain(Reason::ALL.map(Measure::DeadLetter));
    measures.find(|measure| name(*measure) == text)
}

/// All measures but dead letters.
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
        Measure::DeadLetter(Reason::UnsupportedFormat) => "dead_letter_unsupported_format",
    }
}
