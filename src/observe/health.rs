//! Whether the process is alive, and whether it keeps up.
//!
//! A process is alive while restarting it would not help; waiting for PostgreSQL or Kafka counts as alive. It
//! is ready while its tables are fresh. The loss of a server is known only after some seconds.

use super::Observed;
use std::sync::atomic::Ordering;
use std::time::Duration;
use streamflow_connectors::kafka::Unreadable;
use streamflow_connectors::source::now_ms;
use streamflow_model::timestamp::Rfc3339;

/// A worker that has not stepped for this long beyond its heartbeat counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// # Errors
/// One line: what has failed, or which worker is stuck.
pub fn alive(observed: &Observed) -> Result<(), String> {
    if let Some(failure) = observed.stop.failure() {
        return Err(failure);
    }
    for (worker, report) in observed.status.workers() {
        let silent = report.made.elapsed();
        if silent > STUCK_AFTER + observed.limits.heartbeat {
            return Err(format!("worker {worker} has not stepped for {} s", silent.as_secs()));
        }
    }
    Ok(())
}

/// # Errors
/// One line: what the process waits for, and since when.
pub fn ready(observed: &Observed) -> Result<(), String> {
    alive(observed)?;
    if observed.stop.is_asked_here() {
        return Err("stopping".to_owned());
    }
    if let Some(reason) = observed.stop.reason() {
        return Err(format!("forming anew: {reason}"));
    }
    started(observed)?;
    let commits = observed.status.commits();
    if commits {
        postgres_answers(observed)?;
    }
    kafka_answers(observed)?;
    records_are_read(observed)?;
    if commits {
        publishing(observed)?;
    }
    commits_are_made(observed)
}

fn started(observed: &Observed) -> Result<(), String> {
    let start = observed.status.start();
    let Some(begun) = start.begun() else {
        let waits = if start.gathers { "waiting for the other processes" } else { "taking the lease" };
        let anew = start.anew_because.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        return Err(format!("starting: {waits}{anew}"));
    };
    if start.hydration.is_none() {
        let rows: u64 = start.rows.values().sum();
        return Err(format!("hydrating: {rows} rows in {} s", begun.elapsed().as_secs()));
    }
    Ok(())
}

fn postgres_answers(observed: &Observed) -> Result<(), String> {
    let Some(statistics) = observed.status.committer().map(|monitor| monitor.statistics()) else {
        return Err("starting: no committer yet".to_owned());
    };
    if let Some(since) = statistics.away_since {
        return Err(format!("PostgreSQL away since {}", instant(since)));
    }
    match statistics.committing_since {
        Some(since) if is_old(observed, since) => {
            Err(format!("PostgreSQL away: it has not answered a commit since {}", instant(since)))
        }
        _ => Ok(()),
    }
}

fn kafka_answers(observed: &Observed) -> Result<(), String> {
    let sources = observed.status.sources();
    let partitions = sources.iter().flat_map(|source| source.partitions());
    let away = partitions
        .filter_map(|partition| Some((partition.away_since()?, partition)))
        .min_by_key(|(since, _)| *since);
    match away {
        Some((since, partition)) => {
            let (topic, number) = (partition.topic(), partition.partition().partition());
            Err(format!("Kafka away since {}: topic {topic}, partition {number}", instant(since)))
        }
        None => Ok(()),
    }
}

fn records_are_read(observed: &Observed) -> Result<(), String> {
    let sources = observed.status.sources();
    let mut partitions = sources.iter().flat_map(|source| source.partitions());
    let standing = partitions.find_map(|partition| Some((partition.unreadable()?, partition)));
    match standing {
        Some((Unreadable { offset, damage, .. }, partition)) => {
            let (topic, number) = (partition.topic(), partition.partition().partition());
            Err(format!(
                "topic {topic}, partition {number} stands still: records at offset {offset} cannot be read, {damage}"
            ))
        }
        None => Ok(()),
    }
}

fn publishing(observed: &Observed) -> Result<(), String> {
    match observed.status.publisher.activity().retrying_since {
        Some(since) if is_old(observed, since) => {
            let error = observed.status.publisher.look().last_error.unwrap_or_default();
            Err(format!("publishing to Kafka waits since {}: {error}", instant(since)))
        }
        _ => Ok(()),
    }
}

fn commits_are_made(observed: &Observed) -> Result<(), String> {
    match observed.status.committed_at.load(Ordering::Relaxed) {
        0 => Err("starting: nothing is committed yet".to_owned()),
        at if is_old(observed, at) => {
            Err(format!("no commit since {}: the dataflow gives nothing to commit", instant(at)))
        }
        _ => Ok(()),
    }
}

/// Whether an instant, in ms since 1970, is older than the last commit of a ready process may be.
fn is_old(observed: &Observed, at: u64) -> bool {
    u128::from(now_ms().saturating_sub(at)) > observed.limits.ready_within.as_millis()
}

fn instant(ms: u64) -> Rfc3339 {
    Rfc3339(i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::pipeline::{Frontiers, Status, WorkerReport};
    use crate::stop::Stop;
    use std::sync::Arc;
    use std::time::Instant;

    fn observed() -> Observed {
        let config = Config::load(None, &[]).unwrap();
        Observed::new(&config, &Arc::<Status>::default(), &Arc::<Stop>::default())
    }

    fn report(observed: &Observed, worker: usize, ago: Duration) {
        let report = WorkerReport {
            made: Instant::now().checked_sub(ago).unwrap(),
            frontiers: Frontiers::default(),
            in_flight: 0,
            in_flight_bytes: 0,
            window: 0,
            paused: Duration::ZERO,
            oldest: Vec::new(),
            operators: Vec::new(),
        };
        observed.status.report(worker, report);
    }

    #[test]
    fn a_process_that_begins_is_alive_but_not_ready() {
        let observed = observed();
        assert_eq!(alive(&observed), Ok(()));
        assert_eq!(ready(&observed), Err("starting: taking the lease".to_owned()));
        observed.status.start().begin(2);
        observed.status.start().worker_restored();
        observed.status.start().restored(&[("gold.customer_totals", 7)].into());
        assert_eq!(ready(&observed), Err("hydrating: 7 rows in 0 s".to_owned()));
        observed.status.start().worker_restored();
        assert_eq!(ready(&observed), Err("starting: no committer yet".to_owned()));
        observed.stop.ask();
        assert_eq!((alive(&observed), ready(&observed)), (Ok(()), Err("stopping".to_owned())));
    }

    #[test]
    fn why_processes_form_anew_is_told_until_they_have() {
        let observed = observed();
        report(&observed, 0, STUCK_AFTER + Duration::from_secs(10));
        observed.stop.leave("process 2 joins".to_owned());
        assert!(alive(&observed).is_err());
        observed.status.form_anew(observed.stop.begin_anew().unwrap());
        observed.status.start().gather();
        assert_eq!(alive(&observed), Ok(()));
        let told = "starting: waiting for the other processes: process 2 joins".to_owned();
        assert_eq!(ready(&observed), Err(told));
        observed.status.start().begin(1);
        observed.status.start().worker_restored();
        assert_eq!(ready(&observed), Err("starting: no committer yet".to_owned()));
    }

    #[test]
    fn a_failure_is_told_by_both() {
        let observed = observed();
        observed.stop.fail("the publisher stopped: fenced".to_owned());
        let told = Err("the publisher stopped: fenced".to_owned());
        assert_eq!((alive(&observed), ready(&observed)), (told.clone(), told));
    }

    #[test]
    fn a_worker_that_does_not_step_is_named() {
        let observed = observed();
        report(&observed, 0, Duration::ZERO);
        report(&observed, 1, STUCK_AFTER - Duration::from_secs(10));
        assert_eq!(alive(&observed), Ok(()));
        report(&observed, 1, STUCK_AFTER + Duration::from_secs(10));
        assert_eq!(alive(&observed), Err("worker 1 has not stepped for 70 s".to_owned()));
    }
}
