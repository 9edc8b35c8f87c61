//! Scored transactions: the outcome of a set of rules on each.

use crate::detectors::{Context, Hit, Interval, Movement};
use crate::rules::{RuleSet, SetName};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use streamflow_model::{RuleId, Score, Thousandths, Transaction};

/// The outcome of the rules on one transaction: that of the live set, and the alerts of shadow sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Verdict {
    /// The combined score.
    pub score: Score,
    /// The score reaches the alert threshold.
    pub alert: bool,
    /// The rules that triggered, by id.
    pub hits: Vec<Hit>,
    /// What shadow sets would alert, by set.
    pub shadows: Vec<ShadowAlert<Hit>>,
}

/// What a shadow set would alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShadowAlert<H> {
    /// The set.
    pub set: SetName,
    /// The combined score.
    pub score: Score,
    /// Its rules that triggered, by id.
    pub hits: Vec<H>,
}

/// What the tables have of a verdict. Evidence is not part of it: with a long history nearly every event
/// changes the mean or the count behind some hit, and hardly ever what anybody can see.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShownVerdict {
    /// The combined score, rounded to thousandths.
    pub score: Score,
    /// The score reaches the alert threshold.
    pub alert: bool,
    /// The rules that triggered, by id.
    pub hits: Vec<ShownHit>,
    /// What shadow sets would alert, by set.
    pub shadows: Vec<ShadowAlert<ShownHit>>,
}

/// What the tables have of a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShownHit {
    /// The rule.
    pub rule: RuleId,
    /// Its score, rounded to thousandths.
    pub score: Score,
}

impl From<&Hit> for ShownHit {
    fn from(hit: &Hit) -> Self {
        Self { rule: hit.rule, score: hit.score.shown() }
    }
}

impl Verdict {
    /// The verdict as the tables have it.
    #[must_use]
    pub fn shown(&self) -> ShownVerdict {
        let hits = |hits: &[Hit]| hits.iter().map(ShownHit::from).collect();
        let shadow = |ShadowAlert { set, score, hits: of }: &ShadowAlert<Hit>| ShadowAlert {
            set: *set,
            score: score.shown(),
            hits: hits(of),
        };
        ShownVerdict {
            score: self.score.shown(),
            alert: self.alert,
            hits: hits(&self.hits),
            shadows: self.shadows.iter().map(shadow).collect(),
        }
    }

    /// The same outcome of a shadow set, if that is an alert.
    pub(crate) fn shadow(self, set: SetName) -> Option<ShadowAlert<Hit>> {
        let Self { score, alert, hits, .. } = self;
        alert.then_some(ShadowAlert { set, score, hits })
    }

    /// Whether a rule of the live set triggered, or a shadow set would alert.
    #[must_use]
    pub fn is_hit(&self) -> bool {
        !self.hits.is_empty() || !self.shadows.is_empty()
    }
}

impl ShownVerdict {
    /// As [`Verdict::is_hit`].
    #[must_use]
    pub fn is_hit(&self) -> bool {
        !self.hits.is_empty() || !self.shadows.is_empty()
    }
}

/// A current transaction, voided ones included, with its verdict as the tables have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scored {
    /// The transaction; shared, because many operators pass it on.
    pub transaction: Arc<Transaction>,
    /// Its score and hits; zero and none for a voided one.
    pub verdict: ShownVerdict,
    /// It is its customer's first in its minute of event time (never for a voided one).
    pub first_in_minute: bool,
    /// Number of changes of its alert, over all versions.
    pub alert_changes: u32,
}

/// A current transaction with an alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Alerted {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// Its score and hits.
    pub verdict: ShownVerdict,
}

impl Scored {
    /// The transaction and its verdict, if that is an alert.
    pub fn alerted(self) -> Option<Alerted> {
        let Self { transaction, verdict, .. } = self;
        verdict.alert.then_some(Alerted { transaction, verdict })
    }
}

/// A transaction that is final, voided ones included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Settled {
    /// The transaction.
    pub transaction: Transaction,
    /// Its score and hits; zero and none for a voided one.
    pub verdict: Verdict,
    /// Number of changes of its alert, over all versions.
    pub alert_changes: u32,
}

/// A version of a final transaction, which an amendment retracts or asserts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Amended {
    /// The version with its verdict. `first_in_minute` says here: it is its customer's only final one in its
    /// minute and currency.
    pub scored: Scored,
    /// The detectors that triggered, by rule id; of a version that is read back with what is stored of their
    /// evidence, which is only that of alerts.
    pub hits: Vec<Hit>,
    /// It is its customer's only final transaction in its local hour, store and currency.
    pub sole_in_hour: bool,
}

/// The verdict of `rules` on a transaction in its context.
pub fn verdict(rules: &RuleSet, context: &Context<'_>) -> Verdict {
    let hits = rules.hits(context);
    if hits.is_empty() {
        return Verdict::default();
    }
    combine(rules, hits)
}

/// The verdict that these hits make; the score is compared with the threshold before it is rounded for display.
fn combine(rules: &RuleSet, hits: Vec<Hit>) -> Verdict {
    let combined = rules.combination.combine(hits.iter().map(|hit| (hit.score, rules.weight(hit.rule))));
    let alert = combined.is_some_and(|score| score >= threshold(rules));
    Verdict { score: combined.unwrap_or(Score::ZERO), alert, hits, shadows: Vec::new() }
}

/// How far what precedes a transaction may move while its verdict stays as it is shown.
pub fn leeway(rules: &RuleSet, context: &Context<'_>, verdict: &Verdict) -> Movement {
    let combined = combined_room(rules, verdict);
    let room = |rule: RuleId| match verdict.hits.iter().find(|hit| hit.rule == rule) {
        Some(hit) => combined.intersect(Room::of(hit.score)).interval(),
        None => Interval::ANY,
    };
    let leeways = rules.enabled().map(|rule| rule.leeway(context, room(rule.id)));
    leeways.fold(Movement::ANY, |all, leeway| all.intersect(&leeway))
}

/// How far a score may move, as a fraction of 1.
#[derive(Clone, Copy)]
struct Room {
    low: f64,
    high: f64,
}

impl Room {
    const ALL: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY };

    /// While the score is shown as it is.
    fn of(score: Score) -> Self {
        let shown = score.shown();
        let off = distance(score, shown);
        let low = if shown == Score::ZERO { f64::NEG_INFINITY } else { off - 0.0005 };
        let high = if shown == Score::ONE { f64::INFINITY } else { off + 0.0005 };
        Self { low, high }
    }

    fn intersect(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    /// For each of the scores of which the combined one has this room.
    fn shared(self, sensitivity: f64) -> Self {
        Self { low: self.low / sensitivity, high: self.high / sensitivity }
    }

    /// Less a margin that is far above what floats can be off by.
    fn interval(self) -> Interval {
        Interval::within(self.low + 1e-12, self.high - 1e-12)
    }
}

/// The room of the combined score, for each of its scores.
fn combined_room(rules: &RuleSet, verdict: &Verdict) -> Room {
    let to_threshold = distance(verdict.score, threshold(rules));
    let alert = match (verdict.score == Score::ZERO, verdict.alert) {
        // Without weights, there is nothing to combine.
        (true, _) => return Room::ALL,
        (false, true) => Room { low: to_threshold, ..Room::ALL },
        (false, false) => Room { high: to_threshold, ..Room::ALL },
    };
    let weights = verdict.hits.iter().map(|hit| rules.weight(hit.rule).0).sum();
    let sensitivity = rules.combination.sensitivity(Thousandths(weights));
    Room::of(verdict.score).intersect(alert).shared(sensitivity)
}

/// How far it is from one score to another.
fn distance(from: Score, to: Score) -> f64 {
    (to.units() as f64 - from.units() as f64) / Score::ONE.units() as f64
}

fn threshold(rules: &RuleSet) -> Score {
    Score::ratio(i128::from(rules.alert_threshold.0), 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::Evidence;
    use crate::detectors::examples::{Past, context, earlier};
    use crate::detectors::velocity::VelocityEvidence;
    use crate::detectors::{MinuteSums, Sums};
    use crate::rules::{Combination, Rules};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn velocity(score: Score) -> Hit {
        let evidence = Evidence::Velocity(VelocityEvidence { count: 6, window: 1 });
        Hit { rule: Rules::IDS[1], score, evidence }
    }

    /// So many transactions just before, for FR-002.
    fn burst(count: i64) -> Past {
        Past::of((0..count).map(|_| (-1, 10_000)))
    }

    #[test]
    fn nothing_triggered_scores_zero() {
        assert_eq!(verdict(&RuleSet::default(), &context()), Verdict::default());
    }

    #[test]
    fn one_detector_scores_as_it_does_alone() {
        let combined = combine(&RuleSet::default(), vec![velocity(Score::ratio(8, 10))]);
        assert_eq!(combined.score.to_string(), "0.800");
        assert!(combined.alert);
    }

    #[test]
    fn exactly_the_threshold_is_alerted_and_a_hair_below_is_not() {
        let exact = Score::ratio(7, 10);
        assert!(combine(&RuleSet::default(), vec![velocity(exact)]).alert);
        let below = Score::from_units(exact.units() - 1);
        let combined = combine(&RuleSet::default(), vec![velocity(below)]);
        assert_eq!(combined.score.to_string(), "0.700");
        assert!(!combined.alert);
    }

    #[test]
    fn a_tie_of_scores_that_are_no_decimals_is_a_tie() {
        // 3.85 times the mean scores 47/60; with FR-002 at 0.6: (47/60 * 0.30 + 0.6 * 0.25) / 0.55 = 0.7.
        let history = earlier(&[(10_000, 600); 5]);
        let context = Context { amount: 38_500, earlier: history, recent: &burst(7), ..context() };
        let combined = verdict(&RuleSet::default(), &context);
        assert_eq!(combined.score, Score::ratio(7, 10));
        assert!(combined.alert);
    }

    #[test]
    fn a_score_exactly_between_two_roundings_is_rounded_up() {
        // FR-002 at 1.0 and FR-004 at a sixth, z being 7/3: (1 * 0.25 + 1/6 * 0.15) / 0.4 = 0.6875.
        let history = [579, 579, 600, 621, 621].map(|minute| (10_000, minute));
        let earlier_minutes = earlier(&history).into();
        let context = Context { minute: 649, earlier_minutes, recent: &burst(9), ..context() };
        assert_eq!(verdict(&RuleSet::default(), &context).score.to_string(), "0.688");
    }

    #[test]
    fn several_detectors_are_weighted() {
        // FR-001 1.0 * 0.30 and FR-002 0.2 * 0.25: 0.35 / 0.55.
        let context =
            Context { amount: 50_000, earlier: earlier(&[(10_000, 600); 5]), recent: &burst(5), ..context() };
        let combined = verdict(&RuleSet::default(), &context);
        assert_eq!(combined.score.to_string(), "0.636");
        assert!(!combined.alert);
        assert_eq!(combined.hits.len(), 2);
    }

    /// How what precedes a transaction has moved.
    fn movement(before: &Sums, after: &Sums, fewer: usize, more: usize) -> Movement {
        let count = |sums: &Sums| sums.count as f64;
        let mean = |sums: &Sums| sums.cents as f64 / count(sums);
        let minute = |sums: &Sums| sums.minutes as f64 / count(sums);
        let variance =
            |sums: &Sums| MinuteSums::from(*sums).spread() as f64 / (count(sums) * (count(sums) - 1.0));
        let by = |number: &dyn Fn(&Sums) -> f64| number(after) - number(before);
        let at = |by: f64| Interval::around(by, by);
        Movement {
            count: at(by(&count)),
            recent: Interval::around(-(fewer as f64), more as f64),
            mean_amount: at(by(&mean)),
            mean_minute: at(by(&minute)),
            minute_variance: at(by(&variance)),
        }
    }

    /// Whatever the leeway allows is not shown, and it allows much.
    #[test]
    fn what_the_leeway_allows_is_not_shown() {
        let mut dice = ChaCha8Rng::seed_from_u64(1);
        let [mut allowed, mut tried] = [0, 0];
        for _ in 0..40_000 {
            let mut rules = Rules::default();
            rules.alert_threshold.0 = [300, 700, 1000][dice.random_range(0..3)];
            rules.high_value.multiple.0 = [1000, 1500, 3000][dice.random_range(0..3)];
            rules.velocity.limit = [1, 5, 40][dice.random_range(0..3)];
            rules.unusual_hour.deviations.0 = [500, 1000, 2000][dice.random_range(0..3)];
            let mut rules = RuleSet::from(rules);
            rules.combination = Combination::ALL[dice.random_range(0..2)];
            let spread = [1, 30, 1439][dice.random_range(0..3)];
            let mut transaction = || (dice.random_range(5_000..20_000), dice.random_range(0..=spread));
            let mut past: Vec<(i64, u16)> = (0..3000).map(|_| transaction()).collect();
            past.truncate(dice.random_range(1..10) * dice.random_range(1..300));
            let before = earlier(&past);
            let bursts = [dice.random_range(0..100), dice.random_range(0..100)];
            let moves = if dice.random() { [bursts[0]; 2] } else { bursts };
            let context = |earlier: Sums, recent| Context {
                amount: 10_000 + 137 * i64::from(spread),
                minute: spread,
                earlier,
                earlier_minutes: earlier.into(),
                recent,
                ..context()
            };
            let [few, many] = moves.map(burst);
            let verdict_before = verdict(&rules, &context(before, &few));
            let leeway = leeway(&rules, &context(before, &few), &verdict_before);
            let mut after = before;
            for _ in 0..dice.random_range(0..4) {
                after.add(dice.random_range(1..40_000), dice.random_range(0..1440));
            }
            if after.count > 2 && dice.random() {
                after.remove(past[0].0, past[0].1);
            }
            if after.count < 2 || before.count < 2 {
                continue;
            }
            let [from, to] = moves.map(|count| count as usize);
            let (fewer, more) = (from.saturating_sub(to), to.saturating_sub(from));
            tried += 1;
            if leeway.contains(&movement(&before, &after, fewer, more)) {
                allowed += 1;
                let after = verdict(&rules, &context(after, &many));
                assert_eq!(verdict_before.shown(), after.shown(), "{rules:?} {before:?} {leeway:?}");
            }
        }
        assert!(allowed * 4 > tried, "{allowed} of {tried}");
    }
}
