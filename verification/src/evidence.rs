//! Compares the evidence of alerts.

use serde_json::Value;
use streamflow_oracle::AlertRow;

/// Whether an alert is as expected: everything is equal, but for measured numbers in the evidence, which the
/// oracle does not round: they may differ by a unit of their last digit.
pub fn alike(stored: &AlertRow, expected: &AlertRow) -> bool {
    let bare = |row: &AlertRow| AlertRow { details: Value::Null, ..row.clone() };
    bare(stored) == bare(expected) && agree("", &stored.details, &expected.details)
}

fn agree(name: &str, stored: &Value, expected: &Value) -> bool {
    let slack = match name {
        "km" | "z" => 0.001_001,
        "minutes" | "mean" | "std" => 0.010_01,
        _ => 0.0,
    };
    match (stored, expected) {
        (Value::Object(stored), Value::Object(expected)) => {
            stored.len() == expected.len()
                && stored
                    .iter()
                    .all(|(name, value)| expected.get(name).is_some_and(|other| agree(name, value, other)))
        }
        (Value::Number(stored), Value::Number(expected)) => {
            let numbers = stored.as_f64().zip(expected.as_f64());
            numbers.is_some_and(|(stored, expected)| (stored - expected).abs() <= slack)
        }
        _ => stored == expected,
    }
}
