//! The rules of an alert as text.

use streamflow_dataflow::alerts::Alert;
use streamflow_dataflow::detectors::Rule;

/// The ids of the rules that the alert has, for `string_to_array(_, ',')`.
pub(super) fn rule_ids(alert: &Alert) -> String {
    alert.rules().map(Rule::id).collect::<Vec<_>>().join(",")
}
