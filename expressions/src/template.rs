//! Texts with expressions in them.

use super::compile::Compiler;
use super::environment::Variables;
use super::failure::Failure;
use super::node::Node;
use super::problem::{Fault, Problem};
use super::read::Read;
use super::scan::{LONGEST, scan_until_brace};
use super::value::Facts;
use std::fmt::Write;

/// A text with expressions in braces: the reason that people are shown.
///
/// `{{` and `}}` stand for single braces. Numbers are shown with at most 3 decimals, rounded half away from
/// zero, without zeros at the end.
#[derive(Clone, Debug)]
pub struct Template {
    source: String,
    reads: Vec<Read>,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Value(Node),
}

impl Template {
    /// Compiles a template. Its expressions may be of any kind, and together as large as one.
    pub fn compile(source: &str, variables: &Variables) -> Result<Self, Problem> {
        let mut compiler = Compiler::new(variables);
        let parts = compile_parts(source, &mut compiler).map_err(|fault| fault.placed_in(source))?;
        Ok(Self { source: source.to_owned(), reads: compiler.into_reads(), parts })
    }

    /// As it is written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What its expressions read, each once; the slot of each is its index.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// The text over these facts; it fails where one of its expressions does.
    pub fn render(&self, facts: &(impl Facts + ?Sized)) -> Result<String, Failure> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                // Writing into a string does not fail.
                Part::Value(node) => write!(text, "{}", node.evaluate(facts)?).unwrap_or_default(),
            }
        }
        Ok(text)
    }
}

/// Templates are equal where they are written alike.
impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Template {}

fn compile_parts(source: &str, compiler: &mut Compiler<'_>) -> Result<Vec<Part>, Fault> {
    if source.len() > LONGEST {
        return Err(Fault::new(0, format!("longer than {LONGEST} bytes")));
    }
    let (mut parts, mut text, mut at) = (Vec::new(), String::new(), 0);
    while let Some(found) = source[at..].find(['{', '}']) {
        text.push_str(&source[at..at + found]);
        at += found;
        let rest = &source[at..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            text.push_str(&rest[..1]);
            at += 2;
        } else if rest.starts_with('}') {
            return Err(Fault::new(at, "this } closes no {; a single one is written }}"));
        } else {
            let start = at + 1;
            let length = scan_until_brace(&source[start..]).map_err(|fault| fault.behind(start))?;
            let end = start + length.ok_or_else(|| Fault::new(at, "this { is not closed by a }"))?;
            let node = compiler.compile(&source[start..end]).map_err(|fault| fault.behind(start))?;
            parts.push(Part::Text(std::mem::take(&mut text)));
            parts.push(Part::Value(node));
            at = end + 1;
        }
    }
    text.push_str(&source[at..]);
    parts.push(Part::Text(text));
    Ok(parts)
}
