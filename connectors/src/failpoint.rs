//! Places where a test has the process die, as kill -9 would: at the moments that matter most, and that chance seldom hits. And
//! places where it has a stage stand still.
//!
//! `STREAMFLOW_FAILPOINT=name@chance` arms one; each time it is passed the process dies with that chance (0 to 1). How stages are
//! stalled: see [`streamflow_dataflow::operators::stall`]. Only builds with debug assertions look; in a release nothing of this is left.

use std::time::Duration;
pub(crate) use streamflow_dataflow::operators::stall::holds as is_stalled;

/// Between the rows of a commit and the COMMIT.
pub(crate) const BEFORE_POSTGRES_COMMIT: &str = "before-postgres-commit";
/// While COMMIT is under way.
pub(crate) const DURING_POSTGRES_COMMIT: &str = "during-postgres-commit";
/// PostgreSQL has committed, and nobody has been told.
pub(crate) const AFTER_POSTGRES_COMMIT: &str = "after-postgres-commit";
/// Kafka has all records of a transaction, and has not been asked to commit it.
pub(crate) const BEFORE_KAFKA_COMMIT: &str = "before-kafka-commit";
/// While Kafka commits.
pub(crate) const DURING_KAFKA_COMMIT: &str = "during-kafka-commit";
/// Kafka has committed, and nobody has been told.
pub(crate) const AFTER_KAFKA_COMMIT: &str = "after-kafka-commit";

/// What was read is handed on to the worker.
pub(crate) const SOURCE: &str = "source";
/// A transaction of PostgreSQL is about to begin.
pub(crate) const COMMITTED: &str = "committed";
/// A transaction of Kafka is about to begin.
pub(crate) const PUBLISHED: &str = "published";

/// Between two looks whether a stage still stands.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits here as long as a stage is to stand still: for threads that may wait.
pub(crate) fn stand(stage: &str) {
    while is_stalled(stage) {
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Dies here, if the failpoint is armed and chance wants it.
#[cfg(debug_assertions)]
pub(crate) fn pass(name: &str) {
    if is_struck(name) {
        std::process::abort();
    }
}

/// Dies within the next milliseconds, if the failpoint is armed and chance wants it.
#[cfg(debug_assertions)]
pub(crate) fn enter(name: &str) {
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

/// The clock's smallest digits: random enough.
#[cfg(debug_assertions)]
fn dice() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::from(now.subsec_nanos()) / 10)
}

/// Nothing, in a release.
#[cfg(not(debug_assertions))]
pub(crate) fn pass(_name: &str) {}

/// Nothing, in a release.
#[cfg(not(debug_assertions))]
pub(crate) fn enter(_name: &str) {}
