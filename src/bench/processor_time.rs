//! How long a thread has had a processor.

use std::time::Duration;

/// Of the calling thread; `None` where the system does not tell. On a machine that others use too it says
/// more than the clock.
pub fn of_this_thread() -> Option<Duration> {
    // Nanoseconds on a processor, nanoseconds waiting for one, slices.
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}
