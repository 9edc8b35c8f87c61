//! The views over facts and the profiles of customers: each column of each row, but for when it changed.

use crate::comparison::{self, Comparison};
use crate::error::VerificationError;
use crate::snapshot::{Snapshot, rfc3339};
use crate::views::conditions;
use serde_json::Value as Json;
use streamflow_dataflow::views::{View, Visit};
use streamflow_medallion::tables::view::{Aggregate, Column, Table, Value};
use streamflow_medallion::tables::{Tables, customer_profile, tables};
use streamflow_model::timestamp::{DAY, MINUTE, Rfc3339};
use streamflow_oracle::Expected;

/// Compares each registered view with what the oracle expects, and the profiles.
pub(super) fn compare(
    snapshot: &mut Snapshot<'_>,
    watermark: Option<i64>,
    expected: &Expected,
) -> Result<Vec<Comparison>, VerificationError> {
    let mut views = Views { snapshot, watermark, expected, comparisons: Vec::new() };
    views.compare("customer_profile", &customer_profile::TABLE)?;
    tables().visit(&mut views)?;
    Ok(views.comparisons)
}

struct Views<'a, 'b> {
    snapshot: &'a mut Snapshot<'b>,
    watermark: Option<i64>,
    expected: &'a Expected,
    comparisons: Vec<Comparison>,
}

impl Visit<Tables> for Views<'_, '_> {
    type Error = VerificationError;

    fn visit<V: View>(
        &mut self,
        aggregate: &&'static Aggregate<V::Key, V::Sum>,
    ) -> Result<(), VerificationError> {
        self.compare(V::NAME, &aggregate.table)
    }
}

impl Views<'_, '_> {
    fn compare<K, S>(&mut self, view: &'static str, table: &Table<K, S>) -> Result<(), VerificationError> {
        let key: Vec<Shown> = table.key.iter().filter_map(shown).collect();
        let values: Vec<Shown> = table.values.iter().filter_map(shown).collect();
        let columns = key.iter().chain(&values).map(|shown| format!("coalesce({}, 'null')", shown.text));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let joins: String = table.key.iter().filter_map(join).collect();
        let sql = format!("SELECT {columns} FROM {}{joins} WHERE {}", table.shown, conditions(table.key));
        let stored: Vec<_> = self.snapshot.rows(&sql, &[], |row| {
            let mut texts =
                (0..row.len()).map(|column| row.try_get(column)).collect::<Result<Vec<String>, _>>()?;
            let values = texts.split_off(key.len());
            Ok((texts, values))
        })?;
        let rows = self.expected.rows(view).ok_or(VerificationError::MissingView(view))?;
        let texts = |row: &Json, columns: &[Shown]| -> Vec<String> {
            columns.iter().map(|shown| text(&row[shown.name])).collect()
        };
        let first_window = self.first_window().filter(|_| table.window.is_some());
        let expected = rows.iter().map(|row| (texts(row, &key), texts(row, &values)));
        let expected = expected.filter(|(key, _)| key.first() >= first_window.as_ref());
        // The rows of stores share the table of the rows over all stores.
        let rows_of = if table.shown.ends_with(view) { "" } else { " (stores)" };
        let name = format!("{}{rows_of}, from bronze", table.shown);
        self.comparisons.push(comparison::equal(name, stored, expected));
        Ok(())
    }

    /// The start of the first minute that is kept, 24 hours behind the watermark; `None` while all are.
    fn first_window(&self) -> Option<String> {
        let watermark = self.watermark?;
        Some(Rfc3339(watermark - watermark.rem_euclid(MINUTE) - DAY).to_string())
    }
}

/// A column as it is compared.
struct Shown {
    /// Its name in the oracle's rows.
    name: &'static str,
    /// Its text, SQL.
    text: String,
}

/// `None` for a column that events do not determine.
fn shown<T>(column: &Column<T>) -> Option<Shown> {
    let name = column.name;
    let (name, text) = match column.value {
        Value::Nothing | Value::ChangedAt | Value::ChangedFrontier => return None,
        Value::Customer(_) => ("customer_id", "dim_customer.customer_id".to_owned()),
        Value::Store(_) => ("store_id", "dim_store.store_id".to_owned()),
        Value::Instant(_) | Value::OptionalInstant(_) => (name, rfc3339(name)),
        _ => (name, format!("{name}::text")),
    };
    Some(Shown { name, text })
}

fn join<T>(column: &Column<T>) -> Option<&'static str> {
    match column.value {
        Value::Customer(_) => Some(" LEFT JOIN gold.dim_customer USING (customer_key)"),
        Value::Store(_) => Some(" LEFT JOIN gold.dim_store USING (store_key)"),
        _ => None,
    }
}

/// The text that PostgreSQL has for a value.
fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
