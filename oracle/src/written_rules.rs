//! Rules that are written as expressions, over a transaction and all earlier ones of its customer.

use crate::case::{Case, distance_km};
use crate::exact::{Exact, ratio};
use crate::expressions::{Fact, evaluate};
use crate::rules::WrittenRule;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// The score above zero, and the evidence without it.
pub(crate) fn detect(rule: &WrittenRule, case: &Case<'_>) -> Option<(Exact, Value)> {
    let facts = rule.names.iter().chain(&rule.reason_names);
    let facts: HashMap<String, Fact> =
        facts.filter_map(|name| Some((name.clone(), fact(name, case)?))).collect();
    if evaluate(&rule.when, &facts).value != Some(Fact::Bool(true)) {
        return None;
    }
    let Some(Fact::Number(score)) = evaluate(&rule.score, &facts).value else { return None };
    if !score.is_positive() {
        return None;
    }
    let values = rule.names.iter().filter_map(|name| Some((name.clone(), json!(shown(facts.get(name)?)))));
    let details = json!({
        "reason": told(rule, &facts).filter(|told| !told.is_empty()).unwrap_or_else(|| rule.when.clone()),
        "values": values.collect::<Map<_, _>>(),
    });
    Some((Exact::rational(score).clamped(), details))
}

/// The reason; none where one of its expressions has no value.
fn told(rule: &WrittenRule, facts: &HashMap<String, Fact>) -> Option<String> {
    let mut text = String::new();
    let mut rest = rule.reason.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        if rest[at + 1..].starts_with(brace) {
            text.push_str(brace);
            rest = &rest[at + 2..];
            continue;
        }
        let end = at + rest[at..].find('}')?;
        text.push_str(&shown(&evaluate(&rest[at + 1..end], facts).value?));
        rest = &rest[end + 1..];
    }
    text.push_str(rest);
    Some(text)
}

/// At most 3 decimals, rounded half away from zero, without zeros at the end.
fn shown(fact: &Fact) -> String {
    match fact {
        Fact::Bool(value) => value.to_string(),
        Fact::Text(value) => value.clone(),
        Fact::Number(number) => {
            let thousandths =
                (number.abs() * BigRational::from(BigInt::from(1000)) + ratio(1, 2)).floor().to_integer();
            let sign = if number.is_negative() && !thousandths.is_zero() { "-" } else { "" };
            let (whole, rest): (BigInt, BigInt) = (&thousandths / 1000, &thousandths % 1000);
            let decimals = format!("{:03}", rest.magnitude());
            let decimals = decimals.trim_end_matches('0');
            if decimals.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
        }
    }
}

/// What a name stands for; none where it has no value.
fn fact(name: &str, case: &Case<'_>) -> Option<Fact> {
    let own = &case.transaction.decoded;
    let in_currency: Vec<i64> = (case.earlier.iter())
        .filter(|earlier| earlier.decoded.currency == own.currency)
        .map(|earlier| earlier.decoded.cents)
        .collect();
    let minutes: Vec<i64> = case.earlier.iter().map(|earlier| earlier.minute).collect();
    let units = |cents: i64| ratio(cents, 100);
    Some(Fact::Number(match name {
        "currency" => return Some(Fact::Text(own.currency.clone())),
        "payment_method" => return Some(Fact::Text(own.payment_method.clone().unwrap_or_default())),
        "store" => return Some(Fact::Text(own.store_id.clone())),
        "listed" => return Some(Fact::Bool(case.listing.is_some())),
        "amount" => units(own.cents),
        "minute_of_day" => ratio(case.transaction.minute, 1),
        "customer.count" => ratio(in_currency.len(), 1),
        "customer.mean_amount" => mean(&in_currency)? / ratio(100, 1),
        "customer.total_amount" => units(in_currency.iter().sum()),
        "hour.count" => ratio(minutes.len(), 1),
        "hour.mean" => mean(&minutes)?,
        "hour.z_squared" => z_squared(case.transaction.minute, &minutes)?,
        _ => return windowed(name, case).map(Fact::Number),
    }))
}

fn mean(values: &[i64]) -> Option<BigRational> {
    (!values.is_empty()).then(|| ratio(values.iter().sum::<i64>(), values.len()))
}

fn z_squared(minute: i64, minutes: &[i64]) -> Option<BigRational> {
    let mean = mean(minutes)?;
    let off = |minute: i64| (ratio(minute, 1) - &mean).pow(2);
    let squares: BigRational = minutes.iter().map(|minute| off(*minute)).sum();
    (!squares.is_zero()).then(|| off(minute) * (ratio(minutes.len(), 1) - BigRational::one()) / squares)
}

/// A function over a window, such as `count_within("10m")`.
fn windowed(name: &str, case: &Case<'_>) -> Option<BigRational> {
    let own = &case.transaction.decoded;
    let (function, argument) = name.split_once("(\"")?;
    let argument = argument.strip_suffix("\")")?;
    let (digits, unit) = argument.split_at(argument.len().checked_sub(1)?);
    let seconds: i64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => 86_400,
    };
    let window = digits.parse::<i64>().ok()? * seconds * 1_000_000;
    let within = case.earlier.iter().map(|earlier| &earlier.decoded);
    let within = within.filter(|earlier| earlier.event_time > own.event_time - window);
    match function {
        "count_within" => Some(ratio(within.count(), 1)),
        "amount_within" => {
            let cents =
                within.filter(|earlier| earlier.currency == own.currency).map(|earlier| earlier.cents);
            Some(ratio(cents.sum::<i64>(), 100))
        }
        "travel_km" => {
            let previous = case
                .earlier
                .iter()
                .rev()
                .find_map(|earlier| Some((&earlier.decoded, earlier.decoded.place?)));
            let (previous, place) = previous?;
            let near = own.event_time - previous.event_time <= window;
            let millimetres = (distance_km(place, own.place?) * 1000.0 * 1000.0).round();
            near.then(|| ratio(millimetres as i64, 1_000_000))
        }
        _ => None,
    }
}
