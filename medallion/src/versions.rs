//! Net changes of transactions' rows.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use streamflow_dataflow::score::Scored;

/// The net change of one transaction's row.
#[derive(Debug)]
struct Version {
    scored: Scored,
    /// Ingest time of `scored`, ms since 1970.
    time: u64,
    /// Versions gained less versions lost: 1 for a new transaction, 0 for one that only changes.
    net: i64,
    /// `scored` is a version gained.
    gained: bool,
}

/// The transactions that a batch changes, each with its last version, in the order of their first change:
/// roughly that of event time, which keeps block ranges narrow.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    versions: Vec<Version>,
    indexes: HashTable<u32>,
    hasher: RandomState,
}

impl Versions {
    /// A version gained (+1) or lost (-1) at ingest time `time`. Of those gained at one time the last wins.
    pub(crate) fn push(&mut self, time: u64, scored: Scored, change: i8) {
        self.add(Version { scored, time, net: i64::from(change), gained: change > 0 });
    }

    /// Adds the changes of a later batch.
    pub(crate) fn merge(&mut self, later: Self) {
        if self.versions.is_empty() {
            *self = later;
            return;
        }
        for version in later.versions {
            self.add(version);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.versions.len()
    }

    /// Transactions that have no row yet.
    pub(crate) fn added(&self) -> impl Iterator<Item = &Scored> {
        self.versions
            .iter()
            .filter(|version| version.gained && version.net > 0)
            .map(|version| &version.scored)
    }

    /// New versions of transactions that have a row. A version only lost is one that the dataflow has
    /// forgotten.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &Scored> {
        self.versions
            .iter()
            .filter(|version| version.gained && version.net <= 0)
            .map(|version| &version.scored)
    }

    fn add(&mut self, version: Version) {
        let Self { versions, indexes, hasher } = self;
        let id = &version.scored.transaction.id;
        let hash = hasher.hash_one(id.as_str());
        let found = indexes.find(hash, |index| versions[*index as usize].scored.transaction.id == *id);
        if let Some(index) = found {
            let held = &mut versions[*index as usize];
            held.net += version.net;
            if version.gained && (!held.gained || version.time >= held.time) {
                held.scored = version.scored;
                held.time = version.time;
                held.gained = true;
            }
            return;
        }
        let rehash = |index: &u32| hasher.hash_one(versions[*index as usize].scored.transaction.id.as_str());
        // A batch holds far fewer than 2^32 transactions: the committer's limits bound it.
        indexes.insert_unique(hash, versions.len() as u32, rehash);
        versions.push(version);
    }
}
