//! The detectors and the combined score, each evaluated over all earlier transactions.

use crate::case::{Case, distance_km};
use crate::decode::Decoded;
use crate::exact::{Exact, ratio};
use crate::expected::Entity;
use crate::instant::rfc3339;
use crate::rules::{Detector, Rule, Segment};
use crate::written_rules;
use num_rational::BigRational;
use num_traits::Zero;
use serde_json::{Value, json};

const SECOND: i64 = 1_000_000;

/// A detector that triggered.
pub(crate) struct Hit {
    pub rule: String,
    /// Its score in thousandths.
    pub thousandths: i64,
    /// The evidence with the score.
    pub details: Value,
    weight: u32,
    score: Exact,
}

impl Hit {
    fn new(rule: &Rule, (score, mut details): Found) -> Self {
        let thousandths = score.rounded(1000);
        details["score"] = json!(thousandths as f64 / 1000.0);
        Self { rule: rule.id.clone(), thousandths, details, weight: rule.weight, score }
    }
}

/// What a detector found: the score, and the evidence without it.
type Found = (Exact, Value);

/// The outcome of the rules on a transaction.
#[derive(Default)]
pub(crate) struct Verdict {
    /// Combined score in thousandths.
    pub score: i64,
    pub alert: bool,
    pub hits: Vec<Hit>,
}

/// Evaluates each rule whose segment the transaction belongs to, and combines the scores.
pub(crate) fn evaluate(case: &Case<'_>) -> Verdict {
    let mut rules: Vec<&Rule> = case.rules.rules.iter().collect();
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    let looks = rules.into_iter().filter(|rule| belongs(&rule.segment, &case.transaction.decoded));
    let hits: Vec<Hit> =
        looks.filter_map(|rule| Some(Hit::new(rule, detect(&rule.detector, case)?))).collect();
    let weights: u32 = hits.iter().map(|hit| hit.weight).sum();
    if weights == 0 {
        return Verdict { hits, ..Verdict::default() };
    }
    let combined = if case.rules.noisy_or { noisy_or(&hits) } else { weighted_mean(&hits, weights) };
    let alert = combined.at_least(&ratio(case.rules.alert_threshold, 1000));
    Verdict { score: combined.rounded(1000), alert, hits }
}

/// Sum of score * weight over sum of weights.
fn weighted_mean(hits: &[Hit], weights: u32) -> Exact {
    let total = hits.iter().fold(Exact::rational(BigRational::zero()), |total, hit| {
        total.plus(&hit.score, &ratio(hit.weight, 1))
    });
    total.times(&ratio(1, weights))
}

/// 1 - product of (1 - weight * score). Each score adds weight * score of what the others before it missed; the
/// one with a root comes last, so that nothing multiplies it but numbers.
fn noisy_or(hits: &[Hit]) -> Exact {
    let mut ordered: Vec<&Hit> = hits.iter().collect();
    ordered.sort_by_key(|hit| hit.score.has_root());
    let mut combined = Exact::rational(BigRational::zero());
    for hit in ordered {
        let missed = ratio(1, 1) - combined.rational_part();
        combined = combined.plus(&hit.score, &(missed * ratio(hit.weight, 1000)));
    }
    combined
}

fn belongs(segment: &Segment, own: &Decoded) -> bool {
    let named = |list: &[String], value: Option<&str>| {
        list.is_empty() || value.is_some_and(|value| list.iter().any(|one| one == value))
    };
    named(&segment.payment_methods, own.payment_method.as_deref())
        && named(&segment.stores, Some(&own.store_id))
        && named(&segment.currencies, Some(&own.currency))
        && segment.amount_from.is_none_or(|from| own.cents >= from)
        && segment.amount_below.is_none_or(|below| own.cents < below)
}

fn detect(detector: &Detector, case: &Case<'_>) -> Option<Found> {
    match *detector {
        Detector::Written(ref rule) => written_rules::detect(rule, case),
        Detector::HighValue { minimum_history, multiple } => high_value(case, minimum_history, multiple),
        Detector::Velocity { limit, window_seconds } => velocity(case, limit, window_seconds),
        Detector::ImpossibleTravel { distance, within_seconds, full_score } => {
            impossible_travel(case, distance, within_seconds, full_score)
        }
        Detector::UnusualHour { minimum_history, deviations } => {
            unusual_hour(case, minimum_history, deviations)
        }
        Detector::Blacklist => blacklist(case),
        Detector::CardTesting { small_amount, minimum_count, window_seconds, multiple } => {
            let small = small_ones(case, small_amount, window_seconds);
            card_testing(case, &small, minimum_count, multiple, window_seconds)
        }
    }
}

/// The earlier transactions whose amounts can be compared with the transaction's: those in its currency.
fn in_currency<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Decoded> {
    let currency = &case.transaction.decoded.currency;
    let earlier = case.earlier.iter().map(|earlier| &earlier.decoded);
    earlier.filter(move |earlier| earlier.currency == *currency)
}

fn high_value(case: &Case<'_>, minimum_history: u32, multiple: u32) -> Option<Found> {
    let count = in_currency(case).count();
    if count == 0 || count < minimum_history as usize {
        return None;
    }
    let sum: i128 = in_currency(case).map(|earlier| i128::from(earlier.cents)).sum();
    let mean = ratio(sum, count);
    let amount = ratio(case.transaction.decoded.cents, 1);
    let limit = ratio(multiple, 1000) * &mean;
    (amount > limit).then(|| {
        let score = Exact::rational(amount / limit - ratio(1, 2)).clamped();
        let details = json!({
            "amount": money(case.transaction.decoded.cents),
            "mean": money(Exact::rational(mean).rounded(1)),
            "count": count,
        });
        (score, details)
    })
}

fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn velocity(case: &Case<'_>, limit: u32, window_seconds: u32) -> Option<Found> {
    let start = case.transaction.decoded.event_time - i64::from(window_seconds) * SECOND;
    let count = 1 + case.earlier.iter().filter(|earlier| earlier.decoded.event_time > start).count() as u64;
    let limit = u64::from(limit);
    (count > limit).then(|| {
        let minutes = f64::from(window_seconds) / 60.0;
        let score = Exact::rational(ratio(count - limit, limit)).clamped();
        let details = json!({"count": count, "window_minutes": minutes});
        (score, details)
    })
}

fn impossible_travel(case: &Case<'_>, distance: u32, within_seconds: u32, full_score: u32) -> Option<Found> {
    let own = &case.transaction.decoded;
    let place = own.place?;
    let previous = case.earlier.iter().rev().find(|earlier| earlier.decoded.place.is_some())?;
    let elapsed = own.event_time - previous.decoded.event_time;
    let km = distance_km(previous.decoded.place?, place);
    let near = elapsed <= i64::from(within_seconds) * SECOND;
    (near && km > f64::from(distance) / 1000.0).then(|| {
        let score = Exact::float(km * 1000.0 / f64::from(full_score)).clamped();
        let details = json!({
            "km": km, "minutes": elapsed as f64 / (60 * SECOND) as f64,
            "previous_transaction_id": previous.decoded.transaction_id,
        });
        (score, details)
    })
}

fn unusual_hour(case: &Case<'_>, minimum_history: u32, deviations: u32) -> Option<Found> {
    let minute = case.transaction.minute;
    let count = case.earlier.len() as i64;
    if count < 2 || count < i64::from(minimum_history) {
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
    let limit = ratio(deviations, 1000);
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
        (score, details)
    })
}

fn blacklist(case: &Case<'_>) -> Option<Found> {
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
    Some((Exact::rational(ratio(1, 1)), details))
}

/// The small amounts in the window before the transaction, in cents.
fn small_ones(case: &Case<'_>, small_amount: u32, window_seconds: u32) -> Vec<i64> {
    let start = case.transaction.decoded.event_time - i64::from(window_seconds) * SECOND;
    let limit = ratio(small_amount, 1000);
    let small = |earlier: &&Decoded| earlier.event_time > start && ratio(earlier.cents, 100) < limit;
    in_currency(case).filter(small).map(|earlier| earlier.cents).collect()
}

fn card_testing(
    case: &Case<'_>,
    small: &[i64],
    minimum_count: u32,
    multiple: u32,
    window_seconds: u32,
) -> Option<Found> {
    if small.is_empty() || small.len() < minimum_count as usize {
        return None;
    }
    let own = &case.transaction.decoded;
    let mean = ratio(small.iter().sum::<i64>(), small.len());
    let times_mean = ratio(own.cents, 1) / &mean;
    let multiple = ratio(multiple, 1000);
    (times_mean >= multiple).then(|| {
        let score = Exact::rational(times_mean / multiple / ratio(2, 1)).clamped();
        let details = json!({
            "amount": money(own.cents),
            "mean": money(Exact::rational(mean).rounded(1)),
            "count": small.len(),
            "window_minutes": f64::from(window_seconds) / 60.0,
        });
        (score, details)
    })
}
