//! Stages that a test holds up, to see that their lag shows.
//!
//! `STREAMFLOW_FAILPOINT=stall@directory` arms all of them: a stage does nothing while there is a file of its name in the directory.
//! Only builds with debug assertions look; in a release nothing of this is left.

/// Admission.
pub(crate) const ADMITTED: &str = "admitted";
/// The histories of customers.
pub(crate) const HISTORY: &str = "history";
/// Every aggregate.
pub(crate) const AGGREGATES: &str = "aggregates";

/// Whether a stage is to do nothing now. An operator then leaves its input where it is, which holds its frontier.
#[cfg(debug_assertions)]
pub fn holds(stage: &str) -> bool {
    let armed = std::env::var("STREAMFLOW_FAILPOINT").unwrap_or_default();
    let directory = armed.strip_prefix("stall@");
    directory.is_some_and(|directory| std::path::Path::new(directory).join(stage).exists())
}

/// Never, in a release.
#[cfg(not(debug_assertions))]
pub fn holds(_stage: &str) -> bool {
    false
}
