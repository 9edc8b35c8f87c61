//! What does an evaluation cost, here and with the interpreter of the `cel` crate?
//! `cargo bench -p streamflow-expressions --bench evaluate`
//!
//! The interpreter computes with floats, and its literals are written so: it has no product of an int and a
//! float.

// What the macros of the library make needs no comment.
#![allow(missing_docs, clippy::unwrap_used)]

use cel::parser::Parser;
use cel::{Context, Value as CelValue};
use criterion::{Criterion, criterion_group, criterion_main};
use std::collections::HashMap;
use std::hint::black_box;
use streamflow_expressions::{Expression, Kind, Number, Template, Value, Variable, Variables};

/// A name, our expression, and the interpreter's.
const CASES: [(&str, &str, &str); 3] = [
    (
        "short rule",
        "customer.count >= 5 && amount > 3 * customer.mean_amount",
        "customer.count >= 5.0 && amount > 3.0 * customer.mean_amount",
    ),
    ("first half decides", "customer.count >= 500 && amount > 3 * customer.mean_amount", {
        "customer.count >= 500.0 && amount > 3.0 * customer.mean_amount"
    }),
    (
        "long rule",
        "customer.count >= 5 && amount > 3 * customer.mean_amount && (currency in ['EUR', 'BRL'] || amount > 1000) \
         && amount / customer.mean_amount - 1 > 0.5",
        "customer.count >= 5.0 && amount > 3.0 * customer.mean_amount \
         && (currency in ['EUR', 'BRL'] || amount > 1000.0) && amount / customer.mean_amount - 1.0 > 0.5",
    ),
];

const NAMES: [(&str, Kind, Value<'static>); 4] = [
    ("customer.count", Kind::Number, Value::Number(Number::whole(12))),
    ("amount", Kind::Number, Value::Number(Number::decimal::<2>(98_765))),
    ("customer.mean_amount", Kind::Number, Value::Number(Number::decimal::<2>(12_345))),
    ("currency", Kind::Text, Value::Text("BRL")),
];

fn variables() -> Variables {
    let variables = NAMES.map(|(name, kind, _)| Variable { name, kind, about: "" });
    Variables::new(variables.into(), Vec::new()).unwrap()
}

fn evaluate(criterion: &mut Criterion) {
    let variables = variables();
    let mut context = Context::default();
    let customer = HashMap::from([("count", 12.0), ("mean_amount", 123.45)]);
    context.add_variable_from_value("customer", customer);
    context.add_variable_from_value("amount", 987.65);
    context.add_variable_from_value("currency", "BRL");
    for (name, ours, theirs) in CASES {
        let mut group = criterion.benchmark_group(name);
        let expression = Expression::compile(ours, &variables, Kind::Bool).unwrap();
        let facts: Vec<_> = expression
            .reads()
            .iter()
            .map(|read| NAMES.iter().find(|(name, ..)| *name == read.name).unwrap().2)
            .collect();
        let facts = facts.as_slice();
        group.bench_function("here", |bencher| {
            bencher.iter(|| black_box(&expression).evaluate(black_box(facts)));
        });
        let syntax = Parser::default().parse(theirs).unwrap();
        assert_eq!(expression.holds(facts), CelValue::resolve(&syntax, &context) == Ok(true.into()));
        group.bench_function("interpreter of cel", |bencher| {
            bencher.iter(|| CelValue::resolve_val(black_box(&syntax), black_box(&context)).is_ok());
        });
        group.finish();
    }
}

fn compile(criterion: &mut Criterion) {
    let variables = variables();
    let mut group = criterion.benchmark_group("compile");
    for (name, source, _) in CASES {
        group.bench_function(name, |bencher| {
            bencher.iter(|| Expression::compile(black_box(source), &variables, Kind::Bool).is_ok());
        });
    }
    group.bench_function("reason", |bencher| {
        let source = "amount {amount} is {round(amount / customer.mean_amount)} times the mean";
        bencher.iter(|| Template::compile(black_box(source), &variables).is_ok());
    });
    group.finish();
}

criterion_group!(benches, evaluate, compile);
criterion_main!(benches);
