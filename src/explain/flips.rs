//! The smallest single change that makes an alert of a transaction that is none, or the reverse: of its amount,
//! of its time, or of the threshold. Each candidate is evaluated by the detectors themselves.

use super::history::History;
use super::nearest::nearest;
use serde::Serialize;
use streamflow_dataflow::history::Judge;
use streamflow_dataflow::score::Verdict;
use streamflow_model::timestamp::{DAY, Rfc3339, SECOND};
use streamflow_model::{Cents, Thousandths, Transaction};

/// Amounts have at most 12 digits.
const LARGEST_AMOUNT: i64 = 999_999_999_999;

/// Every cent is tried as far as this from the amount.
const THOROUGH_CENTS: u64 = 1_000_000;

/// How many earlier transactions are looked at, at most, to try every second.
const MOST_LOOKED_AT: u64 = 500_000_000;

/// Thresholds are 0.001 to 1.
const HIGHEST_THRESHOLD: u32 = 1000;

/// What changes the verdict, in each respect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flips {
    pub amount: Respect,
    pub time: Respect,
    pub threshold: Respect,
}

/// One respect, in both directions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Respect {
    /// The nearest lower value, or earlier time.
    pub down: Option<Flip>,
    /// The nearest higher value, or later time.
    pub up: Option<Flip>,
    /// The steps in which it is looked for: 0.01, seconds, 0.001.
    pub step: &'static str,
    /// The lowest and the highest value that is looked at.
    pub lowest: String,
    pub highest: String,
    /// So far in each direction every step is tried; what lies beyond is found by doubling and halving steps.
    pub thorough_within: String,
}

/// A value with another verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    pub value: String,
    /// How far that is.
    pub by: String,
    pub is_fraud: bool,
    pub fraud_score: String,
    /// Every step in between was tried, so none is nearer.
    pub is_proven: bool,
}

/// One respect in which a transaction can differ: how its values are shown, and the verdict with each.
struct Variation<'a> {
    step: &'static str,
    /// How much of the value a step is.
    width: i64,
    current: i64,
    lowest: i64,
    highest: i64,
    thorough: u64,
    value: fn(i64) -> String,
    distance: fn(u64) -> String,
    verdict: Box<dyn FnMut(i64) -> Verdict + 'a>,
}

impl Flips {
    /// Finds them for a transaction in its history.
    pub fn find(transaction: &Transaction, history: &History, judge: &Judge) -> Self {
        let is_fraud = judge.verdict(transaction, &history.before(transaction)).alert;
        Self {
            amount: amount(transaction, history, judge).respect(is_fraud),
            time: time(transaction, history, judge).respect(is_fraud),
            threshold: threshold(transaction, history, judge).respect(is_fraud),
        }
    }
}

fn amount<'a>(transaction: &'a Transaction, history: &History, judge: &'a Judge) -> Variation<'a> {
    let precedents = history.before(transaction);
    let mut other = transaction.clone();
    Variation {
        step: "0.01",
        width: 1,
        current: transaction.amount.0,
        lowest: 1,
        highest: LARGEST_AMOUNT,
        thorough: THOROUGH_CENTS,
        value: |cents| Cents(cents).to_string(),
        distance: |cents| Cents(cents.cast_signed()).to_string(),
        verdict: Box::new(move |cents| {
            other.amount = Cents(cents);
            judge.verdict(&other, &precedents)
        }),
    }
}

/// Within a day, in whole seconds from its time.
fn time<'a>(transaction: &'a Transaction, history: &'a History, judge: &'a Judge) -> Variation<'a> {
    let at = transaction.event_time;
    let (earliest, latest) = (at.saturating_sub(DAY), at.saturating_add(DAY));
    let around = history.count_around(earliest, latest) as u64 + 1;
    let mut other = transaction.clone();
    Variation {
        step: "1 s",
        width: SECOND,
        current: at,
        lowest: earliest,
        highest: latest,
        thorough: MOST_LOOKED_AT / around,
        value: |time| Rfc3339(time).to_string(),
        distance: |seconds| format!("{seconds} s"),
        verdict: Box::new(move |time| {
            other.event_time = time;
            judge.verdict(&other, &history.before(&other))
        }),
    }
}

fn threshold<'a>(transaction: &'a Transaction, history: &History, judge: &'a Judge) -> Variation<'a> {
    let precedents = history.before(transaction);
    let mut rules = judge.rules(transaction.event_time).clone();
    Variation {
        step: "0.001",
        width: 1,
        current: i64::from(rules.alert_threshold.0),
        lowest: 1,
        highest: i64::from(HIGHEST_THRESHOLD),
        thorough: u64::from(HIGHEST_THRESHOLD),
        value: |thousandths| thousandths_text(thousandths.unsigned_abs()),
        distance: thousandths_text,
        verdict: Box::new(move |thousandths| {
            rules.alert_threshold = Thousandths(u32::try_from(thousandths).unwrap_or(HIGHEST_THRESHOLD));
            judge.verdict_under(&rules, transaction, &precedents)
        }),
    }
}

fn thousandths_text(thousandths: u64) -> String {
    Thousandths(u32::try_from(thousandths).unwrap_or(u32::MAX)).to_string()
}

impl Variation<'_> {
    fn respect(mut self, is_fraud: bool) -> Respect {
        Respect {
            down: self.flip(is_fraud, -1),
            up: self.flip(is_fraud, 1),
            step: self.step,
            lowest: (self.value)(self.lowest),
            highest: (self.value)(self.highest),
            thorough_within: (self.distance)(self.thorough.min(self.room(-1).max(self.room(1)))),
        }
    }

    /// How many steps there are in a direction.
    fn room(&self, direction: i64) -> u64 {
        let end = if direction < 0 { self.lowest } else { self.highest };
        let room =
            (i128::from(end) - i128::from(self.current)) * i128::from(direction) / i128::from(self.width);
        u64::try_from(room).unwrap_or_default()
    }

    fn flip(&mut self, is_fraud: bool, direction: i64) -> Option<Flip> {
        let (room, thorough, width, current) =
            (self.room(direction), self.thorough, self.width, self.current);
        let at = |steps: u64| current.saturating_add(direction * width * steps.cast_signed());
        let verdict = &mut self.verdict;
        let found = nearest(room, thorough, |steps| verdict(at(steps)).alert != is_fraud)?;
        let value = at(found.steps);
        let Verdict { alert, score, .. } = verdict(value);
        Some(Flip {
            value: (self.value)(value),
            by: (self.distance)(found.steps),
            is_fraud: alert,
            fraud_score: score.to_string(),
            is_proven: found.is_proven,
        })
    }
}
