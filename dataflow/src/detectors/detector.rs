//! What a detector is: settings that know what they accept, how far they look back and what they look for.

use crate::detectors::{Context, Detection, Interval, Movement};
use serde_json::Value;
use std::ops::RangeInclusive;
use streamflow_model::Thousandths;

/// A detector with its settings: a pure function of a transaction's context to an optional detection.
///
/// This customer has paid 100.00 five times and now pays 350.00:
///
/// ```
/// use streamflow_dataflow::detectors::high_value::HighValue;
/// use streamflow_dataflow::detectors::{Context, Detector, Details, EarlierTransaction, PreviousPlace, Recent, Sums};
/// use streamflow_model::Currency;
///
/// /// No single transaction within reach: this detector asks for sums only.
/// struct Nothing;
///
/// impl Recent for Nothing {
///     fn count_after(&self, _start: i64) -> u64 {
///         0
///     }
///     fn newest_first(&self, _start: i64) -> Box<dyn Iterator<Item = EarlierTransaction> + '_> {
///         Box::new(std::iter::empty())
///     }
///     fn latest_place(&self, _start: i64) -> Option<PreviousPlace<'_>> {
///         None
///     }
/// }
///
/// impl Details for Nothing {
///     fn store(&self) -> &str {
///         "s"
///     }
///     fn currency(&self) -> &Currency {
///         &Currency::BRL
///     }
///     fn payment_method(&self) -> Option<&str> {
///         None
///     }
/// }
///
/// const NOON: u16 = 12 * 60;
/// let mut earlier = Sums::default();
/// for _ in 0..5 {
///     earlier.add(10_000, NOON);
/// }
/// let context = Context {
///     amount: 35_000,
///     event_time: 0,
///     details: &Nothing,
///     place: None,
///     minute: NOON,
///     earlier,
///     earlier_minutes: earlier.into(),
///     recent: &Nothing,
///     listing: None,
/// };
///
/// let hit = HighValue::default().detect(&context).expect("350.00 is more than three times the mean");
/// assert_eq!(hit.score.to_string(), "0.667"); // 350 / (3 * 100) - 0.5
///
/// // Exactly three times the mean is still normal.
/// assert_eq!(HighValue::default().detect(&Context { amount: 30_000, ..context }), None);
/// ```
pub trait Detector {
    /// The key of its settings under `rules` in the configuration.
    fn key(&self) -> &'static str;

    /// Its weight in the combined score.
    fn weight(&self) -> Thousandths;

    /// What configuration accepts for its other settings.
    fn bounds(&self) -> Vec<Bound> {
        Vec::new()
    }

    /// How far before a transaction it looks at single earlier ones. What lies farther back may be missing
    /// from its context.
    fn look_back(&self) -> LookBack {
        LookBack::default()
    }

    /// What it finds, if the transaction is what it looks for.
    fn detect(&self, context: &Context<'_>) -> Option<Detection>;

    /// How far what precedes the transaction may move while it triggers as it does now, and its score moves no
    /// farther than `score`. It may be too little, never too much; with the default, a transaction of a
    /// customer with many is evaluated again after every late event before it.
    fn leeway(&self, _context: &Context<'_>, _score: Interval) -> Movement {
        Movement::NONE
    }
}

/// What a detector saw, for machines and for people.
pub trait Finding {
    /// The object in `rule_details`, but for the score. Money is text, times are in RFC 3339.
    fn details(&self) -> Value;

    /// A sentence without its full stop.
    fn explanation(&self) -> String;
}

/// How far before a transaction single earlier ones are looked at, microseconds. Sums over all earlier ones
/// have no such limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookBack {
    /// Event times and amounts.
    pub transactions: i64,
    /// The latest place.
    pub place: i64,
}

impl LookBack {
    /// The farther one of both, in each respect.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { transactions: self.transactions.max(other.transactions), place: self.place.max(other.place) }
    }

    /// The farthest that anything is looked at.
    pub fn farthest(self) -> i64 {
        self.transactions.max(self.place)
    }
}

/// A setting with the values that configuration accepts.
#[derive(Clone, Debug)]
pub struct Bound {
    key: &'static str,
    value: u32,
    allowed: RangeInclusive<u32>,
    show: fn(u32) -> String,
}

impl Bound {
    /// Of a decimal; `allowed` is in thousandths.
    pub fn decimal(key: &'static str, value: Thousandths, allowed: RangeInclusive<u32>) -> Self {
        Self { key, value: value.0, allowed, show: |value| Thousandths(value).to_string() }
    }

    /// Of a whole number.
    pub fn count(key: &'static str, value: u32, allowed: RangeInclusive<u32>) -> Self {
        Self { key, value, allowed, show: |value| value.to_string() }
    }

    /// What is wrong with the value, if anything: the key, the value and what is allowed.
    pub fn problem(&self) -> Option<String> {
        let Self { key, value, allowed, show } = self;
        let (low, high) = (show(*allowed.start()), show(*allowed.end()));
        (!allowed.contains(value)).then(|| format!("{key} = {}: must be {low} to {high}", show(*value)))
    }
}
