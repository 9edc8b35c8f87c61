//! What is wrong with a source.

use std::fmt;

/// What is wrong with a source, in one line, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 1 {
            write!(f, "line {}, ", self.line)?;
        }
        write!(f, "column {}: {}", self.column, self.message)
    }
}

impl std::error::Error for Problem {}

/// A problem that still has to be placed in the source.
#[derive(Debug)]
pub(crate) struct Fault {
    /// In bytes from the start of the expression.
    offset: usize,
    message: String,
}

impl Fault {
    pub(crate) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into() }
    }

    /// The fault in a source in which the expression begins at this byte.
    pub(crate) fn behind(self, start: usize) -> Self {
        Self { offset: self.offset + start, ..self }
    }

    pub(crate) fn placed_in(self, source: &str) -> Problem {
        let before = source.get(..self.offset).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Problem {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: self.message,
        }
    }
}

/// The beginning of a text, as a message can show it.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut letters = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let beginning: String = letters.by_ref().take(LONGEST).collect();
    if letters.next().is_some() { beginning + "..." } else { beginning }
}
