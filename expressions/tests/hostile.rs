//! Whatever is given as a source, it is compiled or refused.

#![allow(clippy::unwrap_used)]

mod common;

use common::variables;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use streamflow_expressions::{Expression, Facts, Kind, Number, Template, Value};

/// A quarter of what a thread has by default.
const STACK: usize = 512 << 10;

/// Values of all kinds, the edges among them, and now and then none.
struct Anything;

impl Facts for Anything {
    fn value(&self, slot: usize) -> Option<Value<'_>> {
        [
            Some(Value::Number(Number::whole(i128::MIN))),
            Some(Value::Number(Number::ZERO)),
            Some(Value::Bool(true)),
            Some(Value::Text("é\u{0}")),
            None,
            Number::ratio(i128::MAX, i128::MAX - 1).map(Value::Number),
        ][slot % 6]
    }
}

/// Compiles and evaluates as an expression of each kind and as a template, on a small stack.
fn survives(sources: Vec<String>) -> usize {
    let survivor = move || {
        let variables = variables();
        let mut compiled = 0;
        for source in &sources {
            for kind in [Kind::Bool, Kind::Number, Kind::Text] {
                match Expression::compile(source, &variables, kind) {
                    Ok(expression) => {
                        compiled += 1;
                        let _ = expression.clone().evaluate(&Anything);
                    }
                    Err(problem) => assert!(!problem.to_string().contains('\n'), "{problem}"),
                }
            }
            for source in [source.clone(), format!("a {{{source}}} b")] {
                if let Ok(template) = Template::compile(&source, &variables) {
                    let _ = template.render(&Anything);
                }
            }
        }
        compiled
    };
    std::thread::Builder::new().stack_size(STACK).spawn(survivor).unwrap().join().unwrap()
}

#[test]
fn large_and_deep_sources() {
    let mut sources = vec!["(".repeat(10_000_000), "a".repeat(10_000_000), "{".repeat(10_000_000)];
    for count in [30, 32, 33, 126, 500, 511, 512, 1000, 2000] {
        let repeated = |start: &str, part: &str, end: &str, closing: &str| {
            format!("{start}{}{end}{}", part.repeat(count), closing.repeat(count))
        };
        sources.extend([
            repeated("", "(", "amount", ")"),
            repeated("", "[", "1", "]"),
            repeated("", "abs(", "amount", ")"),
            repeated("", "min(1,", "amount", ")"),
            repeated("", "-", "amount", ""),
            repeated("", "!", "listed", ""),
            repeated("", "!(", "listed", ")"),
            repeated("", "-(", "amount", ")"),
            repeated("", "listed?1:", "1", ""),
            repeated("", "listed?", "1", ":1"),
            repeated("amount", "+amount", "", ""),
            repeated("amount", "-1", "", ""),
            repeated("listed", "&&listed", "", ""),
            repeated("listed", "==listed", "", ""),
            repeated("amount", ".amount", "", ""),
            repeated("amount", "[0]", "", ""),
            repeated("amount", ".f()", "", ""),
            repeated("'a'", ".size()", "", ""),
            repeated("", "amount.map(x,", "x", ")"),
            repeated("", "a{b:", "1", "}"),
            repeated("", "(", "", ""),
            repeated("", ")", "", ""),
            repeated("", "'", "", ""),
            repeated("'\\q", "(", "'", ""),
            repeated("`", "(", "`", ""),
            repeated("", "/", "", ""),
            repeated("amount in [", "1,", "1]", ""),
        ]);
    }
    assert!(survives(sources) > 30);
}

const TOKENS: [&str; 64] = [
    "amount",
    "customer.count",
    "customer",
    "listed",
    "currency",
    "store.name",
    "count_within",
    "'10m'",
    "\"1h\"",
    "'a'",
    "'é'",
    "''",
    "1",
    "0",
    "-1",
    "0.5",
    "1e38",
    "1e-38",
    "0x1F",
    "99999999999",
    "true",
    "false",
    "null",
    "in",
    "abs",
    "min",
    "max",
    "sqrt",
    "floor",
    "round",
    "size",
    "contains",
    "startsWith",
    "has",
    "all",
    "map",
    "if",
    "(",
    ")",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    "?",
    ":",
    "+",
    "-",
    "*",
    "/",
    "%",
    "!",
    "==",
    "!=",
    "<",
    ">=",
    "&&",
    "||",
    " ",
    "\n",
    "//",
];

fn soup(random: &mut ChaCha8Rng) -> String {
    let mut source = String::new();
    for _ in 0..random.random_range(1..20) {
        source += TOKENS.choose(random).unwrap();
    }
    source
}

fn noise(random: &mut ChaCha8Rng) -> String {
    let mut bytes = vec![0; random.random_range(0..40)];
    random.fill_bytes(&mut bytes);
    if random.random_bool(0.5) {
        // Letters that the language knows.
        bytes.iter_mut().for_each(|byte| *byte = b' ' + *byte % 95);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A valid source with one token too many, too few or in another place.
fn damaged(random: &mut ChaCha8Rng) -> String {
    let source = "(amount > 3 * abs ( customer.mean_amount ) && ! listed ? 'a' : currency ) in [ 'a' , 'b' ] \
                  && count_within( '10m' ) >= 3.5";
    let mut tokens: Vec<&str> = source.split(' ').collect();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..tokens.len());
        match random.random_range(0..3) {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, TOKENS.choose(random).unwrap()),
            _ => tokens[at] = TOKENS.choose(random).unwrap(),
        }
    }
    tokens.join(" ")
}

#[test]
fn random_sources() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut sources = Vec::new();
    for _ in 0..4000 {
        sources.extend([soup(&mut random), noise(&mut random), damaged(&mut random)]);
    }
    assert!(survives(sources) > 100);
}
