//! An expression, compiled.

use super::compile::Compiler;
use super::environment::{Kind, Variables};
use super::failure::Failure;
use super::node::Node;
use super::problem::{Fault, Problem};
use super::read::Read;
use super::value::{Facts, Value};

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Expression {
    source: String,
    reads: Vec<Read>,
    root: Node,
}

impl Expression {
    /// Compiles a source that must be of the expected kind.
    pub fn compile(source: &str, variables: &Variables, expected: Kind) -> Result<Self, Problem> {
        let mut compiler = Compiler::new(variables);
        let root = compiler.compile(source).and_then(|root| match root.kind() {
            kind if kind == expected => Ok(root),
            kind => Err(Fault::new(0, format!("{expected} is expected here, this is {kind}"))),
        });
        let root = root.map_err(|fault| fault.placed_in(source))?;
        Ok(Self { source: source.to_owned(), reads: compiler.into_reads(), root })
    }

    /// As it is written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The kind of its values.
    pub fn kind(&self) -> Kind {
        self.root.kind()
    }

    /// What it reads, each once; the slot of each is its index.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// Its value over these facts.
    pub fn evaluate<'a>(&'a self, facts: &'a (impl Facts + ?Sized)) -> Result<Value<'a>, Failure> {
        self.root.evaluate(facts)
    }

    /// Whether it is true of these facts: false where it fails, or is no bool.
    pub fn holds(&self, facts: &(impl Facts + ?Sized)) -> bool {
        match &self.root {
            Node::Bool(node) => node.evaluate(facts) == Ok(true),
            _ => false,
        }
    }
}

/// Expressions are equal where they are written alike.
impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expression {}
