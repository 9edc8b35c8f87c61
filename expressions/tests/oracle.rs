//! Random expressions against an evaluator that walks the syntax tree over rationals of any size.
//!
//! `STREAMFLOW_CASES` and `STREAMFLOW_SEED` ask for more, or other, cases.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::variables;
use num_rational::BigRational;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use streamflow_expressions::{Expression, Facts, Failure, Kind, Number, Read, Value};
use streamflow_oracle::Fact;

const CASES: u64 = 20_000;

/// The same values for both evaluators.
#[derive(Debug)]
struct World {
    numbers: HashMap<&'static str, Number>,
    bools: HashMap<&'static str, bool>,
    texts: HashMap<&'static str, &'static str>,
}

const NUMBERS: [&str; 5] = [
    "amount",
    "customer.count",
    "customer.mean_amount",
    "count_within(\"10m\")",
    "customer.sum_within(\"1h\")",
];
const BOOLS: [&str; 2] = ["customer.is_new", "listed"];
const TEXTS: [&str; 2] = ["currency", "store.name"];
const SOME_TEXTS: [&str; 6] = ["", "a", "BRL", "aBRLé", "é", "ab"];

struct Case<'a> {
    random: &'a mut ChaCha8Rng,
}

impl Case<'_> {
    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[self.random.random_range(0..words.len())]
    }

    fn world(&mut self) -> World {
        let mut world = World { numbers: HashMap::new(), bools: HashMap::new(), texts: HashMap::new() };
        for name in NUMBERS {
            if self.random.random_bool(0.95) {
                let number = self.number_value();
                world.numbers.insert(name, number);
            }
        }
        for name in BOOLS {
            let value = self.random.random();
            world.bools.insert(name, value);
        }
        for name in TEXTS {
            let value = self.pick(&SOME_TEXTS);
            world.texts.insert(name, value);
        }
        world
    }

    fn number_value(&mut self) -> Number {
        match self.random.random_range(0..10) {
            0..4 => Number::decimal::<2>(self.random.random_range(-500..5000)),
            4..7 => Number::whole(self.random.random_range(-3..10)),
            7 => Number::ratio(self.random.random(), self.random.random_range(1..=i128::MAX)).unwrap(),
            8 => Number::ratio(self.random.random_range(-9..9), self.random.random_range(1..9)).unwrap(),
            _ => [i128::MIN, i128::MIN + 1, i128::MAX, i128::MAX - 1].map(Number::whole)
                [self.random.random_range(0..4)],
        }
    }

    fn source(&mut self, kind: Kind, depth: u32) -> String {
        match kind {
            Kind::Bool => self.bool(depth),
            Kind::Number => self.number(depth),
            Kind::Text => self.text(depth),
        }
    }

    fn conditional(&mut self, kind: Kind, depth: u32) -> String {
        let (condition, yes, no) = (self.bool(depth), self.source(kind, depth), self.source(kind, depth));
        format!("({condition} ? {yes} : {no})")
    }

    fn bool(&mut self, depth: u32) -> String {
        if depth == 0 {
            let words = ["true", "false", BOOLS[0], BOOLS[1]];
            return self.pick(&words).to_owned();
        }
        let depth = depth - 1;
        match self.random.random_range(0..11) {
            0 => format!("!({})", self.bool(depth)),
            1 => self.conditional(Kind::Bool, depth),
            2 => {
                let operator = self.pick(&["==", "!="]);
                format!("({} {operator} {})", self.bool(depth), self.bool(depth))
            }
            3 => {
                let operator = self.pick(&["==", "!=", "<", "<=", ">", ">="]);
                format!("({} {operator} {})", self.text(depth), self.text(depth))
            }
            4 => format!("({} in [1, -2, 0.5, 12.50])", self.number(depth)),
            5 => format!("({} in ['a', 'BRL', 'é'])", self.text(depth)),
            6 => {
                let function = self.pick(&["contains", "startsWith", "endsWith"]);
                format!("{}.{function}({})", self.text(depth), self.text(depth))
            }
            7 | 8 => {
                let operator = self.pick(&["&&", "||"]);
                format!("({} {operator} {})", self.bool(depth), self.bool(depth))
            }
            _ => {
                let operator = self.pick(&["==", "!=", "<", "<=", ">", ">="]);
                format!("({} {operator} {})", self.number(depth), self.number(depth))
            }
        }
    }

    fn number(&mut self, depth: u32) -> String {
        if depth == 0 {
            let literals = ["0", "1", "2", "-3", "0.5", "3.50", "0.07", "1e-3", "2e20", "1e-30", "0x1f"];
            let words = if self.random.random() { literals.as_slice() } else { NUMBERS.as_slice() };
            return self.pick(words).to_owned();
        }
        let depth = depth - 1;
        match self.random.random_range(0..10) {
            0 => format!("-({})", self.number(depth)),
            1 => self.conditional(Kind::Number, depth),
            2 => format!("size({})", self.text(depth)),
            3 => {
                let function = self.pick(&["abs", "sqrt", "floor", "round"]);
                format!("{function}({})", self.number(depth))
            }
            4 => {
                let function = self.pick(&["min", "max"]);
                format!("{function}({}, {})", self.number(depth), self.number(depth))
            }
            _ => {
                let operator = self.pick(&["+", "-", "*", "/", "%"]);
                format!("({} {operator} {})", self.number(depth), self.number(depth))
            }
        }
    }

    fn text(&mut self, depth: u32) -> String {
        if depth > 0 && self.random.random_bool(0.2) {
            return self.conditional(Kind::Text, depth - 1);
        }
        match self.random.random_range(0..4) {
            0 => TEXTS[0].to_owned(),
            1 => TEXTS[1].to_owned(),
            _ => format!("'{}'", self.pick(&SOME_TEXTS)),
        }
    }
}

impl World {
    fn facts(&self) -> HashMap<String, Fact> {
        let number = |number: &Number| {
            Fact::Number(BigRational::new(number.numerator().into(), number.denominator().into()))
        };
        let numbers = self.numbers.iter().map(|(name, value)| ((*name).to_owned(), number(value)));
        let bools = self.bools.iter().map(|(name, value)| ((*name).to_owned(), Fact::Bool(*value)));
        let texts =
            self.texts.iter().map(|(name, value)| ((*name).to_owned(), Fact::Text((*value).to_owned())));
        numbers.chain(bools).chain(texts).collect()
    }
}

struct Slots<'a> {
    world: &'a World,
    reads: &'a [Read],
}

impl Facts for Slots<'_> {
    fn value(&self, slot: usize) -> Option<Value<'_>> {
        let name = self.reads[slot].to_string();
        let number = self.world.numbers.get(name.as_str()).copied().map(Value::Number);
        let bool = self.world.bools.get(name.as_str()).copied().map(Value::Bool);
        let text = self.world.texts.get(name.as_str()).copied().map(Value::Text);
        number.or(bool).or(text)
    }
}

fn same(value: Value<'_>, fact: &Fact) -> bool {
    match (value, fact) {
        (Value::Bool(value), Fact::Bool(fact)) => value == *fact,
        (Value::Text(value), Fact::Text(fact)) => value == fact,
        (Value::Number(value), Fact::Number(fact)) => {
            BigRational::new(value.numerator().into(), value.denominator().into()) == *fact
        }
        _ => false,
    }
}

fn asked(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |value| value.parse().unwrap())
}

/// How often an outcome was seen, so that none is tested in vain.
#[derive(Debug, Default)]
struct Seen {
    values: u64,
    failures: u64,
    overflows: u64,
}

#[test]
fn equals_the_oracle() {
    let variables = variables();
    let (cases, first) = (asked("STREAMFLOW_CASES", CASES), asked("STREAMFLOW_SEED", 1));
    let mut seen = Seen::default();
    for seed in first..first + cases {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut case = Case { random: &mut random };
        let world = case.world();
        let kind = [Kind::Bool, Kind::Number, Kind::Text][(seed % 3) as usize];
        let source = case.source(kind, 1 + (seed % 4) as u32);
        let expression = Expression::compile(&source, &variables, kind)
            .unwrap_or_else(|problem| panic!("seed {seed}: {source}: {problem}"));
        let slots = Slots { world: &world, reads: expression.reads() };
        let ours = expression.evaluate(&slots);
        let theirs = streamflow_oracle::evaluate(&source, &world.facts());
        let agree = match (ours, &theirs.value) {
            (Ok(value), Some(fact)) => same(value, fact),
            (Ok(_), None) => false,
            (Err(Failure::Overflow), _) => !theirs.small,
            // What failed beside an overflow may have been decided otherwise without it.
            (Err(_), fact) => fact.is_none() || !theirs.small,
        };
        assert!(agree, "seed {seed}: {source} over {world:?}: {ours:?}, but {theirs:?}");
        match ours {
            Ok(_) => seen.values += 1,
            Err(Failure::Overflow) => seen.overflows += 1,
            Err(_) => seen.failures += 1,
        }
    }
    if cases >= CASES {
        assert!(
            seen.values > cases / 2 && seen.failures > cases / 50 && seen.overflows > cases / 100,
            "{seen:?}"
        );
    }
    println!("{seen:?}");
}
