//! What the language is, and what it refuses.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::variables;
use streamflow_expressions::{Expression, Facts, Failure, Kind, Number, Template, Value, Watched};

/// The variables' values, by name.
struct Named<'a>(&'a Expression);

impl Facts for Named<'_> {
    fn value(&self, slot: usize) -> Option<Value<'_>> {
        Some(match self.0.reads()[slot].to_string().as_str() {
            "amount" => Value::Number(Number::decimal::<2>(12_550)),
            "customer.count" => Value::Number(Number::whole(5)),
            "customer.mean_amount" => Value::Number(Number::decimal::<2>(2_510)),
            "customer.is_new" => Value::Bool(false),
            "listed" => Value::Bool(true),
            "currency" => Value::Text("BRL"),
            "store.name" => Value::Text("Café São João"),
            "count_within(\"10m\")" => Value::Number(Number::whole(3)),
            // The facts have no sum.
            _ => return None,
        })
    }
}

fn evaluated(source: &str, kind: Kind) -> String {
    let expression = Expression::compile(source, &variables(), kind).unwrap_or_else(|problem| {
        panic!("{source}: {problem}");
    });
    match expression.evaluate(&Named(&expression)) {
        Ok(value) => value.to_string(),
        Err(failure) => failure.to_string(),
    }
}

fn refused(source: &str) -> String {
    Expression::compile(source, &variables(), Kind::Bool).unwrap_err().to_string()
}

#[test]
fn numbers_are_exact() {
    for (source, value) in [
        ("0.1 + 0.2 == 0.3", "true"),
        ("amount == 125.5", "true"),
        ("amount / 3 * 3 == amount", "true"),
        ("amount > 5 * customer.mean_amount", "false"),
        ("amount >= 5 * customer.mean_amount", "true"),
        ("1 / 3 + 1 / 6 == 0.5", "true"),
        ("5 / 2 == 2.5", "true"),
        ("0x10 == 16 && 1.5e3 == 1500 && .5 == 1 / 2", "true"),
        ("-amount < 0 && - 3 == 0 - 3 && !(-(-1) == -1)", "true"),
        ("0.12345678901234567890123456789 != 0.1234567890123456789012345679", "true"),
        ("7 % 3 == 1 && -7 % 3 == -1", "true"),
        ("sqrt(2.25) == 1.5 && sqrt(amount * amount) == amount", "true"),
        ("sqrt(2) == 1.414213562", "true"),
        ("floor(-1.5) == -2 && round(-1.5) == -2 && round(1.4) == 1 && abs(-1.5) == 1.5", "true"),
        ("min(3, 1, 2) == 1 && max(3, amount) == amount", "true"),
        ("2 + 3 * 4 == 14 && (2 + 3) * 4 == 20 && 10 - 2 - 3 == 5", "true"),
    ] {
        assert_eq!(evaluated(source, Kind::Bool), value, "{source}");
    }
}

#[test]
fn texts_and_lists_and_conditions() {
    for source in [
        "currency in ['BRL', 'USD'] && !(currency in [])",
        "customer.count in [1, 5.0] && !(customer.count in [-5])",
        "store.name.contains('São') && store.name.startsWith('Caf') && store.name.endsWith(\"João\")",
        "size(store.name) == 13 && store.name.size() == 13 && ''.size() == 0",
        "currency < 'USD' && currency != 'brl' && 'a' < 'é'",
        "(listed ? currency : store.name) == 'BRL'",
        "(customer.is_new ? 1 : customer.count) == 5",
        "(customer.is_new ? listed : !customer.is_new) == listed",
        "customer.is_new != listed",
        "count_within('600s') == count_within(\"10m\")",
        "false ? false : listed ? true : false // a comment",
        "'\\\\ \\' \\n'.size() == 5",
    ] {
        assert_eq!(evaluated(source, Kind::Bool), "true", "{source}");
    }
}

#[test]
fn failures_are_commutative_with_what_decides() {
    let fails = "1 / 0 > 1";
    for (source, value) in [
        (format!("{fails} && false"), "false"),
        (format!("false && {fails}"), "false"),
        (format!("{fails} || true"), "true"),
        (format!("true || {fails}"), "true"),
        (format!("{fails} && true"), "division by zero"),
        (format!("true && {fails}"), "division by zero"),
        (format!("{fails} || false"), "division by zero"),
        (format!("!({fails})"), "division by zero"),
        (format!("{fails} ? true : true"), "division by zero"),
        (format!("listed ? true : {fails}"), "true"),
        ("sqrt(-1) > 0".to_owned(), "square root of a negative number"),
        ("1.5 % 1 == 0".to_owned(), "remainder of numbers that are not whole"),
        ("1 % (amount - amount) == 0".to_owned(), "division by zero"),
        ("customer.sum_within('1h') > 0".to_owned(), "what slot 0 reads has no value"),
        ("1e38 * 10 > 1".to_owned(), "a number is too large or too fine"),
        ("1e38 * 1e38 / 1e38 > 1".to_owned(), "a number is too large or too fine"),
    ] {
        assert_eq!(evaluated(&source, Kind::Bool), value, "{source}");
    }
}

#[test]
fn what_is_wrong_is_one_line_with_its_place() {
    for (source, problem) in [
        (
            "amount > limit",
            "column 10: unknown name limit; known are amount, customer.count, customer.mean_amount, \
             customer.is_new, listed, currency, store.name",
        ),
        (
            "amount > twice(2)",
            "column 15: unknown function twice; known are count_within, customer.sum_within, abs, sqrt, floor, round, \
             min, max, size",
        ),
        ("amount", "column 1: a bool is expected here, this is a number"),
        ("amount && listed", "column 1: && takes a bool, this is a number"),
        ("amount +\n currency > 1", "line 2, column 2: + takes a number, this is a text"),
        ("currency > 1", "column 10: > compares a text with a number"),
        ("listed < true", "column 8: < compares numbers or texts, these are bools"),
        ("listed ? 1 : currency == 'a'", "column 8: ? chooses between a number and a bool"),
        ("!amount == 1", "column 2: ! takes a bool, this is a number"),
        ("amount in ['a']", "column 12: in takes a number, this is a text"),
        ("amount in [amount]", "column 12: a list holds literals only"),
        ("amount in amount", "column 11: behind in stands a list, as [1, 2] or [\"a\", \"b\"]"),
        ("[1] == [1]", "column 1: a list stands only behind in"),
        ("size(amount) == 1", "column 6: size takes a text, this is a number"),
        ("min(1) == 1", "column 4: min takes two numbers or more"),
        ("abs(1, 2) == 1", "column 4: abs takes one number"),
        ("currency.contains() || listed", "column 18: contains takes one text"),
        ("count_within('2h') > 1", "column 14: count_within takes a window of at most \"1h\""),
        (
            "count_within(amount) > 1",
            "column 14: count_within takes a window such as \"90s\", \"10m\", \"24h\" or \"7d\"",
        ),
        ("count_within() > 1", "column 13: count_within takes one window, as count_within(\"10m\")"),
        ("has(customer.count)", "column 4: has() is not part of this language"),
        (
            "[1, 2].exists(x, x > 1)",
            "column 14: all, exists, exists_one, filter and map are not part of this language",
        ),
        ("{'a': 1} == {}", "column 1: maps and messages, written with { }, are not part of this language"),
        ("listed}", "column 7: maps and messages, written with { }, are not part of this language"),
        ("null == null", "column 1: null is not part of this language"),
        ("5u == 5", "column 1: numbers are written without u"),
        ("b'a' == b'a'", "column 1: b directly before a text is not part of this language"),
        ("currency[0] == 'B'", "column 9: indexes are not part of this language"),
        ("(currency).length == 1", "column 11: unknown name currency.length; known are"),
        ("'a'.b == 1", "column 4: only names have fields"),
        ("amount > 1e39", "column 10: this number is too large or too fine"),
        ("amount > 99999999999999999999", "column 10: invalid int literal"),
        ("'é' == currency && amount >", "column 28: mismatched input the end"),
        ("listed listed", "column 8: extraneous input 'listed'"),
        ("listed\n&& == 1", "line 2, column 4: extraneous input '=='"),
        ("", "column 1: mismatched input the end"),
        ("if == 1", "column 1: reserved identifier: if"),
        ("amount ¤ 1", "column 8: the character ¤ is not part of this language"),
        ("timestamp('2026') > 1", "column 10: unknown function timestamp; known are"),
    ] {
        let found = refused(source);
        assert!(found.starts_with(problem), "{source}: {found}");
        assert!(!found.contains('\n'), "{source}: {found}");
    }
}

#[test]
fn cost_is_bounded() {
    let sum = |terms: usize| vec!["1"; terms].join(" + ") + " > 1";
    assert!(Expression::compile(&sum(127), &variables(), Kind::Bool).is_ok());
    assert!(refused(&sum(128)).ends_with("more than 256 operations, names and literals"));
    let list = format!("amount in [{}]", vec!["1"; 300].join(","));
    assert!(refused(&list).ends_with("more than 256 operations, names and literals"));
}

#[test]
fn only_what_is_reached_is_read() {
    let source = "customer.count >= 6 && amount > 100 || currency == 'BRL' && currency != ''";
    let expression = Expression::compile(source, &variables(), Kind::Bool).unwrap();
    let reads: Vec<String> = expression.reads().iter().map(ToString::to_string).collect();
    assert_eq!(reads, ["customer.count", "amount", "currency"]);
    let facts = [Value::Number(Number::whole(5)), Value::Bool(false), Value::Text("BRL")];
    let watched = Watched::new(&facts);
    assert_eq!(expression.evaluate(&watched), Ok(Value::Bool(true)));
    assert_eq!(watched.asked().collect::<Vec<_>>(), [0, 2]);
    let facts = [Value::Number(Number::whole(6)), Value::Bool(false), Value::Text("USD")];
    assert_eq!(expression.evaluate(&facts), Err(Failure::Mistyped(1)));
    assert!(!expression.holds(&facts));
}

#[test]
fn every_slot_is_watched() {
    let names: Vec<&'static str> =
        (0..128).map(|number| &*Box::leak(format!("n{number}").into_boxed_str())).collect();
    let variable =
        |name: &&'static str| streamflow_expressions::Variable { name, kind: Kind::Number, about: "" };
    let variables =
        streamflow_expressions::Variables::new(names.iter().map(variable).collect(), Vec::new()).unwrap();
    let expression = Expression::compile(&names.join(" + "), &variables, Kind::Number).unwrap();
    let facts = [Value::Number(Number::ONE); 128];
    let watched = Watched::new(&facts);
    assert_eq!(expression.evaluate(&watched), Ok(Value::Number(Number::whole(128))));
    assert_eq!(watched.asked().count(), 128);
}

#[test]
fn expressions_are_shared_between_threads_and_equal_by_source() {
    fn shared<T: Send + Sync + Clone + std::fmt::Debug + PartialEq>() {}
    shared::<Expression>();
    shared::<Template>();
    let compile = |source| Expression::compile(source, &variables(), Kind::Bool).unwrap();
    assert_eq!(compile("listed"), compile("listed"));
    assert_ne!(compile("listed"), compile("listed "));
    assert_eq!(compile("listed").source(), "listed");
    assert_eq!(compile("listed").kind(), Kind::Bool);
}

#[test]
fn templates_show_values() {
    let facts =
        [Value::Number(Number::decimal::<2>(12_550)), Value::Number(Number::whole(25)), Value::Text("é")];
    let shown = |source: &str| {
        let template = Template::compile(source, &variables()).unwrap_or_else(|problem| panic!("{problem}"));
        template.render(&facts)
    };
    let reason = "amount {amount} is {round(amount / customer.mean_amount)} times the mean {currency}";
    assert_eq!(shown(reason).unwrap(), "amount 125.5 is 5 times the mean é");
    assert_eq!(shown("").unwrap(), "");
    assert_eq!(shown("no ünicode {{amount}} }}{{").unwrap(), "no ünicode {amount} }{");
    assert_eq!(shown("{{{amount}}}").unwrap(), "{125.5}");
    assert_eq!(shown("{'}{' == '}'}{\"}\"}").unwrap(), "false}");
    assert_eq!(shown("{1/3} {-2/3} {0.0004} {-0.0004} {999.9995} {1e20}").unwrap(), {
        "0.333 -0.667 0 0 1000 100000000000000000000"
    });
    assert_eq!(shown("{amount / 0}"), Err(Failure::DivisionByZero));
}

#[test]
fn templates_are_checked() {
    for (source, problem) in [
        ("é {amount", "column 3: this { is not closed by a }"),
        ("a } b", "column 3: this } closes no {; a single one is written }}"),
        ("é {amount >}", "column 12: mismatched input the end"),
        ("a {'b}", "column 4: this text is not closed in its line"),
        ("a {}", "column 4: mismatched input the end"),
        ("a {(amount}", "column 4: this bracket is not closed"),
        ("é\n{limit}", "line 2, column 2: unknown name limit"),
        ("{ {amount} }", "column 3: maps and messages"),
    ] {
        let found = Template::compile(source, &variables()).unwrap_err().to_string();
        assert!(found.starts_with(problem), "{source}: {found}");
    }
    let wide = vec!["{amount + 1}"; 100].join(" ");
    let found = Template::compile(&wide, &variables()).unwrap_err().to_string();
    assert!(found.ends_with("more than 256 operations, names and literals"), "{found}");
}
