//! Rows in PostgreSQL's binary COPY format.
//!
//! ```text
//! header "PGCOPY\n\xff\r\n\0", flags i32, extension i32
//! row    columns i16, then per field: length i32 (-1 = null), value, all big-endian
//! end    -1 i16
//! ```
//!
//! Values are appended straight to one byte buffer: no value is boxed, none is formatted as text. Buffers of
//! the same columns can be appended to each other, and the same buffer can be sent again after a rollback.

use std::io::Write;

use postgres::{ToStatement, Transaction};

use super::error::PostgresError;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: [u8; 2] = (-1_i16).to_be_bytes();
/// Sent in pieces of this size, so that the server works on the first while the next is copied.
const PIECE_BYTES: usize = 64 * 1024;
/// 2000-01-01, where PostgreSQL's dates and timestamps begin.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;
const INT2_OID: i32 = 21;
const TEXT_OID: i32 = 25;
const NULL: i32 = -1;
const COPYING: &str = "copying rows";

/// Rows for one `COPY ... FROM STDIN (FORMAT binary)`.
///
/// Each row is [`CopyRows::begin_row`] followed by one push per column, in the order and of the exact types of
/// the statement's columns: the server does not convert (an `int4` sent for an `int8` is an error).
#[derive(Debug, Clone)]
pub struct CopyRows {
    buffer: Vec<u8>,
    columns: i16,
    rows: u64,
    fields: u64,
    oversized: bool,
}

impl CopyRows {
    /// An empty buffer for rows of `columns` columns (at most `i16::MAX`).
    #[must_use]
    pub fn new(columns: i16) -> Self {
        Self { buffer: Vec::new(), columns, rows: 0, fields: 0, oversized: false }
    }

    /// Rows begun so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Encoded size in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Removes all rows, keeping the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.rows = 0;
        self.fields = 0;
        self.oversized = false;
    }

    /// Adds all rows of `later`, which must have the same columns.
    ///
    /// # Errors
    /// [`PostgresError::Rows`] when the number of columns differs.
    pub fn append(&mut self, later: &Self) -> Result<(), PostgresError> {
        if self.columns != later.columns {
            return Err(PostgresError::Rows(format!(
                "rows of {} columns appended to rows of {}",
                later.columns, self.columns
            )));
        }
        self.buffer.extend_from_slice(&later.buffer);
        self.rows += later.rows;
        self.fields += later.fields;
        self.oversized |= later.oversized;
        Ok(())
    }

    /// Starts the next row.
    pub fn begin_row(&mut self) -> &mut Self {
        self.buffer.extend_from_slice(&self.columns.to_be_bytes());
        self.rows += 1;
        self
    }

    /// NULL, for any type.
    pub fn push_null(&mut self) -> &mut Self {
        self.buffer.extend_from_slice(&NULL.to_be_bytes());
        self.fields += 1;
        self
    }

    /// `push`es the value if there is one, else NULL: `rows.push_nullable(store_key, CopyRows::push_i32)`.
    pub fn push_nullable<T>(
        &mut self,
        value: Option<T>,
        push: impl FnOnce(&mut Self, T) -> &mut Self,
    ) -> &mut Self {
        match value {
            Some(value) => push(self, value),
            None => self.push_null(),
        }
    }

    /// `bool`.
    pub fn push_bool(&mut self, value: bool) -> &mut Self {
        self.push_fixed([u8::from(value)])
    }

    /// `int2`.
    pub fn push_i16(&mut self, value: i16) -> &mut Self {
        self.push_fixed(value.to_be_bytes())
    }

    /// `int4`.
    pub fn push_i32(&mut self, value: i32) -> &mut Self {
        self.push_fixed(value.to_be_bytes())
    }

    /// `int8`.
    pub fn push_i64(&mut self, value: i64) -> &mut Self {
        self.push_fixed(value.to_be_bytes())
    }

    /// `float8`.
    pub fn push_f64(&mut self, value: f64) -> &mut Self {
        self.push_fixed(value.to_be_bytes())
    }

    /// `text` or `varchar`. The server refuses the NUL character.
    pub fn push_text(&mut self, value: &str) -> &mut Self {
        self.push_bytea(value.as_bytes())
    }

    /// `bytea`.
    pub fn push_bytea(&mut self, value: &[u8]) -> &mut Self {
        self.put_length(value.len());
        self.buffer.extend_from_slice(value);
        self.fields += 1;
        self
    }

    /// `timestamptz` (or `timestamp` in UTC) from microseconds since 1970-01-01T00:00:00Z.
    pub fn push_timestamptz(&mut self, micros: i64) -> &mut Self {
        self.push_i64(micros.saturating_sub(EPOCH_MICROS))
    }

    /// `date` from days since 1970-01-01.
    pub fn push_date(&mut self, days: i32) -> &mut Self {
        self.push_i32(days.saturating_sub(EPOCH_DAYS))
    }

    /// `numeric` of `unscaled` / 10^`scale`, exactly: (12345, 2) is 123.45.
    pub fn push_numeric(&mut self, unscaled: i128, scale: u8) -> &mut Self {
        let numeric = Numeric::new(unscaled, scale);
        let digits = numeric.digits();
        self.put_length(8 + 2 * digits.len());
        let sign: u16 = if unscaled < 0 { 0x4000 } else { 0 };
        // At most 103 groups (39 digits, 255 decimals), so the lengths fit.
        self.put(&(digits.len() as i16).to_be_bytes());
        self.put(&numeric.weight.to_be_bytes());
        self.put(&sign.to_be_bytes());
        self.put(&u16::from(scale).to_be_bytes());
        for group in digits.iter().rev() {
            self.put(&group.to_be_bytes());
        }
        self.fields += 1;
        self
    }

    /// `int2[]`.
    pub fn push_i16_array(&mut self, values: &[i16]) -> &mut Self {
        self.push_array(INT2_OID, values, |rows, value| {
            rows.put_length(2);
            rows.put(&value.to_be_bytes());
        })
    }

    /// `text[]`.
    pub fn push_text_array<T: AsRef<str>>(&mut self, values: &[T]) -> &mut Self {
        self.push_array(TEXT_OID, values, |rows, value| {
            let text = value.as_ref();
            rows.put_length(text.len());
            rows.put(text.as_bytes());
        })
    }

    /// Sends all rows within `transaction` and returns how many the server stored. `statement` is a
    /// `COPY table (columns) FROM STDIN (FORMAT binary)`, as text or prepared (saves a round trip). The rows
    /// stay here; an empty buffer sends nothing.
    ///
    /// # Errors
    /// [`PostgresError::Rows`] when pushes do not fit the number of columns; else what the server or the
    /// connection says.
    pub fn finish_into<S>(
        &self,
        transaction: &mut Transaction<'_>,
        statement: &S,
    ) -> Result<u64, PostgresError>
    where
        S: ?Sized + ToStatement,
    {
        self.check()?;
        if self.is_empty() {
            return Ok(0);
        }
        let during = |error: &postgres::Error| PostgresError::during(COPYING, error);
        let mut writer = transaction.copy_in(statement).map_err(|error| during(&error))?;
        let pieces = self.buffer.chunks(PIECE_BYTES);
        for piece in [HEADER].into_iter().chain(pieces).chain([END.as_slice()]) {
            writer.write_all(piece).map_err(|error| PostgresError::during_io(COPYING, error))?;
        }
        writer.finish().map_err(|error| during(&error))
    }

    fn check(&self) -> Result<(), PostgresError> {
        if self.oversized {
            return Err(PostgresError::Rows("a field exceeds 2 GiB".to_owned()));
        }
        let expected = self.rows * u64::from(self.columns.unsigned_abs());
        if self.columns < 0 || self.fields != expected {
            return Err(PostgresError::Rows(format!(
                "{} fields in {} rows of {} columns",
                self.fields, self.rows, self.columns
            )));
        }
        Ok(())
    }

    fn push_fixed<const N: usize>(&mut self, value: [u8; N]) -> &mut Self {
        self.put_length(N);
        self.put(&value);
        self.fields += 1;
        self
    }

    fn push_array<T>(
        &mut self,
        element_oid: i32,
        values: &[T],
        mut put_element: impl FnMut(&mut Self, &T),
    ) -> &mut Self {
        let start = self.buffer.len();
        self.put_length(0);
        let dimensions = i32::from(!values.is_empty());
        let has_nulls = 0_i32;
        for word in [dimensions, has_nulls, element_oid] {
            self.put(&word.to_be_bytes());
        }
        if !values.is_empty() {
            self.put_length(values.len());
            let lower_bound = 1_i32;
            self.put(&lower_bound.to_be_bytes());
        }
        for value in values {
            put_element(self, value);
        }
        self.patch_length(start);
        self.fields += 1;
        self
    }

    /// Fills in the length of a field whose length word is at `start` and whose value ends here.
    fn patch_length(&mut self, start: usize) {
        let length = i32::try_from(self.buffer.len() - start - 4);
        self.oversized |= length.is_err();
        let word = length.unwrap_or(NULL).to_be_bytes();
        self.buffer[start..start + 4].copy_from_slice(&word);
    }

    fn put_length(&mut self, length: usize) {
        let length = i32::try_from(length);
        self.oversized |= length.is_err();
        self.put(&length.unwrap_or(NULL).to_be_bytes());
    }

    fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }
}

/// A number as the server keeps it: groups of four decimal digits.
struct Numeric {
    /// Groups, least significant first; only `first..count` are sent.
    groups: [i16; Self::GROUPS],
    first: usize,
    count: usize,
    /// Power of 10,000 of the most significant group.
    weight: i16,
}

impl Numeric {
    /// 39 digits of an `i128`, and one group more as the decimal point may split one.
    const GROUPS: usize = 11;
    const BASE: u64 = 10_000;

    fn new(unscaled: i128, scale: u8) -> Self {
        let mut groups = [0; Self::GROUPS];
        let mut count = 0;
        let mut rest = unscaled.unsigned_abs();
        // The decimal point lies between two groups, so the last one may have to be filled up with zeros.
        let loose = u32::from(scale % 4);
        if loose > 0 {
            let power = 10_u128.pow(loose);
            groups[0] = ((rest % power) * 10_u128.pow(4 - loose)) as i16;
            rest /= power;
            count = 1;
        }
        // 128-bit division is slow and almost never needed.
        while rest > u128::from(u64::MAX) {
            groups[count] = (rest % u128::from(Self::BASE)) as i16;
            rest /= u128::from(Self::BASE);
            count += 1;
        }
        let mut rest = rest as u64;
        while rest > 0 {
            groups[count] = (rest % Self::BASE) as i16;
            rest /= Self::BASE;
            count += 1;
        }
        let first = groups[..count].iter().position(|group| *group != 0).unwrap_or(count);
        let decimals = i16::from(scale.div_ceil(4));
        Self { groups, first, count, weight: count as i16 - 1 - decimals }
    }

    /// Least significant first, no zero group at the end.
    fn digits(&self) -> &[i16] {
        &self.groups[self.first..self.count]
    }
}
