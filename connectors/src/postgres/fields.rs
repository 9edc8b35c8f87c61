//! Values in PostgreSQL's binary format, pushed field by field.
//!
//! Rows of a binary COPY ([`CopyRows`](super::CopyRows)) and columns for `unnest`
//! ([`Columns`](super::Columns)) take the same pushes, so that a row is described once however it is written.

use std::borrow::Cow;

use super::instant::Instant;
use super::numeric::Numeric;

/// A row under construction: one push for each column, in order and of the column's exact type, as the server
/// does not convert.
pub trait Fields {
    /// Starts the next row.
    fn begin(&mut self);

    /// NULL of any type.
    fn null(&mut self);

    /// A value in the binary form of its type.
    fn value(&mut self, binary: &[u8]);

    /// `boolean`.
    fn boolean(&mut self, value: bool) {
        self.value(&[u8::from(value)]);
    }

    /// `smallint`.
    fn int2(&mut self, value: i16) {
        self.value(&value.to_be_bytes());
    }

    /// `integer`.
    fn int4(&mut self, value: i32) {
        self.value(&value.to_be_bytes());
    }

    /// `bigint`.
    fn int8(&mut self, value: i64) {
        self.value(&value.to_be_bytes());
    }

    /// `jsonb` from its text, which follows the version in its binary form.
    fn jsonb(&mut self, text: &str) {
        self.text(&format!("\u{1}{text}"));
    }

    /// `bigint` of a count.
    fn count(&mut self, value: u64) {
        self.int8(i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// `double precision`.
    fn float8(&mut self, value: f64) {
        self.value(&value.to_be_bytes());
    }

    /// `text`. PostgreSQL has no NUL character: a replacement character is written for it.
    fn text(&mut self, value: &str) {
        self.value(without_nul(value).as_bytes());
    }

    /// `timestamptz` from microseconds since 1970; `-infinity` before PostgreSQL's first.
    fn instant(&mut self, micros: i64) {
        self.int8(Instant(micros).to_wire());
    }

    /// `numeric` of `unscaled` / 10^`places`, exactly: (12345, 2) is 123.45.
    fn numeric(&mut self, unscaled: i128, places: u8) {
        self.value(Numeric::new(unscaled, places).as_bytes());
    }

    /// `numeric` with two decimals.
    fn money(&mut self, cents: i128) {
        self.numeric(cents, 2);
    }

    /// `push`es the value if there is one, else NULL.
    fn nullable<T>(&mut self, value: Option<T>, push: impl FnOnce(&mut Self, T))
    where
        Self: Sized,
    {
        match value {
            Some(value) => push(self, value),
            None => self.null(),
        }
    }

    /// `text` or NULL.
    fn text_or_null<T: AsRef<str>>(&mut self, value: Option<&T>)
    where
        Self: Sized,
    {
        self.nullable(value, |fields, text| fields.text(text.as_ref()));
    }
}

fn without_nul(text: &str) -> Cow<'_, str> {
    match memchr::memchr(0, text.as_bytes()) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.replace('\0', "\u{fffd}")),
    }
}
