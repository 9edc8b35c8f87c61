//! Files and standard input as sources: each line is a record, its offset the line's number from 0.
//!
//! Files compressed by gzip or zstd are known by their first bytes; a byte-order mark at the beginning is skipped.
//! Lines end with `\n` or `\r\n`; the last may lack it; empty ones are no records but count as lines. Batch k
//! holds the records of the lines k·N to (k+1)·N - 1, whatever the speed of reading, so that a replay depends
//! on data alone.

mod input;
mod lines;
mod reader;
mod source;

pub use source::{FileSettings, FileSource};
