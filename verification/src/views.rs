//! Which rows of a table are those of one view.

use streamflow_medallion::tables::view::{Column, Value};

/// The condition, SQL: views that share a table differ in whether they have a store.
pub(crate) fn conditions<K>(key: &[Column<K>]) -> String {
    let mut conditions = "true".to_owned();
    for Column { name, value } in key {
        match value {
            Value::Nothing => conditions += &format!(" AND {name} IS NULL"),
            Value::Store(_) => conditions += &format!(" AND {name} IS NOT NULL"),
            _ => {}
        }
    }
    conditions
}
