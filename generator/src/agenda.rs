//! A queue ordered by time; what is due at the same time comes out in the order it went in.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

pub(crate) struct Agenda<T> {
    entries: BinaryHeap<Entry<T>>,
    added: u64,
}

struct Entry<T> {
    at: i64,
    order: u64,
    item: T,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Self {
        Self { entries: BinaryHeap::new(), added: 0 }
    }

    pub(crate) fn add(&mut self, at: i64, item: T) {
        self.entries.push(Entry { at, order: self.added, item });
        self.added += 1;
    }

    /// Time of the next item, microseconds since 1970.
    pub(crate) fn next_at(&self) -> Option<i64> {
        self.entries.peek().map(|entry| entry.at)
    }

    /// Takes the next item if it is due at `until` or before, with its time.
    pub(crate) fn take(&mut self, until: i64) -> Option<(i64, T)> {
        if self.next_at()? > until {
            return None;
        }
        self.entries.pop().map(|entry| (entry.at, entry.item))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<T> Ord for Entry<T> {
    /// Reversed: the heap's greatest entry is the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}
