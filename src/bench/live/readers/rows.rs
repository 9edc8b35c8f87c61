//! Rows of transactions, as a reader with a connection of its own sees them.

use super::{Seen, look};
use crate::bench::live::offer::{Sample, Samples};
use crate::config::Config;
use crate::lock::lock;
use std::collections::HashSet;
use streamflow_harness::schedule::Clock;

const SQL: &str = "SELECT transaction_id FROM silver.transactions WHERE transaction_id = ANY($1)";

/// A row that can be read.
#[derive(Clone, Copy, Debug)]
pub struct Readable {
    /// When its event was due, microseconds of the clock.
    pub due: i64,
    /// When it was seen.
    pub at: i64,
}

/// Looks for the rows of samples until the end. A sample that was not accepted has none.
pub fn follow(config: &Config, clock: Clock, samples: &Samples, seen: &Seen) -> Vec<Readable> {
    let mut waiting: Vec<Sample> = Vec::new();
    let mut readable = Vec::new();
    look(&config.postgres, seen, |client| {
        waiting.append(&mut lock(samples));
        if waiting.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = waiting.iter().map(|sample| sample.id.as_str()).collect();
        let rows = client.query(SQL, &[&ids])?;
        let at = clock.now();
        let found = rows.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<String>, _>>()?;
        waiting.retain(|sample| {
            let is_found = found.contains(&sample.id);
            if is_found {
                readable.push(Readable { due: sample.due, at });
            }
            !is_found
        });
        Ok(())
    });
    readable
}
