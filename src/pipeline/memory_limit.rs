//! The memory limit: reading pauses above it until the records in flight are committed.

use crate::memory;
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// How often resident memory is read.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The allocator returns freed memory to the system within this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Watches the resident size of the process.
pub struct MemoryLimit {
    /// The limit in bytes.
    limit: u64,
    looked: Instant,
    exceeded: Option<Exceeded>,
}

/// Since when the limit is exceeded, and the resident bytes at the latest measurement.
#[derive(Clone, Copy)]
struct Exceeded {
    since: Instant,
    resident: u64,
}

impl MemoryLimit {
    pub fn new(mib: u64) -> Self {
        Self { limit: mib << 20, looked: Instant::now(), exceeded: None }
    }

    /// Whether more may be read while `in_flight` records are in flight.
    ///
    /// # Errors
    /// The limit is exceeded although nothing is in flight, so pausing cannot help.
    pub fn has_room(&mut self, in_flight: u64) -> Result<bool> {
        if self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            self.note(memory::resident().unwrap_or(0), Instant::now());
        }
        let Some(Exceeded { since, resident }) = self.exceeded else { return Ok(true) };
        if in_flight == 0 && since.elapsed() >= PATIENCE {
            bail!(
                "memory: {} MiB with nothing in flight, more than pipeline.memory_limit_mib: {}; raise it, shorten \
                 correction_horizon_seconds or identity_retention_seconds, or spread the customers over more processes",
                resident >> 20,
                self.limit >> 20
            );
        }
        Ok(false)
    }

    fn note(&mut self, resident: u64, now: Instant) {
        let since = self.exceeded.map(|exceeded| exceeded.since);
        if since.is_none() && resident > self.limit {
            tracing::warn!(
                mib = resident >> 20,
                limit = self.limit >> 20,
                "reading pauses: memory is at its limit"
            );
        }
        // Some way below the limit, so that it does not flutter.
        let goes_on = resident <= self.limit / 16 * 15;
        self.exceeded = match since {
            Some(_) if goes_on => {
                tracing::info!(mib = resident >> 20, "reading goes on");
                None
            }
            Some(since) => Some(Exceeded { since, resident }),
            None => (resident > self.limit).then_some(Exceeded { since: now, resident }),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn reading_pauses_above_the_limit_and_goes_on_some_way_below() {
        let mut limit = MemoryLimit::new(160);
        for (resident, has_room) in [(160, true), (161, false), (155, false), (150, true), (155, true)] {
            limit.note(resident * MIB, Instant::now());
            assert_eq!(limit.has_room(1).unwrap(), has_room, "{resident}");
        }
    }

    #[test]
    fn memory_that_pausing_cannot_free_is_an_error() {
        let mut limit = MemoryLimit::new(160);
        let long_ago = Instant::now().checked_sub(PATIENCE).unwrap();
        limit.note(200 * MIB, long_ago);
        assert!(!limit.has_room(1).unwrap());
        let error = limit.has_room(0).unwrap_err().to_string();
        assert!(error.contains("200 MiB") && error.contains("memory_limit_mib: 160"), "{error}");
    }
}
