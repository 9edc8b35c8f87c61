//! Places where a test has the process die, as kill -9 would: at the moments that matter most, and that chance seldom hits.
//!
//! `STREAMFLOW_FAILPOINT=name@chance` arms one; each time it is passed the process dies with that chance (0 to 1). Only builds
//! with debug assertions look; in a release nothing of this is left.

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
        let moment = std::time::Duration::from_micros(dice() % 3000);
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
