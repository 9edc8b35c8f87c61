//! Expressions, evaluated by walking CEL's syntax tree over rationals of any size.
//!
//! Variables are looked up by their names, as `customer.count`, functions over windows by how they are
//! written, with double quotes, or in the largest unit: `count_within("10m")`.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, SourceInfo};
use cel::parser::Parser;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Pow, Signed, ToPrimitive, Zero};
use std::collections::HashMap;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// True or false.
    Bool(bool),
    /// A number of any size.
    Number(BigRational),
    /// A text.
    Text(String),
}

/// What an evaluation gave.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The value; none where there is none: a division by zero, a root of a negative number, a remainder of
    /// numbers that are not whole, a name without a value, or a source that is not of the language.
    pub value: Option<Fact>,
    /// Whether every number on the way had a numerator and a denominator of 128 bits, in lowest terms.
    pub small: bool,
}

/// Evaluates a source over what its names stand for.
pub fn evaluate(source: &str, names: &HashMap<String, Fact>) -> Evaluation {
    let Ok((root, positions)) = Parser::new().parse_with_source_info(source) else {
        return Evaluation { value: None, small: true };
    };
    let mut walk = Walk { source, positions, names, small: true };
    let value = walk.value(&root);
    Evaluation { value, small: walk.small }
}

struct Walk<'a> {
    source: &'a str,
    positions: SourceInfo,
    names: &'a HashMap<String, Fact>,
    small: bool,
}

impl Walk<'_> {
    fn value(&mut self, part: &IdedExpr) -> Option<Fact> {
        let value = match &part.expr {
            Expr::Literal(literal) => self.literal(part, literal),
            Expr::Ident(_) | Expr::Select(_) => self.names.get(&name_of(part)?).cloned(),
            Expr::Call(call) => self.call(call),
            _ => None,
        };
        if let Some(Fact::Number(number)) = &value {
            self.small &= i128::try_from(number.numer().clone()).is_ok()
                && i128::try_from(number.denom().clone()).is_ok();
        }
        value
    }

    fn literal(&self, part: &IdedExpr, literal: &LiteralValue) -> Option<Fact> {
        match literal {
            LiteralValue::Boolean(value) => Some(Fact::Bool(*value.inner())),
            LiteralValue::String(value) => Some(Fact::Text(value.inner().to_owned())),
            LiteralValue::Int(value) => Some(Fact::Number(BigInt::from(*value.inner()).into())),
            LiteralValue::Double(value) => {
                let (first, last) = self.positions.offset_for(part.id)?;
                let number = decimal(self.source.get(first as usize..=last as usize)?)?;
                Some(Fact::Number(if value.inner().is_sign_negative() { -number } else { number }))
            }
            _ => None,
        }
    }

    fn bool(&mut self, part: &IdedExpr) -> Option<bool> {
        match self.value(part)? {
            Fact::Bool(value) => Some(value),
            _ => None,
        }
    }

    fn number(&mut self, part: &IdedExpr) -> Option<BigRational> {
        match self.value(part)? {
            Fact::Number(value) => Some(value),
            _ => None,
        }
    }

    fn text(&mut self, part: &IdedExpr) -> Option<String> {
        match self.value(part)? {
            Fact::Text(value) => Some(value),
            _ => None,
        }
    }

    fn call(&mut self, call: &CallExpr) -> Option<Fact> {
        if let Some(written) = window_of(call) {
            return self.names.get(&written).or_else(|| self.names.get(&shortest(&written))).cloned();
        }
        let parts: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        match (call.func_name.as_str(), parts.as_slice()) {
            ("_?_:_", [condition, yes, no]) => {
                if self.bool(condition)? {
                    self.value(yes)
                } else {
                    self.value(no)
                }
            }
            ("_&&_", [left, right]) => self.junction(left, right, false),
            ("_||_", [left, right]) => self.junction(left, right, true),
            ("!_", [operand]) => Some(Fact::Bool(!self.bool(operand)?)),
            ("-_", [operand]) => Some(Fact::Number(-self.number(operand)?)),
            ("_==_", [left, right]) => Some(Fact::Bool(self.value(left)? == self.value(right)?)),
            ("_!=_", [left, right]) => Some(Fact::Bool(self.value(left)? != self.value(right)?)),
            ("_<_" | "_<=_" | "_>_" | "_>=_", [left, right]) => self.order(&call.func_name, left, right),
            ("@in", [value, list]) => self.membership(value, list),
            ("contains" | "startsWith" | "endsWith", [text, part]) => {
                self.part_of(&call.func_name, text, part)
            }
            ("size", [text]) => Some(Fact::Number(BigInt::from(self.text(text)?.chars().count()).into())),
            (name, [operand]) => self.number_function(name, operand),
            ("min" | "max", numbers) => {
                let numbers: Option<Vec<_>> = numbers.iter().map(|number| self.number(number)).collect();
                let numbers = numbers?.into_iter();
                if call.func_name == "min" { numbers.min() } else { numbers.max() }.map(Fact::Number)
            }
            (operator, [left, right]) => self.arithmetic(operator, left, right),
            _ => None,
        }
    }

    /// `&&` and `||`: one side that decides is enough, even where the other has no value.
    fn junction(&mut self, left: &IdedExpr, right: &IdedExpr, deciding: bool) -> Option<Fact> {
        let left = self.bool(left);
        if left == Some(deciding) {
            return Some(Fact::Bool(deciding));
        }
        let right = self.bool(right);
        if right == Some(deciding) {
            return Some(Fact::Bool(deciding));
        }
        // Neither decides, so where both have a value, it is the other one.
        left.and(right).map(|_| Fact::Bool(!deciding))
    }

    fn order(&mut self, operator: &str, left: &IdedExpr, right: &IdedExpr) -> Option<Fact> {
        let ordering = match (self.value(left)?, self.value(right)?) {
            (Fact::Number(left), Fact::Number(right)) => left.cmp(&right),
            (Fact::Text(left), Fact::Text(right)) => left.cmp(&right),
            _ => return None,
        };
        Some(Fact::Bool(match operator {
            "_<_" => ordering.is_lt(),
            "_<=_" => ordering.is_le(),
            "_>_" => ordering.is_gt(),
            _ => ordering.is_ge(),
        }))
    }

    fn membership(&mut self, value: &IdedExpr, list: &IdedExpr) -> Option<Fact> {
        let Expr::List(list) = &list.expr else {
            return None;
        };
        let value = self.value(value)?;
        let listed: Option<Vec<_>> = list.elements.iter().map(|element| self.value(element)).collect();
        Some(Fact::Bool(listed?.contains(&value)))
    }

    fn part_of(&mut self, name: &str, text: &IdedExpr, part: &IdedExpr) -> Option<Fact> {
        let (text, part) = (self.text(text)?, self.text(part)?);
        Some(Fact::Bool(match name {
            "contains" => text.contains(&part),
            "startsWith" => text.starts_with(&part),
            _ => text.ends_with(&part),
        }))
    }

    fn number_function(&mut self, name: &str, operand: &IdedExpr) -> Option<Fact> {
        let number = self.number(operand)?;
        Some(Fact::Number(match name {
            "abs" => number.abs(),
            "floor" => number.floor(),
            "round" => number.round(),
            "sqrt" => root(&number)?,
            _ => return None,
        }))
    }

    fn arithmetic(&mut self, operator: &str, left: &IdedExpr, right: &IdedExpr) -> Option<Fact> {
        let (left, right) = (self.number(left)?, self.number(right)?);
        Some(Fact::Number(match operator {
            "_+_" => left + right,
            "_-_" => left - right,
            "_*_" => left * right,
            "_/_" if !right.is_zero() => left / right,
            "_%_" if left.is_integer() && right.is_integer() && !right.is_zero() => left % right,
            _ => return None,
        }))
    }
}

/// The square root of the quotient of numerator and denominator as floats, in 15 digits: with 9 decimals at
/// most, and 3 fewer for each 3 digits of it beyond a million.
fn root(number: &BigRational) -> Option<BigRational> {
    if number.is_negative() {
        return None;
    }
    let (numerator, denominator) = (number.numer().to_f64()?, number.denom().to_f64()?);
    let root = (numerator / denominator).sqrt();
    let decimals = [(1e6, 9), (1e9, 6), (1e12, 3)].iter().find(|(limit, _)| root < *limit);
    let units = 10u64.pow(decimals.map_or(0, |(_, decimals)| *decimals));
    let (whole, rest) = (BigInt::from(root.trunc() as u128), (root.fract() * units as f64).round() as u64);
    Some(BigRational::from(whole) + BigRational::new(rest.into(), units.into()))
}

/// The number that a literal is written as.
fn decimal(text: &str) -> Option<BigRational> {
    let lower = text.to_lowercase();
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: BigInt = format!("0{whole}{decimals}").parse().ok()?;
    let exponent = exponent.parse::<i32>().ok()?.checked_sub(decimals.len() as i32)?;
    Some(BigRational::from(digits) * BigRational::from(BigInt::from(10)).pow(exponent))
}

fn name_of(part: &IdedExpr) -> Option<String> {
    match &part.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => Some(format!("{}.{}", name_of(&select.operand)?, select.field)),
        _ => None,
    }
}

/// How a function of one text is written, unless the text is something to be found in its target.
fn window_of(call: &CallExpr) -> Option<String> {
    let [argument] = call.args.as_slice() else {
        return None;
    };
    let Expr::Literal(LiteralValue::String(window)) = &argument.expr else {
        return None;
    };
    if ["contains", "startsWith", "endsWith", "size"].contains(&call.func_name.as_str()) {
        return None;
    }
    let target = match &call.target {
        Some(target) => format!("{}.", name_of(target)?),
        None => String::new(),
    };
    Some(format!("{target}{}(\"{}\")", call.func_name, window.inner()))
}

/// The same function with its window in the largest unit that it is a whole number of: 900s are 15m.
fn shortest(written: &str) -> String {
    let window = written.split_once("(\"").and_then(|(name, rest)| Some((name, rest.strip_suffix("\")")?)));
    let Some((name, window)) = window else { return written.to_owned() };
    let (digits, unit) = window.split_at(window.len().saturating_sub(1));
    let unit = UNITS.iter().find(|(letter, _)| *letter == unit);
    let seconds = unit.and_then(|(_, seconds)| digits.parse::<u64>().ok()?.checked_mul(*seconds));
    let Some(seconds) = seconds else { return written.to_owned() };
    let largest = UNITS.iter().rev().find(|(_, unit)| seconds.is_multiple_of(*unit));
    largest.map_or(written.to_owned(), |(letter, unit)| format!("{name}(\"{}{letter}\")", seconds / unit))
}

/// The units of a window, in seconds, ascending.
const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
