//! The rules of an alert as text.

use streamflow_dataflow::alerts::Alert;

/// The ids of the rules that the alert has, for `string_to_array(_, ',')`.
pub(super) fn rule_ids(alert: &Alert) -> String {
    let ids: Vec<String> = alert.rules().map(|rule| rule.to_string()).collect();
    ids.join(",")
}
