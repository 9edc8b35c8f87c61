//! The rows of all views by key, for whoever holds them in memory.

use super::{PerView, RowOf, Take, View, ViewRow, Views};
use crate::operators::Upsert;
use crate::operators::sums::add;
use std::collections::BTreeMap;

/// The rows of each view.
pub struct Rows;

impl PerView for Rows {
    type Of<V: View> = BTreeMap<V::Key, V::Sum>;
}

impl Views<Rows> {
    /// Puts the row of a key in place of the one before; one without a value removes it.
    pub fn put(&mut self, row: ViewRow) {
        row.take_into(self, &mut Put);
    }

    /// Adds a difference to the row of its key, and returns that row as it is now.
    pub fn add(&mut self, difference: ViewRow) -> Option<ViewRow> {
        let mut sum = AddTo { row: None };
        difference.take_into(self, &mut sum);
        sum.row
    }
}

struct Put;

impl Take<Rows> for Put {
    fn take<V: View>(&mut self, rows: &mut BTreeMap<V::Key, V::Sum>, row: RowOf<V>) {
        put(rows, row);
    }
}

struct AddTo {
    /// The row that was changed.
    row: Option<ViewRow>,
}

impl Take<Rows> for AddTo {
    fn take<V: View>(&mut self, rows: &mut BTreeMap<V::Key, V::Sum>, (key, difference): RowOf<V>) {
        let Some(difference) = difference else { return };
        let mut sum = rows.remove(&key);
        add(&mut sum, &difference);
        put(rows, (key.clone(), sum.clone()));
        self.row = Some(V::row((key, sum)));
    }
}

fn put<K: Ord, V>(rows: &mut BTreeMap<K, V>, (key, value): Upsert<K, V>) {
    match value {
        Some(value) => rows.insert(key, value),
        None => rows.remove(&key),
    };
}
