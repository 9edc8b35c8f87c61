//! The books: how many events were read from each topic, and in which account did each of them end?

use crate::operators::Upsert;
use crate::operators::forgetting::Forgetting;
use crate::operators::sums::Key;
use crate::tally::{Observation, Tally};
use streamflow_model::{Account, BooksEntry};
use timely::dataflow::StreamVec;

impl Key for BooksEntry {
    fn closes_at(&self) -> Option<i64> {
        None
    }
}

/// Maintains the books.
pub fn books<'s>(
    forgetting: &Forgetting,
    restored: StreamVec<'s, u64, Upsert<BooksEntry, i64>>,
    tallies: StreamVec<'s, u64, Tally>,
) -> StreamVec<'s, u64, Upsert<BooksEntry, i64>> {
    super::maintain_counts("books", forgetting, restored, tallies, entry)
}

fn entry(tally: &Tally) -> Option<BooksEntry> {
    let topic = tally.topic;
    match tally.observation {
        Observation::Read => Some(BooksEntry::Read { topic }),
        Observation::Ended(account) => Some(BooksEntry::Ended { topic, account }),
        Observation::DeadLetter(reason) => {
            Some(BooksEntry::Ended { topic, account: Account::DeadLetter(reason) })
        }
        _ => None,
    }
}
