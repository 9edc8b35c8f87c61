//! The committed offsets, as a reader of `streamflow.progress` sees them.

use super::{Seen, look};
use crate::config::Config;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use streamflow_harness::schedule::Clock;

const SQL: &str = "SELECT coalesce(offsets -> $1::text, '{}')::text, (extract(epoch FROM committed_at) * 1000000)::bigint \
                   FROM streamflow.progress";

/// A commit, or several between two looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advance {
    /// When it was seen, microseconds of the clock.
    pub at: i64,
    /// The first offset of each partition that is not committed.
    pub offsets: BTreeMap<i32, i64>,
}

impl Advance {
    /// Records that are committed: offsets of transactions begin with 0 and leave none out.
    pub fn committed(&self) -> u64 {
        self.offsets.values().map(|offset| u64::try_from(*offset).unwrap_or(0)).sum()
    }
}

/// Follows the commits until the end.
pub fn follow(config: &Config, clock: Clock, seen: &Seen) -> Vec<Advance> {
    let mut advances = Vec::new();
    let mut last = 0;
    look(&config.postgres, seen, |client| {
        let row = client.query_one(SQL, &[&config.topics.transactions[0]])?;
        let (offsets, committed_at): (&str, i64) = (row.try_get(0)?, row.try_get(1)?);
        if committed_at != last {
            last = committed_at;
            // It is the text of our own map of numbers.
            let offsets = serde_json::from_str(offsets).unwrap_or_default();
            let advance = Advance { at: clock.now(), offsets };
            seen.committed.store(advance.committed(), Ordering::Relaxed);
            advances.push(advance);
        }
        Ok(())
    });
    advances
}
