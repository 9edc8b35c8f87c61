//! What expressions may name.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;
use thiserror::Error;

/// What kind of value an expression, a variable or a function has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// True or false.
    Bool,
    /// An exact number.
    Number,
    /// A text.
    Text,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "a bool",
            Self::Number => "a number",
            Self::Text => "a text",
        })
    }
}

/// A variable that expressions may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, as `amount` or `customer.mean_amount`.
    pub name: &'static str,
    /// The kind of its values.
    pub kind: Kind,
    /// What it holds, in a sentence for those who write expressions.
    pub about: &'static str,
}

/// A function over a window of time, as `count_within("10m")`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, as `count_within` or `customer.count_within`.
    pub name: &'static str,
    /// The kind of its results.
    pub kind: Kind,
    /// The longest window that may be asked for.
    pub longest: Duration,
    /// What it counts, in a sentence for those who write expressions.
    pub about: &'static str,
}

/// All that expressions may name.
#[derive(Clone, Debug)]
pub struct Variables {
    variables: Vec<Variable>,
    functions: Vec<Function>,
}

/// A name that no expression could ever reach, or that stands for two things.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0} cannot be a name here: it is no CEL name, or taken")]
pub struct BadName(pub &'static str);

/// The names of the functions that every expression may use.
const BUILT_IN: [&str; 11] =
    ["abs", "min", "max", "sqrt", "floor", "round", "size", "has", "contains", "startsWith", "endsWith"];

/// The words that CEL keeps for itself.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

impl Variables {
    /// Names these; refuses names that CEL does not read, and names that are taken.
    pub fn new(variables: Vec<Variable>, functions: Vec<Function>) -> Result<Self, BadName> {
        let mut taken: HashSet<&str> = BUILT_IN.into();
        let names = variables.iter().map(|variable| variable.name);
        for name in names.chain(functions.iter().map(|function| function.name)) {
            if !name.split('.').all(is_identifier) || !taken.insert(name) {
                return Err(BadName(name));
            }
        }
        Ok(Self { variables, functions })
    }

    /// All variables.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// All functions over windows of time.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    pub(crate) fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }
}

fn is_identifier(text: &str) -> bool {
    let named = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'_';
    text.bytes().all(named) && !text.starts_with(|first: char| first.is_ascii_digit()) && {
        !text.is_empty() && !RESERVED.contains(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_must_be_readable_and_free() {
        let with = |names: &[&'static str]| {
            let variable = |name: &&'static str| Variable { name, kind: Kind::Bool, about: "" };
            Variables::new(names.iter().map(variable).collect(), Vec::new()).map(|_| ())
        };
        assert_eq!(with(&["amount", "customer.count", "_x1"]), Ok(()));
        for bad in ["", "1a", "a.", "a..b", "a.in", "é", "a b", "size"] {
            assert_eq!(with(&[bad]), Err(BadName(bad)));
        }
        assert_eq!(with(&["a", "a"]), Err(BadName("a")));
    }
}
