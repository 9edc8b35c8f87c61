//! Retries while another session holds a lock.

use postgres::error::SqlState;
use std::time::Duration;
use streamflow_connectors::backoff::Backoff;

/// Attempts before a step is left for the next run, some twenty seconds in all.
const ATTEMPTS: u32 = 32;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The result of `attempt`, which is retried with growing pauses while another session holds a lock that it
/// needs; `None` if the lock is held all the time.
///
/// # Errors
/// Any other error of an attempt.
pub fn patiently<T>(
    mut attempt: impl FnMut() -> Result<T, postgres::Error>,
) -> Result<Option<T>, postgres::Error> {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(error) if is_in_the_way(&error) => std::thread::sleep(backoff.pause()),
            outcome => return outcome.map(Some),
        }
    }
    match attempt() {
        Err(error) if is_in_the_way(&error) => Ok(None),
        outcome => outcome.map(Some),
    }
}

fn is_in_the_way(error: &postgres::Error) -> bool {
    let code = error.code();
    code == Some(&SqlState::LOCK_NOT_AVAILABLE) || code == Some(&SqlState::T_R_DEADLOCK_DETECTED)
}
