//! The detectors and the combined score, each evaluated over all earlier transactions.

use crate::decode::Decoded;
use crate::exact::{Exact, ratio};
use crate::expected::{Entity, ListEntry};
use crate::instant::rfc3339;
use crate::intake::Current;
use crate::rules::Rules;
use num_rational::BigRational;
use num_traits::Zero;
use serde_json::{Value, json};

const SECOND: i64 = 1_000_000;
const EARTH_RADIUS_KM: f64 = 6371.0;

/// A detector that triggered.
pub(crate) struct Hit {
    pub rule: &'static str,
    /// Its score in thousandths.
    pub thousandths: i64,
    /// The evidence with the score.
    pub details: Value,
    weight: u32,
    score: Exact,
}

impl Hit {
    fn new(rule: &'static str, weight: u32, score: Exact, mut details: Value) -> Self {
        let thousandths = score.rounded(1000);
        details["score"] = json!(thousandths as f64 / 1000.0);
        Self { rule, thousandths, details, weight, score }
    }
}

/// The outcome of the rules on a transaction.
#[derive(Default)]
pub(crate) struct Verdict {
    /// Combined score in thousandths.
    pub score: i64,
    pub alert: bool,
    pub hits: Vec<Hit>,
}

/// A transaction with its context.
pub(crate) struct Case<'a> {
    pub rules: &'a Rules,
    pub transaction: &'a Current,
    /// The customer's current transactions strictly before it, in order.
    pub earlier: &'a [&'a Current],
    /// The list entry in force: the customer's, else the store's.
    pub listing: Option<(&'a Entity, &'a ListEntry)>,
}

/// Sum of score * weight over sum of weights of the detectors that triggered.
pub(crate) fn evaluate(case: &Case<'_>) -> Verdict {
    let found = [
        high_value(case),
        velocity(case),
        impossible_travel(case),
        unusual_hour(case),
        blacklist(case),
        card_testing(case),
    ];
    let hits: Vec<Hit> = found.into_iter().flatten().collect();
    let weights: u32 = hits.iter().map(|hit| hit.weight).sum();
    if weights == 0 {
        return Verdict { hits, ..Verdict::default() };
    }
    let total = hits.iter().fold(Exact::rational(BigRational::zero()), |total, hit| {
        total.plus(&hit.score, &ratio(hit.weight, 1))
    });
    let combined = total.times(&ratio(1, weights));
    let alert = combined.at_least(&ratio(case.rules.alert_threshold, 1000));
    Verdict { score: combined.rounded(1000), alert, hits }
}

/// The earlier transactions whose amounts can be compared with the transaction's: those in its currency.
fn in_currency<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Decoded> {
    let currency = &case.transaction.decoded.currency;
    let earlier = case.earlier.iter().map(|earlier| &earlier.decoded);
    earlier.filter(move |earlier| earlier.currency == *currency)
}

fn high_value(case: &Case<'_>) -> Option<Hit> {
    let rules = case.rules;
    let count = in_currency(case).count();
    if count == 0 || count < rules.high_value_minimum_history as usize {
        return None;
    }
    let sum: i128 = in_currency(case).map(|earlier| i128::from(earlier.cents)).sum();
    let mean = ratio(sum, count);
    let amount = ratio(case.transaction.decoded.cents, 1);
    let limit = ratio(rules.high_value_multiple, 1000) * &mean;
    (amount > limit).then(|| {
        let score = Exact::rational(amount / limit - ratio(1, 2)).clamped();
        let details = json!({
            "amount": money(case.transaction.decoded.cents),
            "mean": money(Exact::rational(mean).rounded(1)),
            "count": count,
        });
        Hit::new("FR-001", rules.high_value_weight, score, details)
    })
}

fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn velocity(case: &Case<'_>) -> Option<Hit> {
    let rules = case.rules;
    let start = case.transaction.decoded.event_time - i64::from(rules.velocity_window_seconds) * SECOND;
    let count = 1 + case.earlier.iter().filter(|earlier| earlier.decoded.event_time > start).count() as u64;
    let limit = u64::from(rules.velocity_limit);
    (count > limit).then(|| {
        let minutes = f64::from(rules.velocity_window_seconds) / 60.0;
        let score = Exact::rational(ratio(count - limit, limit)).clamped();
        let details = json!({"count": count, "window_minutes": minutes});
        Hit::new("FR-002", rules.velocity_weight, score, details)
    })
}

fn impossible_travel(case: &Case<'_>) -> Option<Hit> {
    let (rules, own) = (case.rules, &case.transaction.decoded);
    let place = own.place?;
    let previous = case.earlier.iter().rev().find(|earlier| earlier.decoded.place.is_some())?;
    let elapsed = own.event_time - previous.decoded.event_time;
    let km = haversine(previous.decoded.place?, place);
    let near = elapsed <= i64::from(rules.travel_within_seconds) * SECOND;
    (near && km > f64::from(rules.travel_distance) / 1000.0).then(|| {
        let score = Exact::float(km * 1000.0 / f64::from(rules.travel_full_score)).clamped();
        let details = json!({
            "km": km, "minutes": elapsed as f64 / (60 * SECOND) as f64,
            "previous_transaction_id": previous.decoded.transaction_id,
        });
        Hit::new("FR-003", rules.travel_weight, score, details)
    })
}

fn haversine(from: (f64, f64), to: (f64, f64)) -> f64 {
    let sine_squared = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let across = from.0.to_radians().cos() * to.0.to_radians().cos();
    let h = sine_squared(to.0 - from.0) + across * sine_squared(to.1 - from.1);
    2.0 * EARTH_RADIUS_KM * h.sqrt().min(1.0).asin()
}

fn unusual_hour(case: &Case<'_>) -> Option<Hit> {
    let rules = case.rules;
    let minute = case.transaction.minute;
    let count = case.earlier.len() as i64;
    if count < 2 || count < i64::from(rules.hour_minimum_history) {
        return None;
    }
    // Deviations from the mean are multiplied by the count, so that they are whole numbers.
    let sum: i64 = case.earlier.iter().map(|earlier| earlier.minute).sum();
    let deviation = |minute: i64| i128::from(minute * count - sum);
    let squares: i128 = case.earlier.iter().map(|earlier| deviation(earlier.minute).pow(2)).sum();
    if squares == 0 {
        return None;
    }
    let variance = ratio(squares, i128::from(count * count) * i128::from(count - 1));
    let mean = ratio(sum, count);
    let z_squared = ratio(deviation(minute).pow(2) * i128::from(count - 1), squares);
    let limit = ratio(rules.hour_deviations, 1000);
    let root = |radicand: &BigRational| Exact::with_root(ratio(0, 1), ratio(1, 1), radicand.clone());
    (z_squared > limit.pow(2)).then(|| {
        let score = Exact::with_root(ratio(-1, 1), limit.recip(), z_squared.clone()).clamped();
        let details = json!({
            "minute": minute,
            "z": root(&z_squared).rounded(1000) as f64 / 1000.0,
            "mean": Exact::rational(mean).rounded(100) as f64 / 100.0,
            "std": root(&variance).rounded(100) as f64 / 100.0,
            "count": count,
        });
        Hit::new("FR-004", rules.hour_weight, score, details)
    })
}

fn blacklist(case: &Case<'_>) -> Option<Hit> {
    let (entity, entry) = case.listing?;
    let (kind, id) = match entity {
        Entity::Customer(id) => ("customer", id),
        Entity::Store(id) => ("store", id),
    };
    let details = json!({
        "entity": kind, "id": id, "reason": entry.reason,
        "valid_from": entry.valid_from.map(rfc3339),
        "expires_at": entry.expires_at.map(rfc3339),
    });
    Some(Hit::new("FR-005", case.rules.blacklist_weight, Exact::rational(ratio(1, 1)), details))
}

fn card_testing(case: &Case<'_>) -> Option<Hit> {
    let (rules, own) = (case.rules, &case.transaction.decoded);
    let start = own.event_time - i64::from(rules.card_testing_window_seconds) * SECOND;
    let limit = ratio(rules.card_testing_small_amount, 1000);
    let small: Vec<i64> = in_currency(case)
        .filter(|earlier| earlier.event_time > start && ratio(earlier.cents, 100) < limit)
        .map(|earlier| earlier.cents)
        .collect();
    let tried_out = !small.is_empty() && small.len() >= rules.card_testing_minimum_count as usize;
    if !rules.card_testing_enabled || !tried_out {
        return None;
    }
    let mean = ratio(small.iter().sum::<i64>(), small.len());
    let times_mean = ratio(own.cents, 1) / &mean;
    let multiple = ratio(rules.card_testing_multiple, 1000);
    (times_mean >= multiple).then(|| {
        let score = Exact::rational(times_mean / multiple / ratio(2, 1)).clamped();
        let details = json!({
            "amount": money(own.cents),
            "mean": money(Exact::rational(mean).rounded(1)),
            "count": small.len(),
            "window_minutes": f64::from(rules.card_testing_window_seconds) / 60.0,
        });
        Hit::new("FR-006", rules.card_testing_weight, score, details)
    })
}
