//! Reads a batch in the order of its keys and values.

use super::batch::{Datum, Difference, OpenBatch};
use differential_dataflow::trace::{Cursor, Navigable};
use std::marker::PhantomData;

/// A reader's position in a batch: the first update of its key, and the first of its value.
pub struct OpenCursor<K, V, R> {
    key: usize,
    value: usize,
    of: PhantomData<(K, V, R)>,
}

impl<K, V, R> Default for OpenCursor<K, V, R> {
    fn default() -> Self {
        Self { key: 0, value: 0, of: PhantomData }
    }
}

impl<K: Datum, V: Datum, R: Difference> Navigable for OpenBatch<K, V, R> {
    type Cursor = OpenCursor<K, V, R>;

    fn cursor(&self) -> Self::Cursor {
        OpenCursor::default()
    }
}

/// The first index from `start` on at which `before` does not hold, searched in steps that double, because it
/// is near.
fn gallop<U>(updates: &[U], start: usize, before: impl Fn(&U) -> bool) -> usize {
    let (mut low, mut step) = (start, 1);
    while low < updates.len() && before(&updates[low]) {
        let high = (low + step).min(updates.len());
        if updates.get(high).is_none_or(|update| !before(update)) {
            return low + updates[low..high].partition_point(before);
        }
        low = high;
        step *= 2;
    }
    low
}

impl<K: Datum, V: Datum, R: Difference> Cursor for OpenCursor<K, V, R> {
    type Storage = OpenBatch<K, V, R>;
    type Key<'a> = &'a K;
    type ValOwn = V;
    type Val<'a> = &'a V;
    type Time = u64;
    type TimeGat<'a> = &'a u64;
    type Diff = R;
    type DiffGat<'a> = &'a R;
    type KeyContainer = Vec<K>;
    type ValContainer = Vec<V>;
    type TimeContainer = Vec<u64>;
    type DiffContainer = Vec<R>;

    fn key_valid(&self, storage: &Self::Storage) -> bool {
        self.key < storage.updates.len()
    }

    fn val_valid(&self, storage: &Self::Storage) -> bool {
        self.get_val(storage).is_some()
    }

    fn key<'a>(&self, storage: &'a Self::Storage) -> &'a K {
        &storage.updates[self.key].0.0
    }

    fn val<'a>(&self, storage: &'a Self::Storage) -> &'a V {
        &storage.updates[self.value].0.1
    }

    fn get_key<'a>(&self, storage: &'a Self::Storage) -> Option<&'a K> {
        storage.updates.get(self.key).map(|((key, _), _, _)| key)
    }

    fn get_val<'a>(&self, storage: &'a Self::Storage) -> Option<&'a V> {
        let ((key, value), _, _) = storage.updates.get(self.value)?;
        (self.value == self.key || *key == storage.updates[self.key].0.0).then_some(value)
    }

    fn map_times<L: FnMut(&u64, &R)>(&mut self, storage: &Self::Storage, mut logic: L) {
        if !self.val_valid(storage) {
            return;
        }
        let (data, _, _) = &storage.updates[self.value];
        let of_data = storage.updates[self.value..].iter().take_while(|(other, _, _)| other == data);
        of_data.for_each(|(_, time, diff)| logic(time, diff));
    }

    fn step_key(&mut self, storage: &Self::Storage) {
        if let Some(key) = self.get_key(storage) {
            self.key = gallop(&storage.updates, self.key + 1, |((other, _), _, _)| other == key);
            self.value = self.key;
        }
    }

    fn seek_key(&mut self, storage: &Self::Storage, key: &K) {
        self.key = gallop(&storage.updates, self.key, |((other, _), _, _)| other < key);
        self.value = self.key;
    }

    fn step_val(&mut self, storage: &Self::Storage) {
        if self.val_valid(storage) {
            let (data, _, _) = &storage.updates[self.value];
            self.value = gallop(&storage.updates, self.value + 1, |(other, _, _)| other == data);
        }
    }

    fn seek_val(&mut self, storage: &Self::Storage, value: &V) {
        while self.get_val(storage).is_some_and(|other| other < value) {
            self.step_val(storage);
        }
    }

    fn rewind_keys(&mut self, _: &Self::Storage) {
        self.key = 0;
        self.value = 0;
    }

    fn rewind_vals(&mut self, _: &Self::Storage) {
        self.value = self.key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn galloping_finds_what_a_scan_finds() {
        for length in 0..40 {
            let updates: Vec<usize> = (0..length).collect();
            for start in 0..=length {
                for limit in 0..=length {
                    let scan = (start..length).find(|index| updates[*index] >= limit).unwrap_or(length);
                    assert_eq!(gallop(&updates, start, |update| *update < limit), scan);
                }
            }
        }
    }
}
