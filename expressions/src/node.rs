//! The compiled form: a tree for each kind of value, whose leaves read slots.
//!
//! Evaluation allocates nothing. It goes as deep as the tree, which has a bounded number of nodes.

use super::environment::Kind;
use super::failure::Failure;
use super::number::Number;
use super::value::{Facts, Value};
use std::cmp::Ordering;

/// An expression of any kind.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Bool(BoolNode),
    Number(NumberNode),
    Text(TextNode),
}

#[derive(Clone, Debug)]
pub(crate) enum BoolNode {
    Literal(bool),
    Read(usize),
    Not(Box<BoolNode>),
    And(Box<(BoolNode, BoolNode)>),
    Or(Box<(BoolNode, BoolNode)>),
    If(Box<(BoolNode, BoolNode, BoolNode)>),
    /// Whether both are the same, and whether that is what is asked.
    Same(Box<(BoolNode, BoolNode)>, bool),
    Numbers(Comparison, Box<(NumberNode, NumberNode)>),
    Texts(Comparison, Box<(TextNode, TextNode)>),
    NumberIn(Box<NumberNode>, Box<[Number]>),
    TextIn(Box<TextNode>, Box<[Box<str>]>),
    Match(Match, Box<(TextNode, TextNode)>),
}

#[derive(Clone, Debug)]
pub(crate) enum NumberNode {
    Literal(Number),
    Read(usize),
    If(Box<(BoolNode, NumberNode, NumberNode)>),
    Unary(Unary, Box<NumberNode>),
    Binary(Binary, Box<(NumberNode, NumberNode)>),
    Size(Box<TextNode>),
}

#[derive(Clone, Debug)]
pub(crate) enum TextNode {
    Literal(Box<str>),
    Read(usize),
    If(Box<(BoolNode, TextNode, TextNode)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Match {
    Contains,
    StartsWith,
    EndsWith,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Unary {
    Negate,
    Absolute,
    Root,
    Floor,
    Round,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Smaller,
    Larger,
}

impl Node {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Bool(_) => Kind::Bool,
            Self::Number(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
        }
    }

    pub(crate) fn evaluate<'a, F: Facts + ?Sized>(&'a self, facts: &'a F) -> Result<Value<'a>, Failure> {
        match self {
            Self::Bool(node) => node.evaluate(facts).map(Value::Bool),
            Self::Number(node) => node.evaluate(facts).map(Value::Number),
            Self::Text(node) => node.evaluate(facts).map(Value::Text),
        }
    }
}

impl BoolNode {
    pub(crate) fn evaluate<F: Facts + ?Sized>(&self, facts: &F) -> Result<bool, Failure> {
        match self {
            Self::Literal(value) => Ok(*value),
            Self::Read(slot) => match facts.value(*slot) {
                Some(Value::Bool(value)) => Ok(value),
                other => Err(unfit(other, *slot)),
            },
            Self::Not(node) => node.evaluate(facts).map(|value| !value),
            Self::And(nodes) => short_circuit(nodes, false, facts),
            Self::Or(nodes) => short_circuit(nodes, true, facts),
            Self::If(nodes) => {
                let (condition, yes, no) = &**nodes;
                if condition.evaluate(facts)? { yes.evaluate(facts) } else { no.evaluate(facts) }
            }
            Self::Same(nodes, asked) => Ok((nodes.0.evaluate(facts)? == nodes.1.evaluate(facts)?) == *asked),
            Self::Numbers(comparison, nodes) => {
                Ok(comparison.holds(nodes.0.evaluate(facts)?.cmp(&nodes.1.evaluate(facts)?)))
            }
            Self::Texts(comparison, nodes) => {
                Ok(comparison.holds(nodes.0.evaluate(facts)?.cmp(nodes.1.evaluate(facts)?)))
            }
            Self::NumberIn(node, numbers) => Ok(numbers.contains(&node.evaluate(facts)?)),
            Self::TextIn(node, texts) => {
                let text = node.evaluate(facts)?;
                Ok(texts.iter().any(|listed| **listed == *text))
            }
            Self::Match(how, nodes) => {
                let (text, part) = (nodes.0.evaluate(facts)?, nodes.1.evaluate(facts)?);
                Ok(match how {
                    Match::Contains => text.contains(part),
                    Match::StartsWith => text.starts_with(part),
                    Match::EndsWith => text.ends_with(part),
                })
            }
        }
    }
}

/// `&&` and `||`, which are decided as soon as either side is `deciding`, even where the other side fails.
fn short_circuit<F: Facts + ?Sized>(
    nodes: &(BoolNode, BoolNode),
    deciding: bool,
    facts: &F,
) -> Result<bool, Failure> {
    match nodes.0.evaluate(facts) {
        Ok(first) if first == deciding => Ok(deciding),
        Ok(_) => nodes.1.evaluate(facts),
        Err(failure) => match nodes.1.evaluate(facts) {
            Ok(second) if second == deciding => Ok(deciding),
            _ => Err(failure),
        },
    }
}

impl NumberNode {
    pub(crate) fn evaluate<F: Facts + ?Sized>(&self, facts: &F) -> Result<Number, Failure> {
        match self {
            Self::Literal(value) => Ok(*value),
            Self::Read(slot) => match facts.value(*slot) {
                Some(Value::Number(value)) => Ok(value),
                other => Err(unfit(other, *slot)),
            },
            Self::If(nodes) => {
                let (condition, yes, no) = &**nodes;
                if condition.evaluate(facts)? { yes.evaluate(facts) } else { no.evaluate(facts) }
            }
            Self::Unary(unary, node) => unary.apply(node.evaluate(facts)?),
            Self::Binary(binary, nodes) => binary.apply(nodes.0.evaluate(facts)?, nodes.1.evaluate(facts)?),
            Self::Size(node) => Ok(Number::whole(node.evaluate(facts)?.chars().count() as i128)),
        }
    }
}

impl TextNode {
    pub(crate) fn evaluate<'a, F: Facts + ?Sized>(&'a self, facts: &'a F) -> Result<&'a str, Failure> {
        match self {
            Self::Literal(value) => Ok(value),
            Self::Read(slot) => match facts.value(*slot) {
                Some(Value::Text(value)) => Ok(value),
                other => Err(unfit(other, *slot)),
            },
            Self::If(nodes) => {
                let (condition, yes, no) = &**nodes;
                if condition.evaluate(facts)? { yes.evaluate(facts) } else { no.evaluate(facts) }
            }
        }
    }
}

/// Why what the facts gave for a slot cannot be used.
#[cold]
fn unfit(value: Option<Value<'_>>, slot: usize) -> Failure {
    value.map_or(Failure::Missing(slot), |_| Failure::Mistyped(slot))
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

impl Unary {
    fn apply(self, number: Number) -> Result<Number, Failure> {
        match self {
            Self::Negate => number.negated(),
            Self::Absolute => number.absolute(),
            Self::Root => number.root(),
            Self::Floor => Ok(number.floor()),
            Self::Round => Ok(number.rounded()),
        }
    }
}

impl Binary {
    fn apply(self, left: Number, right: Number) -> Result<Number, Failure> {
        match self {
            Self::Add => left.plus(right),
            Self::Subtract => left.minus(right),
            Self::Multiply => left.times(right),
            Self::Divide => left.divided_by(right),
            Self::Remainder => left.remainder(right),
            Self::Smaller => Ok(left.min(right)),
            Self::Larger => Ok(left.max(right)),
        }
    }
}
