//! Lines on standard output.

use anyhow::{Context, Result};
use std::fmt::Display;
use std::io::{ErrorKind, Write};

/// Writes a line. A reader that has gone wants no more, which is no failure.
///
/// # Errors
/// It cannot be written, because a disk is full for example.
pub fn line(text: impl Display) -> Result<()> {
    write(format_args!("{text}\n"))
}

/// As [`line()`], for text that has its line ends.
///
/// # Errors
/// As [`line()`].
pub fn write(text: impl Display) -> Result<()> {
    let mut output = std::io::stdout().lock();
    match write!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
