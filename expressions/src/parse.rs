//! From a source to CEL's syntax tree.

use super::problem::{Fault, shown};
use cel::IdedExpr;
use cel::common::ast::SourceInfo;
use cel::parser::{ParseErrors, Parser};

/// A syntax tree that knows where its parts are written.
pub(crate) struct Syntax<'a> {
    pub(crate) root: IdedExpr,
    positions: SourceInfo,
    source: &'a str,
}

/// Deeper than anything that has been scanned.
const DEEPEST: u16 = 64;

impl<'a> Syntax<'a> {
    /// Parses what has been scanned.
    pub(crate) fn parse(source: &'a str) -> Result<Self, Fault> {
        let parser = Parser::new().max_recursion_depth(DEEPEST).error_recovery_limit(1);
        match parser.parse_with_source_info(source) {
            Ok((root, positions)) => Ok(Self { root, positions, source }),
            Err(errors) => Err(fault_of(&errors, source)),
        }
    }

    /// Where a part is written, in bytes from the start.
    pub(crate) fn offset(&self, part: &IdedExpr) -> usize {
        self.positions.offset_for(part.id).map_or(0, |(start, _)| start as usize)
    }

    /// How a literal is written, without its sign.
    pub(crate) fn written(&self, literal: &IdedExpr) -> &'a str {
        let range = self.positions.offset_for(literal.id).map(|(first, last)| first as usize..=last as usize);
        range.and_then(|range| self.source.get(range)).unwrap_or_default()
    }
}

/// The first error, as one line. The parser adds to it all that it would rather have seen, and that it gave
/// up.
fn fault_of(errors: &ParseErrors, source: &str) -> Fault {
    let first = errors.errors.iter().find(|error| !error.msg.contains("recovery attempt limit"));
    let Some(error) = first else {
        return Fault::new(0, "this cannot be read");
    };
    let message = error.msg.split(" expecting").next().unwrap_or_default();
    let message = message.trim_start_matches("Syntax error: ").replace("'<EOF>'", "the end");
    Fault::new(offset_of(error.pos, source), shown(&message))
}

/// The byte at a line and a column, which count from 1, in characters.
fn offset_of((line, column): (isize, isize), source: &str) -> usize {
    let (line, column) = (line.max(1) as usize - 1, column.max(1) as usize - 1);
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = source.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column).map_or(rest.len(), |(offset, _)| offset)
}
