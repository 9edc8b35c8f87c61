//! Which entries of a block a late event can change, without evaluating them.
//!
//! Law: an entry whose leeway contains the movement of its block is shown as it was when it was last
//! evaluated.
//!
//! Encoding: a block sums up what was added before all of its entries since a base. From that, and from
//! bounds of the entries' means at the base, follow bounds of how far any entry's means have moved: one check
//! for the whole block against the tightest leeway. Only where that fails is each entry looked at, with its
//! own means. What concerns only some of the entries is added to their means and taken off their leeways.

use crate::detectors::{Interval, Movement, Sums};
use std::ops::Range;

/// Below so many earlier transactions every late event counts.
const FEWEST: i64 = 8;

/// What was added before an entry, less what was taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub count: i64,
    pub cents: i64,
    pub minutes: i64,
    pub squared_minutes: i64,
    /// Single ones within the look-back that were taken out or added.
    pub fewer: u32,
    pub more: u32,
}

impl Moved {
    /// A transaction more.
    pub(super) fn one_more(cents: i64, minute: u16) -> Self {
        let minutes = i64::from(minute);
        Self { count: 1, cents, minutes, squared_minutes: minutes * minutes, fewer: 0, more: 1 }
    }

    /// A transaction less.
    pub(super) fn one_less(cents: i64, minute: u16) -> Self {
        let Self { count, cents, minutes, squared_minutes, .. } = Self::one_more(cents, minute);
        let (minutes, squared_minutes) = (-minutes, -squared_minutes);
        Self { count: -count, cents: -cents, minutes, squared_minutes, fewer: 1, more: 0 }
    }

    /// The same for those that do not look back so far.
    pub(super) fn unseen(self) -> Self {
        Self { fewer: 0, more: 0, ..self }
    }

    fn recent(&self) -> Interval {
        Interval::around(-f64::from(self.fewer), f64::from(self.more))
    }

    /// Both; `None` where they are too much for 64 bits.
    fn and(self, other: Self) -> Option<Self> {
        Some(Self {
            count: self.count.checked_add(other.count)?,
            cents: self.cents.checked_add(other.cents)?,
            minutes: self.minutes.checked_add(other.minutes)?,
            squared_minutes: self.squared_minutes.checked_add(other.squared_minutes)?,
            fewer: self.fewer.checked_add(other.fewer)?,
            more: self.more.checked_add(other.more)?,
        })
    }
}

/// Bounds of a number; without any, infinity and its negative.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    low: f64,
    high: f64,
}

impl Bounds {
    const NONE: Self = Self { low: f64::INFINITY, high: f64::NEG_INFINITY };
    const ZERO: Self = Self { low: 0.0, high: 0.0 };

    fn new(one: f64, other: f64) -> Self {
        Self { low: one.min(other), high: one.max(other) }
    }

    fn include(&mut self, value: f64) {
        self.low = self.low.min(value);
        self.high = self.high.max(value);
    }

    fn plus(self, value: f64) -> Self {
        Self { low: self.low + value, high: self.high + value }
    }

    fn minus(self, other: Self) -> Self {
        Self { low: self.low - other.high, high: self.high - other.low }
    }

    fn scaled(self, factor: f64) -> Self {
        Self::new(self.low * factor, self.high * factor)
    }

    fn times(self, other: Self) -> Self {
        let (one, two) = (self.scaled(other.low), self.scaled(other.high));
        Self { low: one.low.min(two.low), high: one.high.max(two.high) }
    }

    fn squared(self) -> Self {
        let product = self.times(self);
        Self { low: product.low.max(0.0), high: product.high }
    }

    /// Divided by something positive.
    fn over(self, divisor: Self) -> Self {
        let low = self.low / if self.low < 0.0 { divisor.low } else { divisor.high };
        let high = self.high / if self.high > 0.0 { divisor.low } else { divisor.high };
        Self { low, high }
    }
}

/// What precedes an entry, as means. Minutes are relative to a centre, so that the variance is no difference
/// of large numbers.
#[derive(Clone, Copy, Debug)]
struct Means {
    count: f64,
    amount: f64,
    minute: f64,
    square: f64,
}

impl Means {
    /// Of sums less what has moved since the base; `None` of too few.
    fn of(sums: &Sums, less: &Moved, centre: i64) -> Option<Self> {
        let count = i64::try_from(sums.count).ok()? - less.count;
        if count < FEWEST {
            return None;
        }
        let minutes = i64::try_from(sums.minutes).ok()? - less.minutes;
        let squares = i64::try_from(sums.squared_minutes).ok()? - less.squared_minutes;
        let squares = centred_squares(count, minutes, squares, centre);
        let mean = |sum: f64| sum / count as f64;
        Some(Self {
            count: count as f64,
            amount: mean((sums.cents - i128::from(less.cents)) as f64),
            minute: mean((minutes - centre * count) as f64),
            square: mean(squares as f64),
        })
    }

    fn variance(&self) -> f64 {
        (self.square - self.minute * self.minute) * self.count / (self.count - 1.0)
    }

    /// After something has moved; `None` where too few are left.
    fn after(&self, moved: &Moved, centre: i64) -> Option<Self> {
        let by = moved.count as f64;
        let count = self.count + by;
        let squares = centred_squares(moved.count, moved.minutes, moved.squared_minutes, centre);
        let mean = |mean: f64, sum: i64| mean + (sum as f64 - mean * by) / count;
        (count >= FEWEST as f64).then(|| Self {
            count,
            amount: mean(self.amount, moved.cents),
            minute: mean(self.minute, moved.minutes - centre * moved.count),
            square: mean(self.square, squares),
        })
    }

    /// How far it is from here to others.
    fn movement_to(&self, others: &Self, moved: &Moved) -> Movement {
        let point = |by: f64| Interval::around(by, by);
        Movement {
            count: point(others.count - self.count),
            recent: moved.recent(),
            mean_amount: point(others.amount - self.amount),
            mean_minute: point(others.minute - self.minute),
            minute_variance: point(others.variance() - self.variance()),
        }
    }
}

/// The sum of (minute - centre)^2.
fn centred_squares(count: i64, minutes: i64, squares: i64, centre: i64) -> i64 {
    squares - 2 * centre * minutes + centre * centre * count
}

/// What precedes the entries of a block at its base, as bounds.
#[derive(Clone, Debug)]
struct Base {
    centre: i64,
    count: Bounds,
    amount: Bounds,
    minute: Bounds,
    square: Bounds,
}

/// How the means of a block's entries have moved.
#[derive(Clone, Copy)]
struct Motion {
    count: f64,
    amount: Bounds,
    minute: Bounds,
    variance: Bounds,
}

impl Base {
    fn new(sums: &Sums) -> Self {
        let centre = sums.minutes.checked_div(sums.count).unwrap_or_default() as i64;
        let none = Bounds::NONE;
        Self { centre, count: none, amount: none, minute: none, square: none }
    }

    fn include(&mut self, means: &Means) {
        self.count.include(means.count);
        self.amount.include(means.amount);
        self.minute.include(means.minute);
        self.square.include(means.square);
    }

    /// A mean moves by (sum that moved - mean * count that moved) / new count. `None` where too few are left,
    /// or where so many moved that the bounds are loose.
    fn motion(&self, moved: &Moved) -> Option<Motion> {
        let count = moved.count as f64;
        let counts = self.count.plus(count);
        if counts.low < FEWEST as f64 || count.abs() * 4.0 > self.count.low {
            return None;
        }
        let mean =
            |sum: i64, mean: Bounds| Bounds::ZERO.plus(sum as f64).minus(mean.scaled(count)).over(counts);
        let amount = mean(moved.cents, self.amount);
        let minute = mean(moved.minutes - self.centre * moved.count, self.minute);
        let squares = centred_squares(moved.count, moved.minutes, moved.squared_minutes, self.centre);
        let square = mean(squares, self.square);
        let off = self.minute.times(minute).scaled(2.0);
        let variance = square.minus(off).minus(minute.squared());
        let variance = variance.times(Bounds::new(1.0, counts.low / (counts.low - 1.0)));
        // The factor n / (n - 1) moves, too.
        let factor = count.abs() / ((counts.low - 1.0) * (self.count.low - 1.0)) * self.square.high;
        let variance = Bounds { low: variance.low - factor, high: variance.high + factor };
        Some(Motion { count, amount, minute, variance })
    }
}

impl Motion {
    fn movement(&self, moved: &Moved) -> Movement {
        let around = |bounds: Bounds| Interval::around(bounds.low, bounds.high);
        Movement {
            count: Interval::around(self.count, self.count),
            recent: moved.recent(),
            mean_amount: around(self.amount),
            mean_minute: around(self.minute),
            minute_variance: around(self.variance),
        }
    }
}

/// What is known of an entry.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// What precedes it at the base.
    means: Means,
    /// From the base on.
    leeway: Movement,
}

impl Known {
    /// By its own means.
    fn is_stable(&self, moved: &Moved, centre: i64) -> bool {
        let after = self.means.after(moved, centre);
        after.is_some_and(|after| self.leeway.contains(&self.means.movement_to(&after, moved)))
    }
}

/// What is known of a block's entries.
#[derive(Clone, Debug)]
pub(super) struct Stability {
    /// By entry; `None` for one that is to be evaluated in any case.
    entries: Vec<Option<Known>>,
    /// What the leeways of all of them allow.
    tightest: Movement,
    base: Option<Base>,
    moved: Moved,
}

impl Stability {
    /// Of so many entries, nothing of which is known.
    pub(super) fn unknown(entries: usize) -> Self {
        let entries = vec![None; entries];
        Self { entries, tightest: Movement::EMPTY, base: None, moved: Moved::default() }
    }

    /// Forgets everything: each entry is to be evaluated.
    pub(super) fn forget(&mut self) {
        *self = Self::unknown(self.entries.len());
    }

    pub(super) fn insert(&mut self, index: usize) {
        self.entries.insert(index, None);
        self.tightest = Movement::EMPTY;
    }

    pub(super) fn remove(&mut self, indexes: Range<usize>) {
        self.entries.drain(indexes);
    }

    /// Cuts off the entries from `index` on. The bounds of the base are of all, so nothing is known of them.
    pub(super) fn split_off(&mut self, index: usize) -> Self {
        let rest = Self::unknown(self.entries.len() - index);
        self.entries.truncate(index);
        self.tighten();
        rest
    }

    /// Remembers the leeway of the entry at `index`, which was evaluated with `sums` before it. Call
    /// [`Self::tighten`] after the last one.
    pub(super) fn set(&mut self, index: usize, sums: &Sums, leeway: &Movement) {
        let base = self.base.get_or_insert_with(|| Base::new(sums));
        let means = Means::of(sums, &self.moved, base.centre);
        let now = Means::of(sums, &Moved::default(), base.centre);
        self.entries[index] = means.zip(now).map(|(means, now)| {
            base.include(&means);
            // From the base on, what has moved since is allowed beside the leeway.
            let Movement { recent, .. } = *leeway;
            let leeway = *leeway - now.movement_to(&means, &self.moved.unseen());
            let (fewer, more) = (f64::from(self.moved.fewer), f64::from(self.moved.more));
            let recent = Interval::within(recent.low() - fewer, recent.high() + more);
            Known { means, leeway: Movement { recent, ..leeway } }
        });
    }

    /// Computes what all leeways allow.
    pub(super) fn tighten(&mut self) {
        let known = |known: &Option<Known>| known.map_or(Movement::EMPTY, |known| known.leeway);
        self.tightest = self.entries.iter().map(known).fold(Movement::ANY, |all, one| all.intersect(&one));
    }

    /// Moves what precedes all entries.
    pub(super) fn shift(&mut self, moved: Moved) {
        if self.base.is_none() {
            return;
        }
        match self.moved.and(moved) {
            Some(moved) => self.moved = moved,
            None => self.forget(),
        }
    }

    /// Moves what precedes the entries in `range`.
    pub(super) fn shift_some(&mut self, range: Range<usize>, moved: Moved) {
        let Some(base) = &mut self.base else { return };
        for entry in &mut self.entries[range] {
            *entry = entry.and_then(|Known { means, leeway }| {
                let after = means.after(&moved, base.centre)?;
                base.include(&after);
                Some(Known { means: after, leeway: leeway - means.movement_to(&after, &moved) })
            });
        }
        self.tighten();
    }

    /// The entries from `from` on that may be shown otherwise now.
    pub(super) fn unstable(&mut self, from: usize) -> Vec<usize> {
        let base = self.base.as_ref();
        let motion = base.and_then(|base| Some((base.centre, base.motion(&self.moved)?)));
        let Some((centre, motion)) = motion else {
            self.forget();
            return (from..self.entries.len()).collect();
        };
        let movement = motion.movement(&self.moved);
        if self.tightest.contains(&movement) {
            return Vec::new();
        }
        let is_stable = |entry: &Option<Known>| {
            entry
                .as_ref()
                .is_some_and(|known| known.leeway.contains(&movement) || known.is_stable(&self.moved, centre))
        };
        (from..self.entries.len()).filter(|index| !is_stable(&self.entries[*index])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// What precedes an entry, how it was when its leeway was set, and what was allowed then.
    struct Entry {
        now: Sums,
        set: Option<(Sums, Movement)>,
        recent: [u32; 2],
    }

    fn apply(sums: &mut Sums, (cents, minute): (i64, u16), adds: bool) {
        if adds { sums.add(cents, minute) } else { sums.remove(cents, minute) }
    }

    /// Whether the entry has moved no farther than was allowed.
    fn has_kept(entry: &Entry) -> bool {
        let Some((then, leeway)) = &entry.set else { return false };
        let mean = |sums: &Sums| Means::of(sums, &Moved::default(), 0).unwrap();
        let (then, now) = (mean(then), mean(&entry.now));
        let at = |by: f64| Interval::around(by, by);
        leeway.contains(&Movement {
            count: at(now.count - then.count),
            recent: Interval::around(-f64::from(entry.recent[0]), f64::from(entry.recent[1])),
            mean_amount: at(now.amount - then.amount),
            mean_minute: at(now.minute - then.minute),
            minute_variance: at(now.variance() - then.variance()),
        })
    }

    /// No entry is taken for stable that has moved farther than it may; and most are not evaluated.
    #[test]
    fn entries_that_have_moved_too_far_are_found() {
        let mut dice = ChaCha8Rng::seed_from_u64(3);
        let [mut steps, mut evaluated] = [0, 0];
        for _ in 0..200 {
            let mut sums = Sums::default();
            let mut transactions: Vec<(i64, u16)> = (0..dice.random_range(20..400))
                .map(|_| (dice.random_range(1_000..90_000), dice.random_range(0..1440)))
                .collect();
            transactions.iter().for_each(|(cents, minute)| sums.add(*cents, *minute));
            let mut entries = Vec::new();
            for _ in 0..8 {
                sums.add(dice.random_range(1_000..90_000), dice.random_range(0..1440));
                entries.push(Entry { now: sums, set: None, recent: [0; 2] });
            }
            let mut stability = Stability::unknown(entries.len());
            for step in 0..60 {
                let adds = step % 3 != 2 || transactions.len() < 15;
                let moved @ (cents, minute) = match adds {
                    true => (dice.random_range(1_000..90_000), dice.random_range(0..1440)),
                    false => transactions.swap_remove(dice.random_range(0..transactions.len())),
                };
                let change = match adds {
                    true => Moved::one_more(cents, minute),
                    false => Moved::one_less(cents, minute),
                };
                let change = if dice.random() { change } else { change.unseen() };
                let from = if dice.random() { 0 } else { dice.random_range(0..entries.len()) };
                for entry in &mut entries[from..] {
                    apply(&mut entry.now, moved, adds);
                    entry.recent[0] += change.fewer;
                    entry.recent[1] += change.more;
                }
                if from == 0 {
                    stability.shift(change);
                } else {
                    stability.shift_some(from..entries.len(), change);
                }
                let unstable = stability.unstable(from);
                steps += entries.len() - from;
                evaluated += unstable.len();
                for (index, entry) in entries.iter_mut().enumerate().skip(from) {
                    if !unstable.contains(&index) {
                        assert!(has_kept(entry), "entry {index} in step {step}");
                        continue;
                    }
                    let mut room = |scale: f64| {
                        Interval::within(-scale * dice.random::<f64>(), scale * dice.random::<f64>())
                    };
                    let leeway = Movement {
                        count: room(60.0),
                        recent: room(30.0),
                        mean_amount: room(4000.0),
                        mean_minute: room(60.0),
                        minute_variance: room(20_000.0),
                    };
                    stability.set(index, &entry.now, &leeway);
                    (entry.set, entry.recent) = (Some((entry.now, leeway)), [0; 2]);
                }
                stability.tighten();
            }
        }
        assert!(evaluated * 3 < steps, "{evaluated} of {steps}");
    }
}
