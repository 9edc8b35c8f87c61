//! From CEL's syntax tree to the compiled form.

use super::environment::{Kind, Variables};
use super::node::{Binary, BoolNode, Comparison, Match, Node, NumberNode, TextNode, Unary};
use super::number::Number;
use super::parse::Syntax;
use super::problem::{Fault, shown};
use super::read::{Read, parse_window, show_window};
use super::scan::scan;
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, ListExpr, LiteralValue, operators};
use std::time::Duration;

/// How many nodes one source may have, and so how much one evaluation can cost.
const MOST_NODES: usize = 256;

/// Compiles expressions that share their slots.
pub(crate) struct Compiler<'a> {
    variables: &'a Variables,
    reads: Vec<Read>,
    nodes: usize,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(variables: &'a Variables) -> Self {
        Self { variables, reads: Vec::new(), nodes: 0 }
    }

    /// What the compiled expressions read, by slot.
    pub(crate) fn into_reads(self) -> Vec<Read> {
        self.reads
    }

    pub(crate) fn compile(&mut self, source: &str) -> Result<Node, Fault> {
        scan(source)?;
        let syntax = Syntax::parse(source)?;
        Part { compiler: self, syntax: &syntax }.node(&syntax.root)
    }

    /// The slot of a read: a new one where it is read for the first time.
    fn slot(&mut self, read: Read) -> usize {
        self.reads.iter().position(|known| *known == read).unwrap_or_else(|| {
            self.reads.push(read);
            self.reads.len() - 1
        })
    }

    fn known_variables(&self) -> String {
        let names: Vec<_> = self.variables.variables().iter().map(|variable| variable.name).collect();
        names.join(", ")
    }

    fn known_functions(&self) -> String {
        let over_windows = self.variables.functions().iter().map(|function| function.name);
        let names: Vec<_> = over_windows
            .chain(FUNCTIONS.iter().map(|(name, _)| *name))
            .chain(["min", "max", "size"])
            .collect();
        names.join(", ")
    }
}

/// The functions of one number.
const FUNCTIONS: [(&str, Unary); 4] =
    [("abs", Unary::Absolute), ("sqrt", Unary::Root), ("floor", Unary::Floor), ("round", Unary::Round)];

/// A source on its way.
struct Part<'a, 'v> {
    compiler: &'a mut Compiler<'v>,
    syntax: &'a Syntax<'a>,
}

impl Part<'_, '_> {
    fn fault<T>(&self, part: &IdedExpr, message: impl Into<String>) -> Result<T, Fault> {
        Err(Fault::new(self.syntax.offset(part), message))
    }

    fn count(&mut self, part: &IdedExpr) -> Result<(), Fault> {
        self.compiler.nodes += 1;
        if self.compiler.nodes > MOST_NODES {
            return self.fault(part, format!("more than {MOST_NODES} operations, names and literals"));
        }
        Ok(())
    }

    fn node(&mut self, part: &IdedExpr) -> Result<Node, Fault> {
        self.count(part)?;
        match &part.expr {
            Expr::Literal(literal) => self.literal(part, literal),
            Expr::Ident(_) => self.name(part),
            Expr::Select(select) if select.test => self.fault(part, "has() is not part of this language"),
            Expr::Select(_) => self.name(part),
            Expr::Call(call) => self.call(part, call),
            Expr::List(_) => self.fault(part, "a list stands only behind in"),
            Expr::Comprehension(_) => {
                self.fault(part, "all, exists, exists_one, filter and map are not part of this language")
            }
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                self.fault(part, "this is not part of the language")
            }
        }
    }

    fn bool(&mut self, part: &IdedExpr, user: &str) -> Result<BoolNode, Fault> {
        match self.node(part)? {
            Node::Bool(node) => Ok(node),
            other => self.fault(part, format!("{user} takes a bool, this is {}", other.kind())),
        }
    }

    fn number(&mut self, part: &IdedExpr, user: &str) -> Result<NumberNode, Fault> {
        match self.node(part)? {
            Node::Number(node) => Ok(node),
            other => self.fault(part, format!("{user} takes a number, this is {}", other.kind())),
        }
    }

    fn text(&mut self, part: &IdedExpr, user: &str) -> Result<TextNode, Fault> {
        match self.node(part)? {
            Node::Text(node) => Ok(node),
            other => self.fault(part, format!("{user} takes a text, this is {}", other.kind())),
        }
    }

    fn literal(&self, part: &IdedExpr, literal: &LiteralValue) -> Result<Node, Fault> {
        match literal {
            LiteralValue::Boolean(value) => Ok(Node::Bool(BoolNode::Literal(*value.inner()))),
            LiteralValue::String(value) => Ok(Node::Text(TextNode::Literal(value.inner().into()))),
            LiteralValue::Int(value) => {
                Ok(Node::Number(NumberNode::Literal(Number::whole(i128::from(*value.inner())))))
            }
            LiteralValue::Double(value) => {
                // The parser's float is not exact, the text is.
                let number = Number::parse(self.syntax.written(part));
                let negative = value.inner().is_sign_negative();
                match number.and_then(|number| if negative { number.negated().ok() } else { Some(number) }) {
                    Some(number) => Ok(Node::Number(NumberNode::Literal(number))),
                    None => self.fault(part, "this number is too large or too fine"),
                }
            }
            LiteralValue::UInt(_) => self.fault(part, "numbers are written without u"),
            LiteralValue::Bytes(_) => self.fault(part, "bytes are not part of this language"),
            LiteralValue::Null => self.fault(part, "null is not part of this language"),
        }
    }

    /// A variable, with or without dots.
    fn name(&mut self, part: &IdedExpr) -> Result<Node, Fault> {
        let Some(name) = dotted(&part.expr) else {
            return self.fault(part, "only names have fields");
        };
        match self.compiler.variables.variable(&name) {
            Some(variable) => {
                let read = Read { name: variable.name, kind: variable.kind, window: None };
                Ok(self.read(read))
            }
            None => {
                let known = self.compiler.known_variables();
                self.fault(part, format!("unknown name {}; known are {known}", shown(&name)))
            }
        }
    }

    fn read(&mut self, read: Read) -> Node {
        let kind = read.kind;
        let slot = self.compiler.slot(read);
        match kind {
            Kind::Bool => Node::Bool(BoolNode::Read(slot)),
            Kind::Number => Node::Number(NumberNode::Read(slot)),
            Kind::Text => Node::Text(TextNode::Read(slot)),
        }
    }

    fn call(&mut self, part: &IdedExpr, call: &CallExpr) -> Result<Node, Fault> {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::CONDITIONAL, [condition, yes, no]) => self.conditional(part, condition, yes, no),
            (operators::LOGICAL_AND, [left, right]) => {
                Ok(Node::Bool(BoolNode::And(Box::new((self.bool(left, "&&")?, self.bool(right, "&&")?)))))
            }
            (operators::LOGICAL_OR, [left, right]) => {
                Ok(Node::Bool(BoolNode::Or(Box::new((self.bool(left, "||")?, self.bool(right, "||")?)))))
            }
            (operators::LOGICAL_NOT, [operand]) => {
                Ok(Node::Bool(BoolNode::Not(Box::new(self.bool(operand, "!")?))))
            }
            (operators::NEGATE, [operand]) => self.unary(Unary::Negate, operand, "-"),
            (operators::IN, [value, list]) => self.membership(value, list),
            (operators::INDEX, _) => self.fault(part, "indexes are not part of this language"),
            (operator, [left, right]) => match (comparison_of(operator), arithmetic_of(operator)) {
                (Some((comparison, sign)), _) => self.comparison(part, comparison, sign, left, right),
                (None, Some((binary, sign))) => self.binary(binary, sign, left, right),
                (None, None) => self.function(part, call),
            },
            _ => self.function(part, call),
        }
    }

    fn conditional(
        &mut self,
        part: &IdedExpr,
        condition: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
    ) -> Result<Node, Fault> {
        let condition = self.bool(condition, "?")?;
        match (self.node(yes)?, self.node(no)?) {
            (Node::Bool(yes), Node::Bool(no)) => Ok(Node::Bool(BoolNode::If(Box::new((condition, yes, no))))),
            (Node::Number(yes), Node::Number(no)) => {
                Ok(Node::Number(NumberNode::If(Box::new((condition, yes, no)))))
            }
            (Node::Text(yes), Node::Text(no)) => Ok(Node::Text(TextNode::If(Box::new((condition, yes, no))))),
            (yes, no) => self.fault(part, format!("? chooses between {} and {}", yes.kind(), no.kind())),
        }
    }

    fn comparison(
        &mut self,
        part: &IdedExpr,
        comparison: Comparison,
        sign: &str,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Result<Node, Fault> {
        let node = match (self.node(left)?, self.node(right)?) {
            (Node::Number(left), Node::Number(right)) => {
                BoolNode::Numbers(comparison, Box::new((left, right)))
            }
            (Node::Text(left), Node::Text(right)) => BoolNode::Texts(comparison, Box::new((left, right))),
            (Node::Bool(left), Node::Bool(right)) => match comparison {
                Comparison::Equal => BoolNode::Same(Box::new((left, right)), true),
                Comparison::NotEqual => BoolNode::Same(Box::new((left, right)), false),
                _ => return self.fault(part, format!("{sign} compares numbers or texts, these are bools")),
            },
            (left, right) => {
                return self.fault(part, format!("{sign} compares {} with {}", left.kind(), right.kind()));
            }
        };
        Ok(Node::Bool(node))
    }

    fn unary(&mut self, unary: Unary, operand: &IdedExpr, user: &str) -> Result<Node, Fault> {
        let operand = self.number(operand, user)?;
        Ok(Node::Number(NumberNode::Unary(unary, Box::new(operand))))
    }

    fn binary(
        &mut self,
        binary: Binary,
        user: &str,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Result<Node, Fault> {
        let operands = (self.number(left, user)?, self.number(right, user)?);
        Ok(Node::Number(NumberNode::Binary(binary, Box::new(operands))))
    }

    fn membership(&mut self, value: &IdedExpr, list: &IdedExpr) -> Result<Node, Fault> {
        self.count(list)?;
        let Expr::List(ListExpr { elements, .. }) = &list.expr else {
            return self.fault(list, "behind in stands a list, as [1, 2] or [\"a\", \"b\"]");
        };
        let node = match self.node(value)? {
            Node::Number(value) => {
                let listed = elements.iter().map(|element| match self.number(element, "in")? {
                    NumberNode::Literal(number) => Ok(number),
                    _ => self.fault(element, "a list holds literals only"),
                });
                BoolNode::NumberIn(Box::new(value), listed.collect::<Result<_, _>>()?)
            }
            Node::Text(value) => {
                let listed = elements.iter().map(|element| match self.text(element, "in")? {
                    TextNode::Literal(text) => Ok(text),
                    _ => self.fault(element, "a list holds literals only"),
                });
                BoolNode::TextIn(Box::new(value), listed.collect::<Result<_, _>>()?)
            }
            Node::Bool(_) => return self.fault(value, "in takes a number or a text, this is a bool"),
        };
        Ok(Node::Bool(node))
    }

    fn function(&mut self, part: &IdedExpr, call: &CallExpr) -> Result<Node, Fault> {
        let name = call.func_name.as_str();
        let written = match &call.target {
            Some(target) => dotted(&target.expr).map(|target| format!("{target}.{name}")),
            None => Some(name.to_owned()),
        };
        if let Some(function) = written.as_deref().and_then(|name| self.compiler.variables.function(name)) {
            let window = self.window(part, function.name, function.longest, &call.args)?;
            return Ok(self.read(Read { name: function.name, kind: function.kind, window: Some(window) }));
        }
        if let Some(target) = &call.target {
            return self.text_function(part, target, call);
        }
        match (name, call.args.as_slice()) {
            ("size", [text]) => Ok(Node::Number(NumberNode::Size(Box::new(self.text(text, "size")?)))),
            ("min", [first, others @ ..]) if !others.is_empty() => {
                self.extreme(Binary::Smaller, "min", first, others)
            }
            ("max", [first, others @ ..]) if !others.is_empty() => {
                self.extreme(Binary::Larger, "max", first, others)
            }
            ("min" | "max", _) => self.fault(part, format!("{name} takes two numbers or more")),
            (_, arguments) => match (FUNCTIONS.iter().find(|(known, _)| *known == name), arguments) {
                (Some((name, unary)), [operand]) => self.unary(*unary, operand, name),
                (Some(_), _) => self.fault(part, format!("{name} takes one number")),
                (None, _) if name == "size" => self.fault(part, "size takes one text"),
                (None, _) => self.unknown_function(part, name),
            },
        }
    }

    fn unknown_function(&self, part: &IdedExpr, name: &str) -> Result<Node, Fault> {
        let known = self.compiler.known_functions();
        self.fault(part, format!("unknown function {}; known are {known}", shown(name)))
    }

    /// The smallest, or largest, of several numbers.
    fn extreme(
        &mut self,
        binary: Binary,
        user: &str,
        first: &IdedExpr,
        others: &[IdedExpr],
    ) -> Result<Node, Fault> {
        let mut node = self.number(first, user)?;
        for other in others {
            node = NumberNode::Binary(binary, Box::new((node, self.number(other, user)?)));
        }
        Ok(Node::Number(node))
    }

    /// A function that is written behind a text and a dot.
    fn text_function(&mut self, part: &IdedExpr, target: &IdedExpr, call: &CallExpr) -> Result<Node, Fault> {
        let name = call.func_name.as_str();
        let (how, argument) = match (name, call.args.as_slice()) {
            ("size", []) => return Ok(Node::Number(NumberNode::Size(Box::new(self.text(target, "size")?)))),
            ("contains", [argument]) => (Match::Contains, argument),
            ("startsWith", [argument]) => (Match::StartsWith, argument),
            ("endsWith", [argument]) => (Match::EndsWith, argument),
            ("contains" | "startsWith" | "endsWith", _) => {
                return self.fault(part, format!("{name} takes one text"));
            }
            _ => {
                let whole =
                    dotted(&target.expr).map_or_else(|| name.to_owned(), |path| format!("{path}.{name}"));
                return self.unknown_function(part, &whole);
            }
        };
        let texts = (self.text(target, name)?, self.text(argument, name)?);
        Ok(Node::Bool(BoolNode::Match(how, Box::new(texts))))
    }

    /// The window that a function is asked for.
    fn window(
        &self,
        part: &IdedExpr,
        name: &str,
        longest: Duration,
        arguments: &[IdedExpr],
    ) -> Result<Duration, Fault> {
        let [argument] = arguments else {
            return self.fault(part, format!("{name} takes one window, as {name}(\"10m\")"));
        };
        let window = match &argument.expr {
            Expr::Literal(LiteralValue::String(text)) => parse_window(text.inner()),
            _ => None,
        };
        match window {
            Some(window) if window <= longest => Ok(window),
            Some(_) => {
                self.fault(argument, format!("{name} takes a window of at most {}", show_window(longest)))
            }
            None => self.fault(
                argument,
                format!("{name} takes a window such as \"90s\", \"10m\", \"24h\" or \"7d\""),
            ),
        }
    }
}

/// The name that an expression spells, with its dots.
fn dotted(expression: &Expr) -> Option<String> {
    let mut segments = Vec::new();
    let mut rest = expression;
    while let Expr::Select(select) = rest {
        if select.test {
            return None;
        }
        segments.push(select.field.as_str());
        rest = &select.operand.expr;
    }
    let Expr::Ident(root) = rest else {
        return None;
    };
    segments.push(root);
    segments.reverse();
    Some(segments.join("."))
}

fn comparison_of(operator: &str) -> Option<(Comparison, &'static str)> {
    Some(match operator {
        operators::EQUALS => (Comparison::Equal, "=="),
        operators::NOT_EQUALS => (Comparison::NotEqual, "!="),
        operators::LESS => (Comparison::Less, "<"),
        operators::LESS_EQUALS => (Comparison::LessOrEqual, "<="),
        operators::GREATER => (Comparison::Greater, ">"),
        operators::GREATER_EQUALS => (Comparison::GreaterOrEqual, ">="),
        _ => return None,
    })
}

fn arithmetic_of(operator: &str) -> Option<(Binary, &'static str)> {
    Some(match operator {
        operators::ADD => (Binary::Add, "+"),
        operators::SUBSTRACT => (Binary::Subtract, "-"),
        operators::MULTIPLY => (Binary::Multiply, "*"),
        operators::DIVIDE => (Binary::Divide, "/"),
        operators::MODULO => (Binary::Remainder, "%"),
        _ => return None,
    })
}
