//! Expression rules: what an analyst writes in a part of CEL, compiled once, evaluated over a transaction's
//! context.
//!
//! Triggers where `when` holds and `score` is above 0. What fails, as a mean of no amounts or a division by
//! zero, does not trigger. The language is that of [`streamflow_expressions`]; the names are [`variables`].

use crate::detectors::{
    Bound, Context, Detection, Detector, Evidence, Finding, Interval, LookBack, Movement,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use streamflow_expressions::{
    Expression, Facts, Function, Kind, Number, Read, Template, Value, Variable, Variables,
};
use streamflow_model::timestamp::DAY;
use streamflow_model::{Score, Thousandths};

/// An expression rule as it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// Weight in the combined score.
    pub weight: Thousandths,
    /// Whether it triggers: a bool.
    pub when: String,
    /// The score, a number that is cut off at 1.
    pub score: String,
    /// What people are told; empty for what triggered it.
    #[serde(default)]
    pub reason: String,
}

/// An expression rule. It is what is written: two are equal where they are written alike.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct ExpressionRule {
    written: Written,
    compiled: Arc<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    when: Part<Expression>,
    score: Part<Expression>,
    reason: Part<Template>,
}

/// An expression or a template, with what it reads by slot.
#[derive(Debug)]
struct Part<T> {
    compiled: T,
    slots: Vec<Slot>,
}

impl TryFrom<Written> for ExpressionRule {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let variables = variables()?;
        let compile = |key: &str, source: &str, kind| {
            let compiled = Expression::compile(source, &variables, kind);
            let compiled = compiled.map_err(|problem| format!("{key}: {problem}"))?;
            let slots = slots(compiled.reads())?;
            Ok::<_, String>(Part { compiled, slots })
        };
        let when = compile("when", &written.when, Kind::Bool)?;
        let score = compile("score", &written.score, Kind::Number)?;
        let reason = Template::compile(&written.reason, &variables);
        let reason = reason.map_err(|problem| format!("reason: {problem}"))?;
        let slots = slots(reason.reads())?;
        let compiled = Compiled { when, score, reason: Part { compiled: reason, slots } };
        Ok(Self { written, compiled: Arc::new(compiled) })
    }
}

impl From<ExpressionRule> for Written {
    fn from(rule: ExpressionRule) -> Self {
        rule.written
    }
}

impl PartialEq for ExpressionRule {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for ExpressionRule {}

impl PartialOrd for ExpressionRule {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ExpressionRule {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.written.cmp(&other.written)
    }
}

impl Hash for ExpressionRule {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.written.hash(state);
    }
}

/// What an expression may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Amount,
    Currency,
    PaymentMethod,
    Store,
    Minute,
    Listed,
    Count,
    MeanAmount,
    TotalAmount,
    HourCount,
    HourMean,
    HourZSquared,
    CountWithin(i64),
    AmountWithin(i64),
    TravelKm(i64),
}

/// A variable of the language.
struct Named {
    slot: Slot,
    kind: Kind,
    name: &'static str,
    about: &'static str,
}

/// A function over a window of the language.
struct Windowed {
    /// The slot of a window in microseconds.
    slot: fn(i64) -> Slot,
    name: &'static str,
    about: &'static str,
}

const fn number(slot: Slot, name: &'static str, about: &'static str) -> Named {
    Named { slot, kind: Kind::Number, name, about }
}

const fn text(slot: Slot, name: &'static str, about: &'static str) -> Named {
    Named { slot, kind: Kind::Text, name, about }
}

const VARIABLES: [Named; 12] = [
    number(Slot::Amount, "amount", "The transaction's amount in its currency."),
    text(Slot::Currency, "currency", "The currency, three capital letters."),
    text(Slot::PaymentMethod, "payment_method", "How it is paid; empty where that is not said."),
    text(Slot::Store, "store", "The store's id."),
    number(Slot::Minute, "minute_of_day", "The minute of the local day, 0 to 1439."),
    Named {
        slot: Slot::Listed,
        kind: Kind::Bool,
        name: "listed",
        about: "Whether the customer or the store is on the blacklist.",
    },
    number(Slot::Count, "customer.count", "The customer's earlier transactions in this currency."),
    number(Slot::MeanAmount, "customer.mean_amount", "Their mean amount; no value without any."),
    number(Slot::TotalAmount, "customer.total_amount", "The sum of their amounts."),
    number(Slot::HourCount, "hour.count", "The customer's earlier transactions in any currency."),
    number(Slot::HourMean, "hour.mean", "The mean of their minutes of the day; no value without any."),
    number(
        Slot::HourZSquared,
        "hour.z_squared",
        "The square of how many sample standard deviations the minute is off that mean; no value where all are at \
         one minute.",
    ),
];

const FUNCTIONS: [Windowed; 3] = [
    Windowed {
        slot: Slot::CountWithin,
        name: "count_within",
        about: "The customer's earlier transactions in the window, in any currency.",
    },
    Windowed {
        slot: Slot::AmountWithin,
        name: "amount_within",
        about: "The sum of the amounts of those in this currency.",
    },
    Windowed {
        slot: Slot::TravelKm,
        name: "travel_km",
        about: "Kilometres from the place of the latest of them that has one; no value where either has none.",
    },
];

/// What expressions of rules may name.
///
/// # Errors
/// None: the names are good.
pub fn variables() -> Result<Variables, String> {
    let variable = |named: &Named| Variable { name: named.name, kind: named.kind, about: named.about };
    let function = |windowed: &Windowed| Function {
        name: windowed.name,
        kind: Kind::Number,
        longest: Duration::from_micros(DAY as u64),
        about: windowed.about,
    };
    let variables = VARIABLES.iter().map(variable).collect();
    Variables::new(variables, FUNCTIONS.iter().map(function).collect()).map_err(|error| error.to_string())
}

fn slots(reads: &[Read]) -> Result<Vec<Slot>, String> {
    let slot = |read: &Read| match read.window {
        None => VARIABLES.iter().find(|named| named.name == read.name).map(|named| named.slot),
        Some(window) => {
            let micros = i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
            FUNCTIONS
                .iter()
                .find(|windowed| windowed.name == read.name)
                .map(|windowed| (windowed.slot)(micros))
        }
    };
    reads.iter().map(|read| slot(read).ok_or_else(|| format!("unknown name {read}"))).collect()
}

/// A context as the facts of one expression.
struct Seen<'a> {
    context: &'a Context<'a>,
    slots: &'a [Slot],
}

impl Facts for Seen<'_> {
    fn value(&self, slot: usize) -> Option<Value<'_>> {
        self.slots.get(slot)?.value(self.context)
    }
}

impl Slot {
    fn value<'a>(self, context: &'a Context<'_>) -> Option<Value<'a>> {
        let Context { earlier, earlier_minutes: minutes, event_time, .. } = context;
        let count = i128::from(minutes.count);
        Some(Value::Number(match self {
            Self::Currency => return Some(Value::Text(context.details.currency().as_str())),
            Self::PaymentMethod => return Some(Value::Text(context.details.payment_method().unwrap_or(""))),
            Self::Store => return Some(Value::Text(context.details.store())),
            Self::Listed => return Some(Value::Bool(context.listing.is_some())),
            Self::Amount => Number::decimal::<2>(context.amount.into()),
            Self::Minute => Number::whole(context.minute.into()),
            Self::Count => Number::whole(earlier.count.into()),
            Self::MeanAmount => Number::ratio(earlier.cents, i128::from(earlier.count).checked_mul(100)?)?,
            Self::TotalAmount => Number::decimal::<2>(earlier.cents),
            Self::HourCount => Number::whole(count),
            Self::HourMean => Number::ratio(minutes.minutes.into(), count)?,
            Self::HourZSquared => {
                let distance = count * i128::from(context.minute) - i128::from(minutes.minutes);
                let numerator = distance.checked_mul(distance)?.checked_mul(count - 1)?;
                Number::ratio(numerator, count.checked_mul(minutes.spread())?)?
            }
            Self::CountWithin(window) => {
                Number::whole(context.recent.count_after(event_time - window).into())
            }
            Self::AmountWithin(window) => {
                let amounts = context.recent.newest_first(event_time - window);
                Number::decimal::<2>(amounts.map(|earlier| i128::from(earlier.cents)).sum())
            }
            Self::TravelKm(window) => {
                let place = context.place?;
                let previous = context.recent.latest_place(event_time - window)?;
                let near = event_time - previous.event_time <= window;
                let metres = near.then(|| previous.place.distance_km(place) * 1000.0)?;
                Number::decimal::<6>((metres * 1000.0).round() as i128)
            }
        }))
    }

    /// How far before a transaction it looks.
    fn look_back(self) -> LookBack {
        match self {
            Self::CountWithin(window) | Self::AmountWithin(window) => {
                LookBack { transactions: window, ..LookBack::default() }
            }
            Self::TravelKm(window) => LookBack { place: window, ..LookBack::default() },
            _ => LookBack::default(),
        }
    }

    /// How far what precedes a transaction may move while this stays as it is.
    fn leeway(self) -> Movement {
        let still = Interval::ZERO;
        match self {
            Self::Count | Self::MeanAmount | Self::TotalAmount => {
                Movement { count: still, mean_amount: still, ..Movement::ANY }
            }
            Self::HourCount | Self::HourMean | Self::HourZSquared => {
                Movement { count: still, mean_minute: still, minute_variance: still, ..Movement::ANY }
            }
            Self::CountWithin(_) | Self::AmountWithin(_) => Movement { recent: still, ..Movement::ANY },
            // The transaction after one whose place changes is evaluated again anyway.
            _ => Movement::ANY,
        }
    }
}

impl ExpressionRule {
    /// As it is written.
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// What `when` and `score` read, as it is written, in its order.
    pub fn names(&self) -> Vec<String> {
        let Compiled { when, score, .. } = &*self.compiled;
        let reads = when.compiled.reads().iter().chain(score.compiled.reads());
        let names: BTreeSet<String> = reads.map(Read::to_string).collect();
        names.into_iter().collect()
    }

    /// What `reason` reads, as it is written.
    pub fn reason_names(&self) -> Vec<String> {
        self.compiled.reason.compiled.reads().iter().map(Read::to_string).collect()
    }

    fn slots(&self) -> impl Iterator<Item = Slot> {
        let Compiled { when, score, .. } = &*self.compiled;
        when.slots.iter().chain(&score.slots).copied()
    }

    /// The values of all that the rule reads, by how it is written.
    fn values(&self, context: &Context<'_>) -> Vec<(String, String)> {
        let Compiled { when, score, .. } = &*self.compiled;
        let parts = [(when.compiled.reads(), &when.slots), (score.compiled.reads(), &score.slots)];
        let mut values: Vec<(String, String)> = parts
            .into_iter()
            .flat_map(|(reads, slots)| reads.iter().zip(slots))
            .filter_map(|(read, slot)| Some((read.to_string(), slot.value(context)?.to_string())))
            .collect();
        values.sort();
        values.dedup();
        values
    }
}

impl Detector for ExpressionRule {
    fn key(&self) -> &'static str {
        "expression"
    }

    fn weight(&self) -> Thousandths {
        self.written.weight
    }

    fn bounds(&self) -> Vec<Bound> {
        Vec::new()
    }

    fn look_back(&self) -> LookBack {
        let reason = self.compiled.reason.slots.iter().copied();
        self.slots().chain(reason).map(Slot::look_back).fold(LookBack::default(), LookBack::max)
    }

    fn detect(&self, context: &Context<'_>) -> Option<Detection> {
        let Compiled { when, score, reason } = &*self.compiled;
        if !when.compiled.holds(&Seen { context, slots: &when.slots }) {
            return None;
        }
        let seen = Seen { context, slots: &score.slots };
        let Ok(Value::Number(number)) = score.compiled.evaluate(&seen) else { return None };
        let score = Score::ratio(number.numerator(), number.denominator());
        if score == Score::ZERO {
            return None;
        }
        let told = reason.compiled.render(&Seen { context, slots: &reason.slots });
        let reason = told.ok().filter(|told| !told.is_empty()).unwrap_or_else(|| self.written.when.clone());
        let evidence = ExpressionEvidence { reason, values: self.values(context) };
        Some(Detection { score, evidence: Evidence::Expression(evidence) })
    }

    fn leeway(&self, _context: &Context<'_>, _score: Interval) -> Movement {
        self.slots().map(Slot::leeway).fold(Movement::ANY, |all, one| all.intersect(&one))
    }
}

/// What an expression rule read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExpressionEvidence {
    /// The reason for people; what triggered it where the rule has none.
    pub reason: String,
    /// What the rule reads with its values, numbers with at most 3 decimals.
    pub values: Vec<(String, String)>,
}

impl Finding for ExpressionEvidence {
    fn details(&self) -> Json {
        let values = self.values.iter().map(|(name, value)| (name.clone(), json!(value)));
        json!({"reason": self.reason, "values": values.collect::<Map<_, _>>()})
    }

    fn explanation(&self) -> String {
        self.reason.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::examples::{Past, context, earlier};
    use streamflow_model::timestamp::MINUTE;

    fn rule(when: &str, score: &str, reason: &str) -> Result<ExpressionRule, String> {
        let [when, score, reason] = [when, score, reason].map(str::to_owned);
        ExpressionRule::try_from(Written { weight: Thousandths(300), when, score, reason })
    }

    #[test]
    fn it_scores_exactly_and_tells_what_it_read() {
        let rule = rule(
            "customer.count >= 5 && amount > 3 * customer.mean_amount",
            "amount / (3 * customer.mean_amount) - 0.5",
            "{amount} is {amount / customer.mean_amount} times the mean",
        );
        let rule = rule.unwrap();
        let paid = |amount| Context { amount, earlier: earlier(&[(10_000, 600); 5]), ..context() };
        let hit = rule.detect(&paid(38_500)).unwrap();
        assert_eq!(hit.score, Score::ratio(47, 60));
        assert_eq!(hit.explanation(), "385 is 3.85 times the mean");
        let details = json!({"reason": "385 is 3.85 times the mean",
            "values": {"amount": "385", "customer.count": "5", "customer.mean_amount": "100"}});
        assert_eq!(hit.evidence.finding().details(), details);
        assert_eq!(rule.detect(&paid(30_000)), None);
        // The mean of nothing has no value.
        assert_eq!(rule.detect(&context()), None);
    }

    #[test]
    fn windows_are_looked_back_to_and_hold_what_is_in_them() {
        let rule = rule(r#"count_within("10m") >= 2"#, r#"amount_within("20m") / 1000"#, "").unwrap();
        let past = Past::of([(-15 * MINUTE, 10_000), (-9 * MINUTE, 20_000), (-MINUTE, 30_000)]);
        let hit = rule.detect(&Context { recent: &past, ..context() }).unwrap();
        assert_eq!(hit.score.to_string(), "0.600");
        assert_eq!(hit.explanation(), r#"count_within("10m") >= 2"#);
        assert_eq!(rule.look_back(), LookBack { transactions: 20 * MINUTE, place: 0 });
    }

    #[test]
    fn what_cannot_be_compiled_is_said_with_the_part_and_the_column() {
        for (when, score, reason, problem) in [
            ("amount", "1", "", "when: column 1: a bool is expected here, this is a number"),
            ("true", "customer.mean", "", "score: column 9: unknown name customer.mean; known are amount, "),
            ("true", "1", "{amount", "reason: column 1: this { is not closed by a }"),
            (r#"count_within("2d") > 1"#, "1", "", "when: "),
            ("amount > ", "1", "", "when: "),
        ] {
            let refused = rule(when, score, reason).unwrap_err();
            assert!(refused.contains(problem), "{refused} must contain {problem}");
            assert_eq!(refused.lines().count(), 1, "{refused}");
        }
    }

    #[test]
    fn a_score_of_nothing_does_not_trigger() {
        for score in ["0", "-1", "amount / 0"] {
            assert_eq!(rule("true", score, "").unwrap().detect(&context()), None, "{score}");
        }
        assert_eq!(rule("true", "7", "").unwrap().detect(&context()).unwrap().score, Score::ONE);
    }
}
