//! The history of one customer.

use super::entry::Entry;
use crate::model::views::Profile;
use crate::model::{Id, Place, Sums};

/// What lies behind the horizon, summed up.
#[derive(Default)]
pub(super) struct Folded {
    pub sums: Sums,
    /// Event times of the current ones among them that a window may still reach, ascending.
    pub recent: Vec<i64>,
    /// The latest of them with a place.
    pub last_place: Option<Box<FoldedPlace>>,
    /// Event times of the first and the last of them.
    pub seen: Option<(i64, i64)>,
}

/// The latest folded transaction with a place.
pub(super) struct FoldedPlace {
    pub event_time: i64,
    pub place: Place,
    pub id: Id,
}

/// A customer's transactions: those within the horizon one by one, those before it summed up.
pub(super) struct Customer {
    pub id: Id,
    pub folded: Folded,
    /// Within the horizon, in the order of (event time, id), voided ones included.
    pub entries: Vec<Entry>,
    /// Sums over all current transactions, folded ones included.
    pub total: Sums,
    /// Voided ones among the entries.
    pub voided: u32,
    /// Current transactions that are alerted.
    pub alerts: u32,
    /// Its profile changes in this epoch.
    pub touched: bool,
}

impl Customer {
    pub(super) fn new(id: Id) -> Self {
        Self {
            id,
            folded: Folded::default(),
            entries: Vec::new(),
            total: Sums::default(),
            voided: 0,
            alerts: 0,
            touched: false,
        }
    }

    /// Where an entry with this key stands, or would stand.
    pub(super) fn position(&self, key: (i64, &str)) -> usize {
        match self.entries.last() {
            Some(last) if last.key() >= key => self.entries.partition_point(|entry| entry.key() < key),
            _ => self.entries.len(),
        }
    }

    /// The position of the entry with exactly this key.
    pub(super) fn find(&self, key: (i64, &str)) -> Option<usize> {
        let position = self.position(key);
        self.entries.get(position).filter(|entry| entry.key() == key).map(|_| position)
    }

    /// The first position at or after an event time.
    pub(super) fn position_at(&self, event_time: i64) -> usize {
        self.entries.partition_point(|entry| entry.event_time < event_time)
    }

    pub(super) fn insert(&mut self, position: usize, entry: Entry, minute: u16) {
        if entry.voided {
            self.voided += 1;
        } else {
            self.total.add(entry.cents, minute);
        }
        // A quarter of spare room instead of doubling: memory is nearly all entries.
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(self.entries.len() / 4 + 2);
        }
        self.entries.insert(position, entry);
    }

    pub(super) fn remove(&mut self, position: usize, minute: u16) -> Entry {
        let entry = self.entries.remove(position);
        if entry.voided {
            self.voided -= 1;
        } else {
            self.total.remove(entry.cents, minute);
        }
        entry
    }

    /// Event time of the last entry, voided or not.
    pub(super) fn newest(&self) -> Option<i64> {
        self.entries.last().map(|entry| entry.event_time)
    }

    /// The profile; `None` without current transactions.
    pub(super) fn profile(&self) -> Option<Profile> {
        let mut current = self.entries.iter().filter(|entry| !entry.voided).map(|entry| entry.event_time);
        let (first_seen, last_seen) = match self.folded.seen {
            Some((first, last)) => (first, self.last_current().unwrap_or(last)),
            None => {
                let first = current.next()?;
                (first, self.last_current().unwrap_or(first))
            }
        };
        (self.total.count > 0).then(|| Profile {
            sums: self.total,
            first_seen,
            last_seen,
            alerts: u64::from(self.alerts),
        })
    }

    fn last_current(&self) -> Option<i64> {
        self.entries.iter().rev().find(|entry| !entry.voided).map(|entry| entry.event_time)
    }

    /// Takes the first `count` entries out and into the sums. `minute` gives an event time's minute of the local day;
    /// event times before `window_start` can be seen by no window any more.
    pub(super) fn fold(
        &mut self,
        count: usize,
        minute: impl Fn(i64) -> u16,
        window_start: i64,
        mut leave: impl FnMut(&Entry),
    ) {
        let folded = &mut self.folded;
        for entry in self.entries.drain(..count) {
            leave(&entry);
            if entry.voided {
                self.voided -= 1;
                continue;
            }
            folded.sums.add(entry.cents, minute(entry.event_time));
            folded.recent.push(entry.event_time);
            let first = folded.seen.map_or(entry.event_time, |(first, _)| first);
            folded.seen = Some((first, entry.event_time));
            if let Some(place) = entry.place() {
                let latest = FoldedPlace { event_time: entry.event_time, place, id: entry.id };
                folded.last_place = Some(Box::new(latest));
            }
        }
        let seen = folded.recent.partition_point(|time| *time < window_start);
        folded.recent.drain(..seen);
        folded.recent.shrink_to_fit();
        if self.entries.capacity() > self.entries.len() * 3 / 2 + 4 {
            self.entries.shrink_to(self.entries.len() + 2);
        }
    }
}
