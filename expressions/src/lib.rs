//! Rules and reasons as analysts write them, in a part of [CEL](https://cel.dev).
//!
//! An expression is compiled once, against the names that it may use, and then evaluated over facts.
//! Compiling checks all that can be checked: the names, the kinds, and how much an evaluation can cost.
//! Evaluating reads only what it reaches, is exact, allocates nothing (only a [`Template`] does, for its
//! text), and depends on nothing but the facts.
//!
//! ```
//! use std::time::Duration;
//! use streamflow_expressions::{
//!     Expression, Function, Kind, Number, Problem, Template, Value, Variable, Variables, Watched,
//! };
//!
//! // What expressions may name.
//! let number = |name, about| Variable { name, kind: Kind::Number, about };
//! let variables = Variables::new(
//!     vec![
//!         number("amount", "The transaction's amount, in its currency."),
//!         number("customer.mean_amount", "The mean of the customer's earlier amounts."),
//!     ],
//!     vec![Function {
//!         name: "count_within",
//!         kind: Kind::Number,
//!         longest: Duration::from_secs(24 * 3600),
//!         about: "How many transactions the customer made in the window before this one.",
//!     }],
//! )?;
//!
//! // A rule, compiled once.
//! let source = r#"amount > 3 * customer.mean_amount && count_within("10m") >= 4"#;
//! let rule = Expression::compile(source, &variables, Kind::Bool)?;
//! let reads: Vec<String> = rule.reads().iter().map(|read| read.to_string()).collect();
//! assert_eq!(reads, ["amount", "customer.mean_amount", "count_within(\"10m\")"]);
//!
//! // Facts are asked for by slot: the index in `reads`. 90.00 is not more than three times 30.00, so the
//! // window is never counted.
//! let facts = [
//!     Value::Number(Number::decimal::<2>(90_00)),
//!     Value::Number(Number::decimal::<2>(30_00)),
//!     Value::Number(Number::whole(4)),
//! ];
//! let watched = Watched::new(&facts);
//! assert_eq!(rule.evaluate(&watched), Ok(Value::Bool(false)));
//! assert_eq!(watched.asked().collect::<Vec<_>>(), [0, 1]);
//!
//! // The reason that people are shown.
//! let reason = "amount {amount} is {round(amount / customer.mean_amount)} times the mean";
//! let reason = Template::compile(reason, &variables)?;
//! assert_eq!(reason.render(&facts)?, "amount 90 is 3 times the mean");
//!
//! // What is wrong is said in one line.
//! let problem = Expression::compile("amount > 3 * customer.mean", &variables, Kind::Bool).unwrap_err();
//! let Problem { column, message, .. } = &problem;
//! assert_eq!(*column, 22);
//! assert_eq!(message, "unknown name customer.mean; known are amount, customer.mean_amount");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The language
//!
//! **Values** are bools, numbers and texts ([`Kind`]). **Literals** are `true` and `false`; `12`, `3.50`,
//! `1.5e3` and `0x1f`; `"text"` and `'text'`, in one line, with the escapes `\\`, `\"`, `\'`, `\n` and `\t`.
//! What follows `//` in a line is a comment.
//!
//! **Variables** are the caller's, with or without dots in their names: `amount`, `customer.count`.
//! **Functions over windows** are the caller's too. Their argument is a literal such as `"90s"`, `"10m"`,
//! `"24h"` or `"7d"`, up to a bound that the caller sets, and is fixed when the expression is compiled.
//!
//! | operators, those that bind strongest first | takes | gives |
//! |---|---|---|
//! | `!a` | a bool | a bool |
//! | `-a` | a number | a number |
//! | `a * b`, `a / b`, `a % b` | numbers; `%` whole ones | a number |
//! | `a + b`, `a - b` | numbers | a number |
//! | `a == b`, `a != b` | two of the same kind | a bool |
//! | `a < b`, `a <= b`, `a > b`, `a >= b` | numbers or texts | a bool |
//! | `a in [1, 2]`, `a in ["x", "y"]` | a number or text, and literals of its kind | a bool |
//! | `a && b` | bools | a bool |
//! | <code>a &#124;&#124; b</code> | bools | a bool |
//! | `a ? b : c` | a bool, and two of the same kind | what it chooses |
//!
//! | functions | |
//! |---|---|
//! | `a.contains(b)`, `a.startsWith(b)`, `a.endsWith(b)` | of texts |
//! | `size(a)`, `a.size()` | how many characters a text has |
//! | `abs(a)` | without its sign |
//! | `min(a, b, ...)`, `max(a, b, ...)` | of two numbers or more |
//! | `floor(a)` | the largest whole number that is not above |
//! | `round(a)` | the nearest whole number; of two, the one farther from zero |
//! | `sqrt(a)` | with 9 decimals below a million, 6 below 10^9, 3 below 10^12, and none above |
//!
//! Texts are compared by their code points.
//!
//! # Numbers
//!
//! A number is an exact fraction ([`Number`]): `0.1 + 0.2 == 0.3` and `amount / 3 * 3 == amount` are true.
//! Only `sqrt` rounds. This is more lenient than CEL, which has ints and doubles and no operator between
//! them: here `3 * 1.5` is 4.5 and `5 / 2` is 2.5. A quotient without its rest is `floor(5 / 2)`.
//!
//! # Failures
//!
//! An evaluation fails ([`Failure`]) where it divides by zero, takes the root of a negative number or the
//! remainder of numbers that are not whole, reads what has no value, or where a result has more than 128 bits
//! above or below the line, in lowest terms. A rule that fails does not trigger ([`Expression::holds`]). As
//! in CEL, `&&` and `||` do not fail where either side decides: `false && x` and `x && false` are false
//! whatever `x` is, and with `true`, `||` is true. So `customer.count > 0 && amount > 3 *
//! customer.mean_amount` is safe, in either order.
//!
//! # What is refused
//!
//! Compiling gives a [`Problem`] for names and functions that are not known, kinds that do not fit, and for
//! what CEL has and this language has not: maps, messages, lists elsewhere than behind `in`, indexes, `null`,
//! bytes, unsigned numbers, raw texts and texts in three quotes, `has`, `all`, `exists`, `filter`, `map`,
//! regular expressions, durations and timestamps, and joining texts by `+`.
//!
//! A source has at most 4 KiB, 1024 words and signs, brackets and conditions nested 32 deep, and 256
//! operations, names and literals. That bounds what compiling and evaluating can cost, whoever wrote the
//! source.

mod compile;
mod environment;
mod expression;
mod failure;
mod node;
mod number;
mod parse;
mod problem;
mod read;
mod scan;
mod template;
mod value;
mod wide;

pub use environment::{BadName, Function, Kind, Variable, Variables};
pub use expression::Expression;
pub use failure::Failure;
pub use number::Number;
pub use problem::Problem;
pub use read::Read;
pub use template::Template;
pub use value::{Facts, Value, Watched};
