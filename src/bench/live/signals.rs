//! What all threads of a trial look at.

use anyhow::{Result, bail};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Whether to go on.
pub struct Signals {
    /// Ctrl-C or SIGTERM: everything is to end.
    interrupted: Arc<AtomicBool>,
}

impl Signals {
    pub fn new(interrupted: Arc<AtomicBool>) -> Self {
        Self { interrupted }
    }

    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Waits so long.
    ///
    /// # Errors
    /// Whoever started the measurement has had enough.
    pub fn sleep(&self, duration: Duration) -> Result<()> {
        let begun = Instant::now();
        self.wait_for(duration + LOOK_EVERY, "", || Ok(begun.elapsed() >= duration))
    }

    /// Waits until something is so.
    ///
    /// # Errors
    /// Those of `is_so`; `within` is over, `what` did not happen; it is interrupted.
    pub fn wait_for(
        &self,
        within: Duration,
        what: &str,
        mut is_so: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let begun = Instant::now();
        while !is_so()? {
            if self.is_interrupted() {
                bail!("interrupted; nothing was reported");
            }
            if begun.elapsed() > within {
                bail!("{what} within {} s", within.as_secs());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}
