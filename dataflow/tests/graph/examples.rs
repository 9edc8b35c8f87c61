//! The specification's worked examples, from records to alerts.

use crate::case::{BLACKLIST, Case, DAY, HOUR, MINUTE, SECOND, SentTime};
use crate::compare::{Differences, differences};
use crate::run::run;
use crate::tables::Tables;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use streamflow_dataflow::score::Verdict;
use streamflow_oracle::{AlertRow, RawEvent, RuleSet, Rules, TransactionRow};

/// 2026-01-05, midnight UTC.
const MIDNIGHT: i64 = 1_767_571_200 * SECOND;
const SAO_PAULO: (f64, f64) = (-23.55052, -46.63331);
const MANAUS: (f64, f64) = (-3.11903, -60.02173);

/// A case of one partition in UTC, an epoch to each record, whose record time is the event's unless set.
struct Story {
    case: Case,
    offset: u64,
}

impl Story {
    fn new() -> Self {
        let announced = |topic| SentTime { epoch: 1, topic, partition: 0, time: i64::MIN, end: None };
        let case = Case {
            seed: 0,
            horizon: HOUR,
            retention: HOUR,
            correction_retention: 120 * DAY,
            zone: chrono_tz::UTC,
            rules: RuleSet::default(),
            events: Vec::new(),
            rules_versions: Vec::new(),
            partition_times: vec![announced(0), announced(BLACKLIST)],
            clocks_may_be_wrong: false,
            restart: None,
            history_block: 2,
            in_flight: 0,
        };
        Self { case, offset: 0 }
    }

    /// Customer c pays at `at` microseconds after midnight; `more` overrides fields.
    fn pay(&mut self, id: &str, at: i64, amount: &str, more: &Value) {
        self.pay_late(id, at, at, amount, more);
    }

    fn pay_late(&mut self, id: &str, at: i64, appended_at: i64, amount: &str, more: &Value) {
        let seconds = (MIDNIGHT + at) / SECOND;
        let timestamp = chrono::DateTime::from_timestamp(seconds, 0).unwrap().to_rfc3339();
        let mut event = json!({"transaction_id": id, "customer_id": "c", "store_id": "s", "amount": amount,
                               "timestamp": timestamp});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.push(0, appended_at, None, Some(event.to_string()));
    }

    fn list(&mut self, appended_at: i64, key: &str, entry: Option<Value>) {
        self.push(BLACKLIST, appended_at, Some(key), entry.map(|entry| entry.to_string()));
    }

    /// Both partitions have been read to their end, and it is `at` microseconds after midnight.
    fn clock(&mut self, at: i64) {
        let clock =
            |topic| SentTime { epoch: self.offset, topic, partition: 0, time: MIDNIGHT + at, end: None };
        self.case.partition_times.extend([clock(0), clock(BLACKLIST)]);
    }

    fn push(&mut self, topic: u16, appended_at: i64, key: Option<&str>, payload: Option<String>) {
        self.offset += 1;
        self.case.events.push(RawEvent {
            final_before: None,
            topic,
            partition: 0,
            offset: self.offset,
            epoch: self.offset,
            appended_at: Some(MIDNIGHT + appended_at),
            key: key.map(Into::into),
            payload: payload.map(String::into_bytes),
        });
    }

    /// Runs to the end, compares every view with the oracle, and returns the tables.
    fn outcome(mut self) -> Outcome {
        let end = |topic| SentTime { epoch: self.offset + 1, topic, partition: 0, time: i64::MAX, end: None };
        self.case.partition_times.extend([end(0), end(BLACKLIST)]);
        for workers in 2..=3 {
            assert_eq!(differences(&self.case, run(&self.case, workers).unwrap()), Vec::<String>::new());
        }
        let mut tables = Tables::default();
        let mut wrong = Differences::default();
        let observed = run(&self.case, 1).unwrap();
        for (_, change) in observed.changes {
            tables.apply(change, &mut wrong);
        }
        let settled = observed.settled.into_iter();
        let rows = tables.transactions(&mut wrong);
        let alerts = tables.alert_rows();
        assert_eq!(wrong.found, Vec::<String>::new());
        Outcome {
            rows: rows.into_iter().map(|row| (row.transaction_id.clone(), row)).collect(),
            alerts: alerts.into_iter().map(|row| (row.transaction_id.clone(), row)).collect(),
            verdicts: settled.map(|(_, row)| (row.transaction.id.into(), row.verdict)).collect(),
            books: tables.views.books,
        }
    }
}

struct Outcome {
    rows: BTreeMap<String, TransactionRow>,
    alerts: BTreeMap<String, AlertRow>,
    /// As they finally are, with their evidence.
    verdicts: BTreeMap<String, Verdict>,
    books: BTreeMap<(u16, String), i64>,
}

impl Outcome {
    fn rules(&self, id: &str) -> Vec<(&str, i64)> {
        self.rows[id].rules.iter().map(|(rule, score)| (rule.as_str(), *score)).collect()
    }

    fn evidence(&self, id: &str, rule: &str) -> Value {
        let mut hits = self.verdicts[id].hits.iter();
        hits.find(|hit| hit.rule.as_str() == rule).map_or(Value::Null, |hit| hit.details())
    }
}

fn five_days(story: &mut Story) {
    for day in 0..5 {
        story.pay(&format!("day-{day}"), day * DAY + 10 * HOUR, "100.00", &json!({}));
    }
}

#[test]
fn five_times_the_mean_after_five_days() {
    let mut story = Story::new();
    five_days(&mut story);
    story.pay("sixth", 5 * DAY + 10 * HOUR, "500.00", &json!({}));
    let outcome = story.outcome();
    assert_eq!(outcome.rules("sixth"), [("FR-001", 1000)]);
    let evidence = json!({"score": 1.0, "amount": "500.00", "mean": "100.00", "count": 5});
    assert_eq!(outcome.evidence("sixth", "FR-001"), evidence);
    assert_eq!(outcome.alerts.len(), 1);
}

#[test]
fn three_and_a_half_times_the_mean_is_below_the_threshold() {
    let mut story = Story::new();
    five_days(&mut story);
    story.pay("sixth", 5 * DAY + 10 * HOUR, "350.00", &json!({}));
    let outcome = story.outcome();
    assert_eq!(outcome.rules("sixth"), [("FR-001", 667)]);
    assert!(outcome.alerts.is_empty());
}

#[test]
fn an_amount_is_compared_with_earlier_ones_in_its_currency_only() {
    let yen = json!({"currency": "JPY"});
    let mut story = Story::new();
    five_days(&mut story);
    story.pay("foreign", 5 * DAY + 10 * HOUR, "350.00", &yen);
    for day in 6..10 {
        story.pay(&format!("yen-{day}"), day * DAY + 10 * HOUR, "100.00", &yen);
    }
    story.pay("sixth in yen", 10 * DAY + 10 * HOUR, "600.00", &yen);
    story.pay("sixth in reais", 11 * DAY + 10 * HOUR, "600.00", &json!({}));
    let outcome = story.outcome();
    assert_eq!(outcome.rules("foreign"), []);
    // 600 of 3 * 150 and of 3 * 100.
    assert_eq!(outcome.rules("sixth in yen"), [("FR-001", 833)]);
    assert_eq!(outcome.rules("sixth in reais"), [("FR-001", 1000)]);
}

#[test]
fn small_payments_in_another_currency_try_out_no_card() {
    let mut story = Story::new();
    story.case.rules = Rules { card_testing_enabled: true, ..Rules::default() }.into();
    for (number, currency) in ["USD", "USD", "BRL", "USD", "BRL", "BRL"].iter().enumerate() {
        let currency = json!({"currency": currency});
        story.pay(&format!("small-{number}"), number as i64 * 4 * MINUTE, "1.00", &currency);
        story.pay(&format!("large-{number}"), (number as i64 * 4 + 1) * MINUTE, "20.00", &currency);
    }
    let outcome = story.outcome();
    let hits = |number: i64| outcome.rules(&format!("large-{number}")).contains(&("FR-006", 1000));
    assert_eq!([0, 1, 2, 3, 4, 5].map(hits), [false, false, false, true, false, true]);
}

#[test]
fn the_hour_is_compared_with_earlier_ones_in_any_currency() {
    let mut story = Story::new();
    for (number, currency) in (0..).zip(["BRL", "USD", "JPY", "USD", "BRL"]) {
        let at = number * DAY + 14 * HOUR + number * 10 * MINUTE;
        story.pay(&format!("p-{number}"), at, "100.00", &json!({"currency": currency}));
    }
    story.pay("night", 5 * DAY + 3 * HOUR, "100.00", &json!({"currency": "EUR"}));
    assert_eq!(story.outcome().rules("night"), [("FR-004", 1000)]);
}

#[test]
fn a_corrected_currency_moves_the_amount() {
    let dollars = json!({"currency": "USD", "revision": 1});
    let mut story = Story::new();
    five_days(&mut story);
    story.pay("sixth", 5 * DAY + 10 * HOUR, "500.00", &json!({}));
    story.pay_late("sixth", 5 * DAY + 10 * HOUR, 5 * DAY + 10 * HOUR + MINUTE, "500.00", &dollars);
    let outcome = story.outcome();
    assert_eq!(outcome.rows["sixth"].currency, "USD");
    assert_eq!(outcome.rules("sixth"), []);
}

#[test]
fn nine_payments_within_ten_minutes() {
    let mut story = Story::new();
    for number in 1..=9 {
        story.pay(&format!("p-{number}"), 10 * HOUR + number * MINUTE, "100.00", &json!({}));
    }
    let outcome = story.outcome();
    assert_eq!(outcome.rules("p-5"), []);
    assert_eq!(outcome.rules("p-6"), [("FR-002", 200)]);
    assert_eq!(outcome.rules("p-9"), [("FR-002", 800)]);
    assert_eq!(outcome.alerts.keys().collect::<Vec<_>>(), ["p-9"]);
    assert_eq!(outcome.evidence("p-9", "FR-002"), json!({"score": 0.8, "count": 9, "window_minutes": 10.0}));
}

#[test]
fn sao_paulo_and_manaus_half_an_hour_later() {
    let at = |place: (f64, f64)| json!({"latitude": place.0, "longitude": place.1});
    let mut story = Story::new();
    story.pay("home", 10 * HOUR, "100.00", &at(SAO_PAULO));
    story.pay("away", 10 * HOUR + 30 * MINUTE, "100.00", &at(MANAUS));
    let outcome = story.outcome();
    assert_eq!(outcome.rules("away"), [("FR-003", 1000)]);
    let evidence = outcome.evidence("away", "FR-003");
    assert_eq!(evidence["previous_transaction_id"], "home");
    assert_eq!(evidence["minutes"], 30.0);
    assert!((2680.0..2700.0).contains(&evidence["km"].as_f64().unwrap()), "{evidence}");
}

#[test]
fn three_in_the_night_after_five_afternoons() {
    let mut story = Story::new();
    for number in 0..5 {
        story.pay(
            &format!("p-{number}"),
            number * DAY + 14 * HOUR + number * 10 * MINUTE,
            "100.00",
            &json!({}),
        );
    }
    story.pay("night", 5 * DAY + 3 * HOUR, "100.00", &json!({}));
    let outcome = story.outcome();
    assert_eq!(outcome.rules("night"), [("FR-004", 1000)]);
    let evidence = json!({"score": 1.0, "minute": 180, "z": 43.007, "mean": 860.0, "std": 15.81, "count": 5});
    assert_eq!(outcome.evidence("night", "FR-004"), evidence);
}

#[test]
fn a_listing_holds_from_its_start_until_before_its_end() {
    let time = |hours: i64| chrono::DateTime::from_timestamp((MIDNIGHT + hours * HOUR) / SECOND, 0).unwrap();
    let mut story = Story::new();
    let entry = json!({"valid_from": time(10).to_rfc3339(), "expires_at": time(11).to_rfc3339()});
    story.list(9 * HOUR, "customer:c", Some(entry));
    for (id, at) in [("before", 10 * HOUR - SECOND), ("start", 10 * HOUR), ("last", 11 * HOUR - SECOND)] {
        story.pay(id, at, "100.00", &json!({}));
    }
    story.pay("end", 11 * HOUR, "100.00", &json!({}));
    let outcome = story.outcome();
    assert_eq!(outcome.alerts.keys().collect::<Vec<_>>(), ["last", "start"]);
    assert_eq!(outcome.rules("start"), [("FR-005", 1000)]);
}

#[test]
fn a_list_change_judges_anew_what_lies_within_the_horizon() {
    let mut story = Story::new();
    story.pay("final", 10 * HOUR, "100.00", &json!({}));
    story.pay("limit", 10 * HOUR + SECOND, "100.00", &json!({}));
    story.pay("recent", 10 * HOUR + MINUTE, "100.00", &json!({}));
    story.list(11 * HOUR + SECOND, "store:s", Some(json!({"reason": "fraudulent terminal"})));
    let outcome = story.outcome();
    assert_eq!(outcome.alerts.keys().collect::<Vec<_>>(), ["limit", "recent"]);
    assert_eq!(outcome.evidence("limit", "FR-005")["reason"], "fraudulent terminal");
}

#[test]
fn a_score_that_is_exactly_the_threshold_is_alerted() {
    let mut story = Story::new();
    for number in 0..7 {
        story.pay(&format!("p-{number}"), 10 * HOUR + number * SECOND, "100.00", &json!({}));
    }
    // (47/60 * 0.30 + 0.6 * 0.25) / 0.55 is 0.7, though 47/60 is no decimal.
    story.pay("tie", 10 * HOUR + 10 * SECOND, "385.00", &json!({}));
    let outcome = story.outcome();
    assert_eq!(outcome.rules("tie"), [("FR-001", 783), ("FR-002", 600)]);
    assert_eq!((outcome.rows["tie"].score, outcome.rows["tie"].is_fraud), (700, true));
}

#[test]
fn corrections_voids_and_late_events_change_what_they_touch() {
    let mut story = Story::new();
    for number in 0..5 {
        story.pay(&format!("p-{number}"), 10 * HOUR + number * SECOND, "100.00", &json!({}));
    }
    let minute = 10 * HOUR + MINUTE - 10 * SECOND;
    story.pay("high", minute, "500.00", &json!({}));
    // With one of the five voided there are too few; a late one makes up for it, and a correction of its
    // amount changes the score.
    story.pay_late("p-0", 10 * HOUR, minute, "100.00", &json!({"revision": 1, "voided": true}));
    story.pay_late("late", 9 * HOUR + 30 * MINUTE, minute, "50.00", &json!({}));
    story.pay_late("late", 9 * HOUR + 30 * MINUTE, minute, "100.00", &json!({"revision": 1}));
    story.pay_late("late", 9 * HOUR + 30 * MINUTE, minute, "77.00", &json!({"revision": 1}));
    story.pay_late("too-late", 9 * HOUR - SECOND, minute, "100.00", &json!({}));
    let outcome = story.outcome();
    assert_eq!(outcome.evidence("high", "FR-001")["mean"], "100.00");
    assert!(outcome.rows["p-0"].voided);
    let account = |name: &str| outcome.books[&(0, name.to_owned())];
    let names = ["read", "new", "voiding", "correcting", "duplicate", "too_late"];
    assert_eq!(names.map(account), [11, 7, 1, 1, 1, 1]);
}

/// Its score and rules stay, but whoever reads the log has to know what 100.00 are.
#[test]
fn a_correction_of_the_currency_alone_revises_an_alert() {
    let mut story = Story::new();
    story.list(9 * HOUR, "customer:c", Some(json!({})));
    story.pay("abroad", 10 * HOUR, "100.00", &json!({}));
    let dollars = json!({"revision": 1, "currency": "USD"});
    story.pay_late("abroad", 10 * HOUR, 10 * HOUR + MINUTE, "100.00", &dollars);
    let outcome = story.outcome();
    assert_eq!(outcome.alerts["abroad"].currency, "USD");
    assert_eq!(outcome.rules("abroad"), [("FR-005", 1000)]);
}

/// Two payments, of which a clock has made the first final.
fn final_and_open() -> Story {
    let mut story = Story::new();
    story.pay("final", 10 * HOUR, "100.00", &json!({}));
    story.pay("open", 10 * HOUR + SECOND, "100.00", &json!({}));
    story.clock(11 * HOUR + SECOND);
    story
}

/// The record of the correction became visible an hour after its time.
#[test]
fn a_correction_of_what_a_clock_has_made_final_changes_every_view() {
    let mut story = final_and_open();
    for id in ["final", "open"] {
        story.pay(id, 10 * HOUR + 2 * SECOND, "70.00", &json!({"revision": 1}));
    }
    let outcome = story.outcome();
    assert_eq!((outcome.rows["final"].cents, outcome.rows["open"].cents), (7_000, 7_000));
    let account = |name: &str| outcome.books[&(0, name.to_owned())];
    assert_eq!(["read", "new", "correcting"].map(account), [4, 2, 2]);
}

/// Every view is compared with the recomputation, so here are only the books and the alert.
#[test]
fn a_void_of_any_age_withdraws_the_transaction_and_its_alert() {
    for days in [1, 2, 119] {
        let mut story = Story::new();
        for number in 0..5 {
            story.pay(&format!("p-{number}"), 10 * HOUR + number * SECOND, "100.00", &json!({}));
        }
        story.pay("high", 10 * HOUR + 5 * SECOND, "500.00", &json!({}));
        let at = days * DAY + 12 * HOUR;
        story.pay("later", at, "100.00", &json!({}));
        let void = json!({"revision": 1, "voided": true});
        story.pay_late("high", 10 * HOUR + 5 * SECOND, at + SECOND, "500.00", &void);
        let outcome = story.outcome();
        assert!(outcome.rows["high"].voided && outcome.alerts.is_empty(), "after {days} days");
        let account = |name: &str| outcome.books[&(0, name.to_owned())];
        assert_eq!(["read", "new", "voiding"].map(account), [8, 7, 1]);
    }
}

/// A correction raises, revises and withdraws the transaction's own alert; the verdict on a final one after it stays.
#[test]
fn a_correction_of_any_age_judges_its_own_transaction_anew() {
    let mut story = Story::new();
    for number in 0..5 {
        story.pay(&format!("p-{number}"), 10 * HOUR + number * SECOND, "100.00", &json!({}));
    }
    story.pay("x", 10 * HOUR + 30 * MINUTE, "100.00", &json!({}));
    story.pay("y", 11 * HOUR, "500.00", &json!({}));
    let raised = json!({"revision": 1});
    story.pay_late("x", 10 * HOUR + 30 * MINUTE, 15 * HOUR, "600.00", &raised);
    let outcome = story.outcome();
    assert_eq!(outcome.rules("x"), [("FR-001", 1000)]);
    assert_eq!(outcome.evidence("y", "FR-001")["mean"], "100.00");
    assert_eq!(outcome.alerts.len(), 2);
}

#[test]
fn beyond_the_retention_a_correction_is_too_late_and_a_void_is_kept() {
    let mut story = Story::new();
    story.pay("p", 10 * HOUR, "100.00", &json!({}));
    story.pay_late("p", 10 * HOUR, 120 * DAY + 10 * HOUR + SECOND, "70.00", &json!({"revision": 1}));
    let void = json!({"revision": 1, "voided": true});
    story.pay_late("unknown", 10 * HOUR, 120 * DAY + 10 * HOUR + SECOND, "70.00", &void);
    let outcome = story.outcome();
    assert_eq!(outcome.rows["p"].cents, 10_000);
    assert!(outcome.rows["unknown"].voided);
    let account = |name: &str| outcome.books[&(0, name.to_owned())];
    assert_eq!(["read", "new", "voiding", "too_late"].map(account), [3, 1, 1, 1]);
}

#[test]
fn an_entry_of_the_list_applies_to_nothing_that_a_clock_has_made_final() {
    let mut story = final_and_open();
    story.list(10 * HOUR + 2 * SECOND, "store:s", Some(json!({})));
    assert_eq!(story.outcome().alerts.keys().collect::<Vec<_>>(), ["open"]);
}
