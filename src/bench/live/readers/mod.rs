//! Readers of a running pipeline: each notes what it sees, and when.

pub mod alerts;
pub mod commits;
pub mod rows;

use anyhow::Result;
use postgres::Client;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use streamflow_connectors::postgres::{PostgresSettings, connect};

/// How often a reader looks: by so much its times may be late.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Between two attempts to reach a server that is away.
const TRY_EVERY: Duration = Duration::from_millis(50);

/// What readers tell while they read.
#[derive(Debug, Default)]
pub struct Seen {
    /// Transaction records before the committed offsets.
    pub committed: AtomicU64,
    /// Alert changes in their topic.
    pub alert_changes: AtomicU64,
    /// Readers are to end.
    ended: AtomicBool,
}

impl Seen {
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

/// Looks again and again until the end, also where the server is away for a time.
fn look(
    settings: &PostgresSettings,
    seen: &Seen,
    mut once: impl FnMut(&mut Client) -> Result<(), postgres::Error>,
) {
    while !seen.has_ended() {
        if let Ok(mut client) = connect(settings) {
            while !seen.has_ended() && once(&mut client).is_ok() {
                std::thread::sleep(LOOK_EVERY);
            }
        }
        std::thread::sleep(TRY_EVERY);
    }
}
