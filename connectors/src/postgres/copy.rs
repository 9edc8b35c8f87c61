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
use super::fields::Fields;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: [u8; 2] = (-1_i16).to_be_bytes();
/// Sent in pieces of this size, so that the server works on the first while the next is copied.
const PIECE_BYTES: usize = 64 * 1024;
const NULL: i32 = -1;
const COPYING: &str = "copying rows";

/// Rows for one `COPY ... FROM STDIN (FORMAT binary)`.
///
/// Each row is [`Fields::begin`] followed by one push for each of the statement's columns.
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
}

impl Fields for CopyRows {
    #[inline]
    fn begin(&mut self) {
        self.buffer.extend_from_slice(&self.columns.to_be_bytes());
        self.rows += 1;
    }

    #[inline]
    fn null(&mut self) {
        self.buffer.extend_from_slice(&NULL.to_be_bytes());
        self.fields += 1;
    }

    #[inline]
    fn value(&mut self, binary: &[u8]) {
        let length = i32::try_from(binary.len());
        self.oversized |= length.is_err();
        self.buffer.extend_from_slice(&length.unwrap_or(NULL).to_be_bytes());
        self.buffer.extend_from_slice(binary);
        self.fields += 1;
    }
}
