//! Points in the code where a test lets the process fail.
//!
//! | `STREAMFLOW_FAILPOINT` | what happens |
//! |---|---|
//! | `name@chance` | the process aborts, as by kill -9, with that chance (0 to 1) each time it passes the named line |
//! | `stall@directory` | a stage does nothing while the directory holds a file of the stage's name |
//! | `clock@seconds` | the process takes this host's clock to be so much later, or earlier where that is negative |
//!
//! Only builds with debug assertions read the variable; a release contains none of this.

use std::time::Duration;

/// Between the rows of a commit and the COMMIT.
pub const BEFORE_POSTGRES_COMMIT: &str = "before-postgres-commit";
/// While COMMIT is under way.
pub const DURING_POSTGRES_COMMIT: &str = "during-postgres-commit";
/// PostgreSQL has committed, and nothing has acted on it yet.
pub const AFTER_POSTGRES_COMMIT: &str = "after-postgres-commit";
/// Kafka has all records of a transaction, and has not been asked to commit it.
pub const BEFORE_KAFKA_COMMIT: &str = "before-kafka-commit";
/// While Kafka commits.
pub const DURING_KAFKA_COMMIT: &str = "during-kafka-commit";
/// Kafka has committed, and nothing has acted on it yet.
pub const AFTER_KAFKA_COMMIT: &str = "after-kafka-commit";

/// Stage: before what was read is handed to the worker.
pub const SOURCE: &str = "source";
/// Stage: admission.
pub const ADMITTED: &str = "admitted";
/// Stage: the histories of customers.
pub const HISTORY: &str = "history";
/// Stage: every aggregate.
pub const AGGREGATES: &str = "aggregates";
/// Stage: before a transaction of PostgreSQL begins.
pub const BEFORE_COMMIT: &str = "committed";
/// Stage: before a transaction of Kafka begins.
pub const BEFORE_PUBLISHING: &str = "published";

/// How often a stalled thread checks whether it may go on.
const STALL_CHECK: Duration = Duration::from_millis(20);

/// Whether a stage is stalled. An operator then leaves its input where it is, which holds its frontier.
#[cfg(debug_assertions)]
pub fn is_stalled(stage: &str) -> bool {
    let armed = std::env::var("STREAMFLOW_FAILPOINT").unwrap_or_default();
    let directory = armed.strip_prefix("stall@");
    directory.is_some_and(|directory| std::path::Path::new(directory).join(stage).exists())
}

/// Never, in a release.
#[cfg(not(debug_assertions))]
pub fn is_stalled(_stage: &str) -> bool {
    false
}

/// Blocks the thread while a stage is stalled.
pub fn wait_while_stalled(stage: &str) {
    while is_stalled(stage) {
        std::thread::sleep(STALL_CHECK);
    }
}

/// How much later than it is the host's clock is to be taken, ms.
#[cfg(debug_assertions)]
pub fn clock_offset() -> i64 {
    let armed = std::env::var("STREAMFLOW_FAILPOINT").unwrap_or_default();
    let seconds = armed.strip_prefix("clock@").and_then(|seconds| seconds.parse().ok());
    seconds.map_or(0, |seconds: i64| seconds.saturating_mul(1000))
}

/// Nothing, in a release.
#[cfg(not(debug_assertions))]
pub fn clock_offset() -> i64 {
    0
}

/// Aborts here, if the failpoint is armed and chance has it.
#[cfg(debug_assertions)]
pub fn pass(name: &str) {
    if is_struck(name) {
        std::process::abort();
    }
}

/// Aborts within the next 3 ms, if the failpoint is armed and chance has it.
#[cfg(debug_assertions)]
pub fn enter(name: &str) {
    if is_struck(name) {
        let moment = Duration::from_micros(dice() % 3000);
        std::thread::spawn(move || {
            std::thread::sleep(moment);
            std::process::abort();
        });
    }
}

#[cfg(debug_assertions)]
fn is_struck(name: &str) -> bool {
    let armed = std::env::var("STREAMFLOW_FAILPOINT").unwrap_or_default();
    let chance =
        armed.split_once('@').filter(|(armed, _)| *armed == name).and_then(|(_, chance)| chance.parse().ok());
    chance.is_some_and(|chance: f64| (dice() % 1000) as f64 <= chance * 1000.0)
}

/// The clock's smallest digits, which are random enough here.
#[cfg(debug_assertions)]
fn dice() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::from(now.subsec_nanos()) / 10)
}

/// Nothing, in a release.
#[cfg(not(debug_assertions))]
pub fn pass(_name: &str) {}

/// Nothing, in a release.
#[cfg(not(debug_assertions))]
pub fn enter(_name: &str) {}
