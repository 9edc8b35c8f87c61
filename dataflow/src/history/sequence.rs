//! The entries of one customer in order.
//!
//! Encoding: one vector, as nearly all customers have few entries. Beyond the length of a block: blocks, each
//! with its sums, so that what precedes an entry, the latest place and the like are found without a walk over
//! everything, and with what is known of the stability of its entries.

use super::entry::Entry;
use super::stability::{Moved, Stability};
use crate::detectors::Sums;
use streamflow_model::Calendar;

/// Where an entry is, or where one would be inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub block: usize,
    pub index: usize,
}

/// Entries in the order of (event time, id), voided ones included.
pub(super) enum Sequence {
    Short(Vec<Entry>),
    Long(Box<Blocks>),
}

/// At least one block, none of which is empty.
#[derive(Default)]
pub(super) struct Blocks {
    summaries: Vec<Summary>,
    blocks: Vec<Block>,
}

struct Block {
    entries: Vec<Entry>,
    stability: Stability,
}

/// What is asked of whole blocks. They lie side by side, apart from the entries.
#[derive(Default)]
pub(super) struct Summary {
    /// Event time of the first entry.
    first: i64,
    entries: usize,
    voided: usize,
    /// Current ones with a place.
    placed: usize,
    /// Over the current ones.
    sums: Sums,
}

impl Summary {
    fn of(entries: &[Entry], calendar: &Calendar) -> Self {
        let mut summary = Self::default();
        entries.iter().for_each(|entry| summary.add(entry, calendar));
        summary
    }

    /// Those that are not voided.
    pub(super) fn current(&self) -> usize {
        self.entries - self.voided
    }

    /// Current ones with a place.
    pub(super) fn placed(&self) -> usize {
        self.placed
    }

    fn add(&mut self, entry: &Entry, calendar: &Calendar) {
        self.first = if self.entries == 0 { entry.event_time } else { self.first.min(entry.event_time) };
        self.entries += 1;
        if entry.voided() {
            self.voided += 1;
        } else {
            self.placed += usize::from(entry.place().is_some());
            self.sums.add(entry.cents(), calendar.minute_of_day(entry.event_time));
        }
    }

    /// Takes out an entry; `first` is that of the rest. Without any, the block keeps its place.
    fn remove(&mut self, entry: &Entry, calendar: &Calendar, first: Option<&Entry>) {
        self.entries -= 1;
        self.first = first.map_or(self.first, |entry| entry.event_time);
        if entry.voided() {
            self.voided -= 1;
        } else {
            self.placed -= usize::from(entry.place().is_some());
            self.sums.remove(entry.cents(), calendar.minute_of_day(entry.event_time));
        }
    }
}

/// What precedes the entries from a position on moves.
pub(super) struct Change {
    /// The first entry behind it.
    pub from: Position,
    pub moved: Moved,
    pub event_time: i64,
}

impl Position {
    /// Of the first entry.
    pub(super) const FIRST: Self = Self { block: 0, index: 0 };
}

impl Sequence {
    /// The entries of a block.
    pub(super) fn entries(&self, block: usize) -> &[Entry] {
        match self {
            Self::Short(entries) => entries,
            Self::Long(long) => &long.blocks[block].entries,
        }
    }

    fn blocks(&self) -> usize {
        match self {
            Self::Short(_) => 1,
            Self::Long(long) => long.blocks.len(),
        }
    }

    fn summary(&self, block: usize) -> Option<&Summary> {
        match self {
            Self::Short(_) => None,
            Self::Long(long) => Some(&long.summaries[block]),
        }
    }

    pub(super) fn is_long(&self) -> bool {
        matches!(self, Self::Long(_))
    }

    pub(super) fn first(&self) -> Option<&Entry> {
        self.entries(0).first()
    }

    pub(super) fn last(&self) -> Option<&Entry> {
        self.entries(self.blocks() - 1).last()
    }

    /// The position after the last entry.
    pub(super) fn end(&self) -> Position {
        let block = self.blocks() - 1;
        Position { block, index: self.entries(block).len() }
    }

    /// The position of the last entry.
    pub(super) fn last_position(&self) -> Position {
        let Position { block, index } = self.end();
        Position { block, index: index.saturating_sub(1) }
    }

    pub(super) fn get(&self, position: Position) -> Option<&Entry> {
        self.entries(position.block).get(position.index)
    }

    pub(super) fn get_mut(&mut self, position: Position) -> &mut Entry {
        match self {
            Self::Short(entries) => &mut entries[position.index],
            Self::Long(long) => &mut long.blocks[position.block].entries[position.index],
        }
    }

    /// Where an entry with this key would be inserted: behind all that are smaller.
    pub(super) fn position(&self, key: (i64, &str)) -> Position {
        let block = match self {
            Self::Short(_) => 0,
            Self::Long(long) => long.block_of(key),
        };
        let entries = self.entries(block);
        let index = match entries.last() {
            // Most are inserted after the last one, and ids seldom need to be compared.
            Some(last) if last.event_time >= key.0 => entries.partition_point(|entry| entry.key() < key),
            _ => entries.len(),
        };
        Position { block, index }
    }

    /// The entry at a position or, where a block ends, the first of the next.
    pub(super) fn onward(&self, position: Position) -> Position {
        let at_end = position.index == self.entries(position.block).len();
        if at_end && position.block + 1 < self.blocks() {
            return Position { block: position.block + 1, index: 0 };
        }
        position
    }

    /// The position behind an entry.
    pub(super) fn after(&self, position: Position) -> Position {
        self.onward(Position { index: position.index + 1, ..position })
    }

    /// The position of the entry with exactly this key.
    pub(super) fn find(&self, key: (i64, &str)) -> Option<Position> {
        let position = self.onward(self.position(key));
        self.get(position).filter(|entry| entry.key() == key).map(|_| position)
    }

    /// The first position at or after an event time.
    pub(super) fn position_at(&self, event_time: i64) -> Position {
        self.onward(self.position((event_time, "")))
    }

    /// The entries from a position on.
    pub(super) fn from(&self, position: Position) -> impl Iterator<Item = (Position, &Entry)> {
        (position.block..self.blocks()).flat_map(move |block| {
            let from = if block == position.block { position.index } else { 0 };
            let entries = self.entries(block).iter().enumerate().skip(from);
            entries.map(move |(index, entry)| (Position { block, index }, entry))
        })
    }

    /// The entries before a position, the latest first.
    pub(super) fn before(&self, position: Position) -> impl Iterator<Item = &Entry> {
        let partial = &self.entries(position.block)[..position.index];
        let earlier = (0..position.block).rev().map(|block| self.entries(block));
        std::iter::once(partial).chain(earlier).flat_map(|slice| slice.iter().rev())
    }

    /// The latest entry before a position that is wanted, in blocks that may hold one.
    pub(super) fn latest_before(
        &self,
        position: Position,
        may_hold: impl Fn(&Summary) -> bool,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Option<&Entry> {
        let partial = &self.entries(position.block)[..position.index];
        let earlier = (0..position.block).rev();
        let held = earlier.filter(|block| self.summary(*block).is_none_or(&may_hold));
        let slices = std::iter::once(partial).chain(held.map(|block| self.entries(block)));
        slices.flat_map(|slice| slice.iter().rev()).find(|entry| wanted(entry))
    }

    /// The position of the first entry from a position on that is wanted, in blocks that may hold one.
    pub(super) fn next_from(
        &self,
        position: Position,
        may_hold: impl Fn(&Summary) -> bool,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Option<Position> {
        let mut held =
            (position.block..self.blocks()).filter(|block| self.summary(*block).is_none_or(&may_hold));
        held.find_map(|block| {
            let from = if block == position.block { position.index } else { 0 };
            let index = self.entries(block)[from..].iter().position(&wanted)?;
            Some(Position { block, index: from + index })
        })
    }

    /// How many current entries before a position have an event time above `start`. `some_voided`: whether
    /// any may be voided.
    pub(super) fn count_current(&self, start: i64, before: Position, some_voided: bool) -> usize {
        let current = |entries: &[Entry]| match some_voided {
            true => entries.iter().filter(|entry| !entry.voided()).count(),
            false => entries.len(),
        };
        let after = |entries: &[Entry]| current(&entries[first_after(entries, start)..]);
        let own = &self.entries(before.block)[..before.index];
        let earlier = match self {
            Self::Long(long) if own.first().is_none_or(|first| first.event_time > start) => {
                let summaries = &long.summaries[..before.block];
                let whole = summaries.partition_point(|summary| summary.first <= start);
                let partial = whole.checked_sub(1).map_or(0, |block| after(self.entries(block)));
                partial + summaries[whole..].iter().map(Summary::current).sum::<usize>()
            }
            _ => 0,
        };
        earlier + after(own)
    }

    /// Sums over the current entries from a position on.
    pub(super) fn sums_from(&self, position: Position, calendar: &Calendar) -> Sums {
        let mut sums = Sums::default();
        add_current(&mut sums, &self.entries(position.block)[position.index..], calendar);
        if let Self::Long(long) = self {
            long.summaries[position.block + 1..].iter().for_each(|summary| sums.add_all(&summary.sums));
        }
        sums
    }

    /// Adds to `sums` the current entries between two positions.
    pub(super) fn add_between(&self, sums: &mut Sums, from: Position, to: Position, calendar: &Calendar) {
        let mut index = from.index;
        for block in from.block..to.block {
            match self.summary(block).filter(|_| index == 0) {
                Some(summary) => sums.add_all(&summary.sums),
                None => add_current(sums, &self.entries(block)[index..], calendar),
            }
            index = 0;
        }
        add_current(sums, &self.entries(to.block)[index..to.index], calendar);
    }

    /// Inserts an entry at its position. Blocks keep their numbers until [`Self::balance`] is called.
    pub(super) fn insert(&mut self, position: Position, entry: Entry, calendar: &Calendar) {
        match self {
            Self::Short(entries) => {
                make_room(entries);
                entries.insert(position.index, entry);
            }
            Self::Long(long) => {
                long.summaries[position.block].add(&entry, calendar);
                let block = &mut long.blocks[position.block];
                make_room(&mut block.entries);
                block.entries.insert(position.index, entry);
                block.stability.insert(position.index);
            }
        }
    }

    /// Takes out an entry. Blocks keep their numbers until [`Self::balance`] is called.
    pub(super) fn remove(&mut self, position: Position, calendar: &Calendar) -> Entry {
        match self {
            Self::Short(entries) => entries.remove(position.index),
            Self::Long(long) => {
                let block = &mut long.blocks[position.block];
                let entry = block.entries.remove(position.index);
                block.stability.remove(position.index..position.index + 1);
                long.summaries[position.block].remove(&entry, calendar, block.entries.first());
                entry
            }
        }
    }

    /// Splits the blocks at `changed` where they are longer than `length`, and drops them where they are
    /// empty.
    pub(super) fn balance(&mut self, changed: &[Position], length: usize, calendar: &Calendar) {
        match self {
            Self::Short(entries) => {
                if entries.len() > length {
                    let block = Block::new(std::mem::take(entries));
                    let mut long = Blocks::default();
                    long.add(0, block, calendar);
                    long.balance(0, length, calendar);
                    *self = Self::Long(Box::new(long));
                }
            }
            Self::Long(long) => {
                let mut blocks: Vec<usize> = changed.iter().map(|position| position.block).collect();
                blocks.sort_unstable();
                blocks.dedup();
                // From the last on, so that the numbers of the others stay.
                blocks.into_iter().rev().for_each(|block| long.balance(block, length, calendar));
            }
        }
    }

    /// Notes what moves, and returns the entries that may be shown otherwise then. `look_back` is how far
    /// single transactions are looked at, microseconds.
    pub(super) fn shift(&mut self, changes: &[Change], look_back: i64) -> Vec<Position> {
        match self {
            Self::Short(_) => Vec::new(),
            Self::Long(long) => long.shift(changes, look_back),
        }
    }

    /// The stability of a block of a long sequence.
    pub(super) fn stability(&mut self, block: usize) -> Option<&mut Stability> {
        match self {
            Self::Short(_) => None,
            Self::Long(long) => Some(&mut long.blocks[block].stability),
        }
    }

    /// Forgets what is known of the stability of entries.
    pub(super) fn forget_stability(&mut self) {
        if let Self::Long(long) = self {
            long.blocks.iter_mut().for_each(|block| block.stability.forget());
        }
    }

    /// Takes out the entries before an event time, in order. `length` is that of a block.
    pub(super) fn fold(
        &mut self,
        end: i64,
        length: usize,
        calendar: &Calendar,
        mut folded: impl FnMut(Entry),
    ) {
        match self {
            Self::Short(entries) => {
                let count = entries.iter().take_while(|entry| entry.event_time < end).count();
                entries.drain(..count).for_each(folded);
                return_room(entries);
            }
            Self::Long(long) => {
                long.fold(end, calendar, &mut folded);
                if long.summaries.iter().map(|summary| summary.entries).sum::<usize>() <= length / 2 {
                    let blocks = std::mem::take(&mut long.blocks).into_iter();
                    *self = Self::Short(blocks.flat_map(|block| block.entries).collect());
                }
            }
        }
    }
}

impl Default for Sequence {
    fn default() -> Self {
        Self::Short(Vec::new())
    }
}

impl Block {
    fn new(entries: Vec<Entry>) -> Self {
        let stability = Stability::unknown(entries.len());
        Self { entries, stability }
    }
}

impl Blocks {
    /// The block for a key: the last one that begins before it.
    fn block_of(&self, key: (i64, &str)) -> usize {
        let begins_after = self.summaries.partition_point(|summary| summary.first < key.0);
        // Ids are compared only among blocks that begin at the very instant.
        let at_instant = self.blocks[begins_after..].iter().take_while(|block| {
            block.entries.first().is_some_and(|first| first.event_time == key.0 && first.key() < key)
        });
        (begins_after + at_instant.count()).saturating_sub(1)
    }

    fn add(&mut self, number: usize, block: Block, calendar: &Calendar) {
        self.summaries.insert(number, Summary::of(&block.entries, calendar));
        self.blocks.insert(number, block);
    }

    fn balance(&mut self, number: usize, length: usize, calendar: &Calendar) {
        let block = &mut self.blocks[number];
        if block.entries.is_empty() && self.summaries.len() > 1 {
            self.summaries.remove(number);
            self.blocks.remove(number);
        } else if block.entries.len() > length {
            // What is appended leaves full blocks behind.
            let last = number + 1 == self.summaries.len();
            let index = if last { length } else { block.entries.len() / 2 };
            let entries = block.entries.split_off(index);
            let rest = Block { entries, stability: block.stability.split_off(index) };
            self.summaries[number] = Summary::of(&block.entries, calendar);
            self.add(number + 1, rest, calendar);
        }
    }

    fn shift(&mut self, changes: &[Change], look_back: i64) -> Vec<Position> {
        let first = changes.iter().map(|change| change.from.block).min().unwrap_or(self.blocks.len());
        let mut unstable = Vec::new();
        for (number, block) in self.blocks.iter_mut().enumerate().skip(first) {
            let (begins, length) = (self.summaries[number].first, block.entries.len());
            let mut from = length;
            for change in changes.iter().filter(|change| change.from.block <= number) {
                let index = if change.from.block == number { change.from.index } else { 0 };
                from = from.min(index);
                let seen = begins < change.event_time.saturating_add(look_back);
                let moved = if seen { change.moved } else { change.moved.unseen() };
                if index == 0 {
                    block.stability.shift(moved);
                } else {
                    block.stability.shift_some(index..length, moved);
                }
            }
            let indexes = block.stability.unstable(from);
            unstable.extend(indexes.into_iter().map(|index| Position { block: number, index }));
        }
        unstable
    }

    fn fold(&mut self, end: i64, calendar: &Calendar, folded: &mut impl FnMut(Entry)) {
        let is_over = |block: &&Block| block.entries.last().is_none_or(|last| last.event_time < end);
        let whole = self.blocks.iter().take_while(is_over).count();
        self.summaries.drain(..whole);
        self.blocks.drain(..whole).flat_map(|block| block.entries).for_each(&mut *folded);
        let (Some(block), Some(summary)) = (self.blocks.first_mut(), self.summaries.first_mut()) else {
            return;
        };
        let count = block.entries.partition_point(|entry| entry.event_time < end);
        block.entries.drain(..count).for_each(folded);
        block.stability.remove(0..count);
        *summary = Summary::of(&block.entries, calendar);
    }
}

fn add_current(sums: &mut Sums, entries: &[Entry], calendar: &Calendar) {
    for entry in entries.iter().filter(|entry| !entry.voided()) {
        sums.add(entry.cents(), calendar.minute_of_day(entry.event_time));
    }
}

/// The first index whose event time is above `start`, searched from the end, where it nearly always is.
fn first_after(entries: &[Entry], start: i64) -> usize {
    let mut step = 4;
    let mut low = entries.len();
    while low > 0 && entries[low - 1].event_time > start {
        let high = low;
        low = low.saturating_sub(step);
        if entries[low].event_time <= start {
            return low + entries[low..high].partition_point(|entry| entry.event_time <= start);
        }
        step *= 2;
    }
    low
}

/// Reserves little spare room instead of doubling: entries are nearly all of the memory.
fn make_room(entries: &mut Vec<Entry>) {
    let count = entries.len();
    if count == entries.capacity() {
        entries.reserve_exact(room(count + 1) - count);
    }
}

fn return_room(entries: &mut Vec<Entry>) {
    let count = entries.len();
    if count == 0 {
        *entries = Vec::new();
    } else if entries.capacity() > room(count + count / 8 + 1) {
        entries.shrink_to(room(count));
    }
}

/// Entries that the memory for `count` of them holds: allocators hand out sizes in steps of a quarter of a
/// power of two.
fn room(count: usize) -> usize {
    count.next_multiple_of((count.next_power_of_two() / 8).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_grows_by_at_most_a_quarter() {
        let rooms = [1, 2, 7, 8, 9, 16, 17, 20, 21, 33, 1000].map(room);
        assert_eq!(rooms, [1, 2, 7, 8, 10, 16, 20, 20, 24, 40, 1024]);
    }
}
