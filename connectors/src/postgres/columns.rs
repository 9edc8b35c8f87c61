//! Rows as columns: array parameters for `INSERT ... SELECT FROM unnest(...)` and the like.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};

use super::fields::Fields;

/// 2000-01-01, where PostgreSQL's dates begin, in days since 1970.
const EPOCH_DAYS: i32 = 10_957;

/// The values of one column: a parameter for `unnest`.
#[derive(Debug)]
pub struct Column {
    element: Type,
    values: i32,
    nulls: bool,
    buffer: BytesMut,
}

impl Column {
    fn new(element: Type) -> Self {
        Self { element, values: 0, nulls: false, buffer: BytesMut::new() }
    }

    fn push(&mut self, value: &[u8]) {
        self.values += 1;
        // Texts are far below 2 GiB: ids, reference data and alert details within one Kafka record.
        self.buffer.put_i32(value.len() as i32);
        self.buffer.put_slice(value);
    }

    fn push_null(&mut self) {
        self.values += 1;
        self.nulls = true;
        self.buffer.put_i32(-1);
    }

    /// `date[]` from days since 1970.
    #[must_use]
    pub fn of_days(days: &[i32]) -> Self {
        let mut column = Self::new(Type::DATE);
        for day in days {
            column.push(&day.saturating_sub(EPOCH_DAYS).to_be_bytes());
        }
        column
    }
}

impl ToSql for Column {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if *ty.kind() != Kind::Array(self.element.clone()) {
            return Err(format!("a column of {} given for {ty}", self.element).into());
        }
        out.put_i32(1);
        out.put_i32(i32::from(self.nulls));
        out.put_u32(self.element.oid());
        out.put_i32(self.values);
        out.put_i32(1);
        out.put_slice(&self.buffer);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(ty.kind(), Kind::Array(_))
    }

    to_sql_checked!();
}

/// Rows as columns, for `INSERT ... SELECT FROM unnest(...)` and the like.
#[derive(Debug)]
pub struct Columns {
    columns: Vec<Column>,
    next: usize,
}

impl Columns {
    /// No rows of columns of these types.
    #[must_use]
    pub fn new(types: &[Type]) -> Self {
        Self { columns: types.iter().cloned().map(Column::new).collect(), next: 0 }
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.first().is_none_or(|column| column.values == 0)
    }

    /// Each column as a parameter, in order.
    #[must_use]
    pub fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect()
    }

    fn cell(&mut self) -> Option<&mut Column> {
        let position = self.next;
        self.next += 1;
        // Too many pushes would leave columns of unequal length or type, which the server refuses.
        let last = self.columns.len().checked_sub(1)?;
        self.columns.get_mut(position.min(last))
    }
}

impl Fields for Columns {
    fn begin(&mut self) {
        self.next = 0;
    }

    fn null(&mut self) {
        if let Some(column) = self.cell() {
            column.push_null();
        }
    }

    fn value(&mut self, binary: &[u8]) {
        if let Some(column) = self.cell() {
            column.push(binary);
        }
    }
}
