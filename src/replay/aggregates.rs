//! The views over facts as lines of JSON, with the columns of their tables.

use super::line::{self, Line};
use super::views::KeyMap;
use anyhow::Result;
use std::collections::BTreeMap;
use streamflow_dataflow::views::{Rows, View, VisitBoth};
use streamflow_medallion::tables::Tables;
use streamflow_medallion::tables::view::{Aggregate, Column, Value};
use streamflow_model::RuleId;
use streamflow_model::calendar::date_key;

/// Writes a line for each row of each view to `write`, which also gets the table's name with its schema.
pub struct Writer<'a> {
    pub store_keys: &'a mut KeyMap,
    /// By local day, days since 1970-01-01.
    pub top_rules: BTreeMap<i32, RuleId>,
    pub write: &'a mut dyn FnMut(&'static str, &[u8]) -> Result<()>,
}

impl VisitBoth<Tables, Rows> for Writer<'_> {
    type Error = anyhow::Error;

    fn visit<V: View>(
        &mut self,
        aggregate: &&'static Aggregate<V::Key, V::Sum>,
        rows: &BTreeMap<V::Key, V::Sum>,
    ) -> Result<()> {
        let table = &aggregate.table;
        let mut buffer = Vec::new();
        // A file without rows is a result too.
        (self.write)(table.shown, &buffer)?;
        for (key, sum) in rows {
            buffer.clear();
            let mut day = None;
            table.key.iter().for_each(|column| self.column(&mut buffer, column, key, &mut day));
            table.values.iter().for_each(|column| self.column(&mut buffer, column, sum, &mut day));
            buffer.extend_from_slice(b"}\n");
            (self.write)(table.shown, &buffer)?;
        }
        Ok(())
    }
}

impl Writer<'_> {
    /// Writes a column with its name; `day` is the one of the row, once its column was written.
    fn column<T>(&mut self, buffer: &mut Vec<u8>, column: &Column<T>, of: &T, day: &mut Option<i32>) {
        if matches!(column.value, Value::Exact(_) | Value::ChangedAt | Value::ChangedFrontier) {
            return;
        }
        buffer.extend_from_slice(if buffer.is_empty() { b"{\"" } else { b",\"" });
        buffer.extend_from_slice(column.name.as_bytes());
        let mut line = Line(buffer);
        line.literal(b"\":");
        match column.value {
            Value::Store(id) => line.number(self.store_keys.key(id(of))),
            Value::Day(local_day) => {
                *day = Some(local_day(of));
                line.number(date_key(local_day(of)) as u64);
            }
            Value::Instant(instant) => line.quoted(|line| line.literal(&line::instant(instant(of)))),
            Value::Text(text) => line.optional_text(Some(text(of))),
            Value::Count(count) => line.whole_number(count(of)),
            Value::Money(cents) => line.quoted(|line| line.decimal::<2>(cents(of))),
            Value::MeanMoney(parts) => {
                let (cents, count) = parts(of);
                line.ratio::<2>(cents, count);
            }
            Value::Rate(parts) => {
                let (part, whole) = parts(of);
                line.ratio::<4>(i128::from(part) * 10_000, whole);
            }
            Value::MeanScore(parts) => {
                let (thousandths, count) = parts(of);
                line.ratio::<3>(thousandths.into(), count);
            }
            Value::TopRule => {
                let top = day.and_then(|day| self.top_rules.get(&day));
                line.optional_text(top.map(RuleId::as_str));
            }
            // No view over facts has such a column with a value.
            _ => line.literal(b"null"),
        }
    }
}
