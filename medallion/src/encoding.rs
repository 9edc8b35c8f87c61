//! Values in PostgreSQL's binary format: as fields of COPY rows and as columns for `unnest`.
//!
//! Both take the same pushes through [`Fields`], so that a row is described once however it is written.

use bytes::{BufMut, BytesMut};
use postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};
use std::borrow::Cow;
use std::error::Error;
use streamflow_connectors::postgres::CopyRows;

/// 2000-01-01, where PostgreSQL's timestamps begin, in microseconds since 1970.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// 2000-01-01 in days since 1970.
const EPOCH_DAYS: i32 = 10_957;
/// What PostgreSQL's timestamps can hold: 4714 BC to 294276 AD, in microseconds since 2000.
const INSTANTS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

/// A row under construction: one push for each column, in order.
pub(crate) trait Fields {
    /// Starts the next row.
    fn begin(&mut self);
    /// NULL of any type.
    fn null(&mut self);
    /// `boolean`.
    fn boolean(&mut self, value: bool);
    /// `smallint`.
    fn int2(&mut self, value: i16);
    /// `integer`.
    fn int4(&mut self, value: i32);
    /// `bigint`.
    fn int8(&mut self, value: i64);
    /// `double precision`.
    fn float8(&mut self, value: f64);
    /// `text`; see [`storable`].
    fn text(&mut self, value: &str);
    /// `numeric` with two decimals.
    fn money(&mut self, cents: i128);

    /// `timestamptz` from microseconds since 1970; beyond PostgreSQL's range it is infinite.
    fn instant(&mut self, micros: i64) {
        self.int8(timestamptz(micros));
    }

    /// `jsonb` from its text, which follows the version in its binary form.
    fn jsonb(&mut self, text: &str) {
        self.text(&format!("\u{1}{text}"));
    }

    /// `bigint` of a count.
    fn count(&mut self, value: u64) {
        self.int8(i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// `push`es the value if there is one, else NULL.
    fn nullable<T>(&mut self, value: Option<T>, push: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => push(self, value),
            None => self.null(),
        }
    }

    /// `text` or NULL.
    fn text_or_null<T: AsRef<str>>(&mut self, value: Option<&T>) {
        self.nullable(value, |fields, text| fields.text(text.as_ref()));
    }
}

/// PostgreSQL has no NUL character in texts: a replacement character stands in for it.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    match memchr::memchr(0, text.as_bytes()) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.replace('\0', "\u{fffd}")),
    }
}

/// Microseconds since 2000, the binary form of `timestamptz`; infinite beyond its range.
fn timestamptz(micros: i64) -> i64 {
    let since_2000 = micros.saturating_sub(EPOCH_MICROS);
    if since_2000 < INSTANTS.start {
        i64::MIN
    } else if since_2000 >= INSTANTS.end {
        i64::MAX
    } else {
        since_2000
    }
}

/// Microseconds since 1970 from a `timestamptz` as it is sent; infinite ones are the first and the last number.
pub(crate) fn micros_of(timestamptz: i64) -> i64 {
    match timestamptz {
        i64::MIN | i64::MAX => timestamptz,
        since_2000 => since_2000.saturating_add(EPOCH_MICROS),
    }
}

/// Microseconds since 1970 from ms.
pub(crate) fn micros(ms: u64) -> i64 {
    i64::try_from(ms).map_or(i64::MAX, |ms| ms.saturating_mul(1000))
}

impl Fields for CopyRows {
    fn begin(&mut self) {
        self.begin_row();
    }

    fn null(&mut self) {
        self.push_null();
    }

    fn boolean(&mut self, value: bool) {
        self.push_bool(value);
    }

    fn int2(&mut self, value: i16) {
        self.push_i16(value);
    }

    fn int4(&mut self, value: i32) {
        self.push_i32(value);
    }

    fn int8(&mut self, value: i64) {
        self.push_i64(value);
    }

    fn float8(&mut self, value: f64) {
        self.push_f64(value);
    }

    fn text(&mut self, value: &str) {
        self.push_text(&storable(value));
    }

    fn money(&mut self, cents: i128) {
        self.push_numeric(cents, 2);
    }
}

/// The values of one column: a parameter for `unnest`.
#[derive(Debug)]
pub(crate) struct Column {
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

    /// A column of days, `date[]`, from days since 1970.
    pub(crate) fn of_days(days: &[i32]) -> Self {
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
pub(crate) struct Columns {
    columns: Vec<Column>,
    next: usize,
}

impl Columns {
    pub(crate) fn new(types: &[Type]) -> Self {
        Self { columns: types.iter().cloned().map(Column::new).collect(), next: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.columns.first().is_none_or(|column| column.values == 0)
    }

    pub(crate) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect()
    }

    fn cell(&mut self) -> Option<&mut Column> {
        let place = self.next;
        self.next += 1;
        // Too many pushes would leave columns of unequal length or type, which the server refuses.
        let last = self.columns.len().checked_sub(1)?;
        self.columns.get_mut(place.min(last))
    }

    fn push(&mut self, value: &[u8]) {
        if let Some(column) = self.cell() {
            column.push(value);
        }
    }
}

impl Fields for Columns {
    fn begin(&mut self) {
        self.next = 0;
    }

    fn null(&mut self) {
        if let Some(column) = self.cell() {
            column.values += 1;
            column.nulls = true;
            column.buffer.put_i32(-1);
        }
    }

    fn boolean(&mut self, value: bool) {
        self.push(&[u8::from(value)]);
    }

    fn int2(&mut self, value: i16) {
        self.push(&value.to_be_bytes());
    }

    fn int4(&mut self, value: i32) {
        self.push(&value.to_be_bytes());
    }

    fn int8(&mut self, value: i64) {
        self.push(&value.to_be_bytes());
    }

    fn float8(&mut self, value: f64) {
        self.push(&value.to_be_bytes());
    }

    fn text(&mut self, value: &str) {
        self.push(storable(value).as_bytes());
    }

    fn money(&mut self, cents: i128) {
        self.push(Money::new(cents).as_bytes());
    }
}

/// A `numeric` with two decimals: groups of four decimal digits behind a header of four words.
struct Money {
    bytes: [u8; Self::HEADER + 2 * Self::GROUPS],
    length: usize,
}

impl Money {
    const HEADER: usize = 8;
    /// 39 digits of an `i128`, two of them behind the point.
    const GROUPS: usize = 11;
    const BASE: u128 = 10_000;

    fn new(cents: i128) -> Self {
        let magnitude = cents.unsigned_abs();
        let mut groups = [0u16; Self::GROUPS];
        groups[0] = (magnitude % 100) as u16 * 100;
        let mut whole = magnitude / 100;
        let mut count = 1;
        while whole > 0 {
            (groups[count], whole) = match u64::try_from(whole) {
                // 128-bit division is slow and almost never needed.
                Ok(small) => ((small % 10_000) as u16, u128::from(small / 10_000)),
                Err(_) => ((whole % Self::BASE) as u16, whole / Self::BASE),
            };
            count += 1;
        }
        let sign = if cents < 0 { 0x4000 } else { 0 };
        let mut bytes = [0; Self::HEADER + 2 * Self::GROUPS];
        let weight = count as i16 - 2;
        let words =
            [count as u16, weight as u16, sign, 2].into_iter().chain(groups[..count].iter().rev().copied());
        for (place, word) in words.enumerate() {
            bytes[2 * place..2 * place + 2].copy_from_slice(&word.to_be_bytes());
        }
        Self { bytes, length: Self::HEADER + 2 * count }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A `timestamptz` parameter, microseconds since 1970.
#[derive(Debug)]
pub(crate) struct Instant(pub(crate) i64);

impl<'a> FromSql<'a> for Instant {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(micros_of(i64::from_be_bytes(raw.try_into()?))))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::TIMESTAMPTZ
    }
}

impl ToSql for Instant {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i64(timestamptz(self.0));
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}
