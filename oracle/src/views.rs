//! The views: the current transactions with their verdicts, and one loop for each aggregate.

use crate::case::Case;
use crate::decode::Decoded;
use crate::detectors::{Verdict, evaluate};
use crate::dimensions::units;
use crate::expected::{
    AlertRow, DailyFraudRow, Entity, Expected, ListEntry, ListVersion, ProfileRow, RulePerformanceRow,
    SalesRow, ShadowAlertRow, TransactionRow,
};
use crate::instant::{date_key, floor_to, hour_start};
use crate::intake::{Current, Intake, Transaction};
use crate::{OracleSettings, RuleSet, RulesVersion};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

const MINUTE: i64 = 60_000_000;

/// A current transaction with its verdict.
struct Scored<'a> {
    current: &'a Current,
    verdict: Verdict,
    /// The verdicts of shadow sets that are alerts, by set.
    shadows: Vec<(&'a str, Verdict)>,
}

pub(crate) fn expected(settings: &OracleSettings, intake: Intake<'_>, rules: &[RulesVersion]) -> Expected {
    let scored = evaluate_all(settings, &intake, rules);
    let facts: Vec<&Scored<'_>> = scored.iter().filter(|scored| !scored.current.decoded.voided).collect();
    let mut transactions: Vec<TransactionRow> = scored.iter().map(transaction_row).collect();
    transactions.sort();
    let mut alerts: Vec<AlertRow> =
        facts.iter().filter(|scored| scored.verdict.alert).map(|scored| alert_row(scored)).collect();
    alerts.sort_by(|a, b| (&a.transaction_id, &a.customer_id).cmp(&(&b.transaction_id, &b.customer_id)));
    let mut shadow_alerts: Vec<ShadowAlertRow> =
        facts.iter().flat_map(|fact| shadow_alert_rows(fact)).collect();
    shadow_alerts.sort();
    let mut views = Expected { transactions, alerts, shadow_alerts, ..Expected::default() };
    for fact in &facts {
        sales(settings, fact, &mut views);
        daily_fraud(settings, fact, &mut views.daily_fraud);
        rule_performance(settings, fact, &mut views.rule_performance);
        profile(fact, &mut views.profiles);
    }
    distinct_customers(settings, &facts, &mut views);
    top_rules(settings, &facts, &mut views.daily_fraud);
    Expected {
        received: intake.received,
        dead_letters: intake.dead_letters,
        books: intake.books,
        quality: intake.quality,
        customers: intake.customers,
        stores: intake.stores,
        products: intake.products,
        list_versions: intake.list_versions,
        progress: intake.progress,
        ..views
    }
}

fn evaluate_all<'a>(
    settings: &'a OracleSettings,
    intake: &'a Intake<'_>,
    rules: &'a [RulesVersion],
) -> Vec<Scored<'a>> {
    let mut customers: BTreeMap<&str, Vec<&Transaction>> = BTreeMap::new();
    for transaction in &intake.transactions {
        customers.entry(&transaction.current().decoded.customer_id).or_default().push(transaction);
    }
    let shadows: BTreeSet<&str> = rules.iter().filter_map(|version| version.shadow.as_deref()).collect();
    let mut scored = Vec::new();
    for transactions in customers.values() {
        for transaction in transactions {
            let current = transaction.current();
            if current.decoded.voided {
                scored.push(Scored { current, verdict: Verdict::default(), shadows: Vec::new() });
                continue;
            }
            let (earlier, event_time) = (earlier(transactions, transaction), current.decoded.event_time);
            let listing = listing(&intake.list_versions, current);
            let verdict = |rules| evaluate(&Case { rules, transaction: current, earlier: &earlier, listing });
            let alerts = |set: &'a str| {
                let rules = version_at(rules, Some(set), event_time)?;
                Some((set, verdict(rules))).filter(|(_, verdict)| verdict.alert)
            };
            let live = version_at(rules, None, event_time).unwrap_or(&settings.rules);
            let (verdict, shadows) = (verdict(live), shadows.iter().copied().filter_map(alerts).collect());
            scored.push(Scored { current, verdict, shadows });
        }
    }
    scored
}

/// What a transaction sees of its customer's others before it, in order.
fn earlier<'a>(all: &[&'a Transaction], transaction: &'a Transaction) -> Vec<&'a Current> {
    let key = |current: &'a Current| (current.decoded.event_time, current.decoded.transaction_id.as_str());
    let own = key(transaction.current());
    let others = all.iter().filter(|other| !std::ptr::eq(**other, transaction));
    let seen = others.map(|other| other.seen_by(transaction));
    let mut earlier: Vec<_> = seen.filter(|seen| !seen.decoded.voided && key(seen) < own).collect();
    earlier.sort_by_key(|current| key(current));
    earlier
}

/// The latest of a set's versions that apply at an event time.
fn version_at<'a>(rules: &'a [RulesVersion], shadow: Option<&str>, event_time: i64) -> Option<&'a RuleSet> {
    let applies =
        |version: &&RulesVersion| version.shadow.as_deref() == shadow && version.applies_from <= event_time;
    rules.iter().rev().find(applies).map(|version| &version.rules)
}

/// The customer's entry in force, else the store's.
fn listing<'a>(versions: &'a [ListVersion], current: &Current) -> Option<(&'a Entity, &'a ListEntry)> {
    let decoded = &current.decoded;
    let entities = [Entity::Customer(decoded.customer_id.clone()), Entity::Store(decoded.store_id.clone())];
    entities.iter().find_map(|entity| {
        let applies = |version: &&ListVersion| {
            version.entity == *entity && version.applies_from.is_none_or(|from| from <= decoded.event_time)
        };
        let version = versions.iter().rev().find(applies)?;
        let entry = version.entry.as_ref()?;
        let begun = entry.valid_from.is_none_or(|from| from <= decoded.event_time);
        let ended = entry.expires_at.is_some_and(|end| end <= decoded.event_time);
        (begun && !ended).then_some((&version.entity, entry))
    })
}

fn transaction_row(scored: &Scored<'_>) -> TransactionRow {
    let (decoded, verdict) = (scored.current.decoded.clone(), &scored.verdict);
    TransactionRow {
        transaction_id: decoded.transaction_id,
        customer_id: decoded.customer_id,
        store_id: decoded.store_id,
        product_id: decoded.product_id,
        payment_method: decoded.payment_method,
        cents: decoded.cents,
        currency: decoded.currency,
        place: decoded.place.map(|(latitude, longitude)| (units(latitude), units(longitude))),
        event_time: decoded.event_time,
        revision: decoded.revision,
        voided: decoded.voided,
        source: scored.current.source,
        score: verdict.score,
        is_fraud: verdict.alert,
        rules: verdict.hits.iter().map(|hit| (hit.rule.to_owned(), hit.thousandths)).collect(),
    }
}

fn alert_row(scored: &Scored<'_>) -> AlertRow {
    let hits = &scored.verdict.hits;
    let details: Map<String, Value> =
        hits.iter().map(|hit| (hit.rule.to_owned(), hit.details.clone())).collect();
    let decoded = &scored.current.decoded;
    AlertRow {
        transaction_id: decoded.transaction_id.clone(),
        customer_id: decoded.customer_id.clone(),
        store_id: decoded.store_id.clone(),
        cents: decoded.cents,
        currency: decoded.currency.clone(),
        event_time: decoded.event_time,
        score: scored.verdict.score,
        rules: hits.iter().map(|hit| hit.rule.to_owned()).collect(),
        details: Value::Object(details),
    }
}

fn shadow_alert_rows(fact: &Scored<'_>) -> Vec<ShadowAlertRow> {
    let decoded = &fact.current.decoded;
    let row = |(set, verdict): &(&str, Verdict)| ShadowAlertRow {
        rule_set: (*set).to_owned(),
        transaction_id: decoded.transaction_id.clone(),
        customer_id: decoded.customer_id.clone(),
        store_id: decoded.store_id.clone(),
        cents: decoded.cents,
        currency: decoded.currency.clone(),
        event_time: decoded.event_time,
        score: verdict.score,
        rules: verdict.hits.iter().map(|hit| (hit.rule.to_owned(), hit.thousandths)).collect(),
    };
    fact.shadows.iter().map(row).collect()
}

fn sales(settings: &OracleSettings, fact: &Scored<'_>, views: &mut Expected) {
    let decoded = &fact.current.decoded;
    let (at, store, currency) = (decoded.event_time, &decoded.store_id, &decoded.currency);
    let (minute, hour, day) =
        (floor_to(at, MINUTE), hour_start(settings.zone, at), date_key(settings.zone, at));
    let method = decoded.payment_method.clone().unwrap_or_else(|| "unknown".to_owned());
    let rows = [
        views.payments.entry((day, method, currency.clone())).or_default(),
        &mut views.hourly.entry((hour, store.clone(), currency.clone())).or_default().sales,
        views.store_days.entry((day, store.clone(), currency.clone())).or_default(),
        views.store_minutes.entry((minute, store.clone(), currency.clone())).or_default(),
        &mut views.minutes.entry((minute, currency.clone())).or_default().sales,
    ];
    for row in rows {
        add(row, fact);
    }
}

fn add(row: &mut SalesRow, fact: &Scored<'_>) {
    row.transactions += 1;
    row.cents += i128::from(fact.current.decoded.cents);
    row.alerts += i64::from(fact.verdict.alert);
}

fn distinct_customers(settings: &OracleSettings, facts: &[&Scored<'_>], views: &mut Expected) {
    let decoded = || facts.iter().map(|fact| &fact.current.decoded);
    let in_minutes: BTreeSet<_> =
        decoded().map(|of| (floor_to(of.event_time, MINUTE), &of.currency, &of.customer_id)).collect();
    for (minute, currency, _) in in_minutes {
        views.minutes.entry((minute, currency.clone())).or_default().customers += 1;
    }
    let hour = |of: &Decoded| hour_start(settings.zone, of.event_time);
    let in_hours: BTreeSet<_> =
        decoded().map(|of| (hour(of), &of.store_id, &of.currency, &of.customer_id)).collect();
    for (hour, store, currency, _) in in_hours {
        views.hourly.entry((hour, store.clone(), currency.clone())).or_default().customers += 1;
    }
}

fn daily_fraud(settings: &OracleSettings, fact: &Scored<'_>, days: &mut BTreeMap<i32, DailyFraudRow>) {
    let row = days.entry(date_key(settings.zone, fact.current.decoded.event_time)).or_default();
    row.transactions += 1;
    if fact.verdict.alert {
        row.alerts += 1;
        row.score += fact.verdict.score;
    }
}

fn top_rules(settings: &OracleSettings, facts: &[&Scored<'_>], days: &mut BTreeMap<i32, DailyFraudRow>) {
    for (day, row) in days {
        let alerts = facts.iter().filter(|fact| {
            fact.verdict.alert && date_key(settings.zone, fact.current.decoded.event_time) == *day
        });
        let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
        for hit in alerts.flat_map(|fact| &fact.verdict.hits) {
            *counts.entry(hit.rule.as_str()).or_default() += 1;
        }
        let most = counts.values().max().copied();
        let top = counts.iter().find(|(_, count)| Some(**count) == most);
        row.top_rule = top.map(|(rule, _)| (*rule).to_owned());
    }
}

fn rule_performance(
    settings: &OracleSettings,
    fact: &Scored<'_>,
    rows: &mut BTreeMap<(i32, String, String), RulePerformanceRow>,
) {
    let day = date_key(settings.zone, fact.current.decoded.event_time);
    let live = [("live", &fact.verdict)];
    for (set, verdict) in live.into_iter().chain(fact.shadows.iter().map(|(set, verdict)| (*set, verdict))) {
        for hit in &verdict.hits {
            let row = rows.entry((day, set.to_owned(), hit.rule.to_owned())).or_default();
            row.hits += 1;
            row.alerts += i64::from(verdict.alert);
            row.alone += i64::from(verdict.alert && verdict.hits.len() == 1);
            row.score += hit.thousandths;
        }
    }
}

fn profile(fact: &Scored<'_>, rows: &mut BTreeMap<(String, String), ProfileRow>) {
    let decoded = &fact.current.decoded;
    let (at, minute) = (decoded.event_time, fact.current.minute);
    let key = (decoded.customer_id.clone(), decoded.currency.clone());
    let row = rows.entry(key).or_insert(ProfileRow {
        transactions: 0,
        cents: 0,
        minutes: 0,
        squared_minutes: 0,
        first_seen: at,
        last_seen: at,
        alerts: 0,
    });
    row.transactions += 1;
    row.cents += i128::from(decoded.cents);
    row.minutes += minute;
    row.squared_minutes += minute * minute;
    row.first_seen = row.first_seen.min(at);
    row.last_seen = row.last_seen.max(at);
    row.alerts += i64::from(fact.verdict.alert);
}
