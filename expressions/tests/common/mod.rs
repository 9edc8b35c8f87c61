//! The variables of the tests.

use std::time::Duration;
use streamflow_expressions::{Function, Kind, Variable, Variables};

/// Variables of each kind, and a function without and one with a dot in its name.
pub fn variables() -> Variables {
    let variable = |name, kind| Variable { name, kind, about: "" };
    let function =
        |name| Function { name, kind: Kind::Number, longest: Duration::from_secs(3600), about: "" };
    Variables::new(
        vec![
            variable("amount", Kind::Number),
            variable("customer.count", Kind::Number),
            variable("customer.mean_amount", Kind::Number),
            variable("customer.is_new", Kind::Bool),
            variable("listed", Kind::Bool),
            variable("currency", Kind::Text),
            variable("store.name", Kind::Text),
        ],
        vec![function("count_within"), function("customer.sum_within")],
    )
    .unwrap()
}
