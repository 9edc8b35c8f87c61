//! The stages that every event passes: the frontier of each, and which one holds up the others.

use super::Observed;
use crate::pipeline::Frontiers;
use serde::Serialize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use streamflow_connectors::kafka::PartitionProgress;
use streamflow_connectors::source::now_ms;

/// A stage that is more than this further behind than the one before it holds up those after it. An idle
/// pipeline commits once a second, and polls its sources as often.
const HOLDS: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    pub name: &'static str,
    /// Everything before it is done, ms since 1970; `None` if another process runs the stage.
    pub frontier: Option<u64>,
    pub lag: Option<Duration>,
    pub state: StageState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StageState {
    Ok,
    /// The stage itself is behind.
    Holds,
    /// A stage before it is behind.
    Waits,
    /// Another process runs the stage.
    Unknown,
}

/// All stages, in the order in which events pass them.
pub fn look(observed: &Observed) -> [Stage; 6] {
    let status = &observed.status;
    let reports = status.workers();
    let slowest = |stage: fn(&Frontiers) -> Option<u64>| {
        reports.values().filter_map(|report| stage(&report.frontiers)).min()
    };
    let known = |frontier: u64| Some(frontier).filter(|frontier| *frontier > 0);
    let sources = status.sources();
    let read = sources.iter().flat_map(|source| source.partitions()).map(PartitionProgress::read_until);
    let frontiers = [
        ("source", slowest(|frontiers| frontiers.source).into_iter().chain(read).min()),
        ("admitted", slowest(|frontiers| frontiers.admitted)),
        ("history", slowest(|frontiers| frontiers.history)),
        ("aggregates", known(status.complete.load(Ordering::Relaxed))),
        ("committed", known(status.durable.load(Ordering::Relaxed))),
        ("published", known(status.publisher.activity().frontier)),
    ];
    // Read last, so that it is behind no frontier.
    stages_at(frontiers, now_ms())
}

fn stages_at(frontiers: [(&'static str, Option<u64>); 6], now: u64) -> [Stage; 6] {
    let mut before = Duration::ZERO;
    frontiers.map(|(name, frontier)| {
        let lag = frontier.map(|frontier| Duration::from_millis(now.saturating_sub(frontier)));
        let state = match lag {
            None => StageState::Unknown,
            Some(lag) if lag > before + HOLDS => StageState::Holds,
            Some(lag) if lag > HOLDS => StageState::Waits,
            Some(_) => StageState::Ok,
        };
        // What has not been read is in no frontier but that of the source, so it holds nobody up.
        if name != "source" {
            before = before.max(lag.unwrap_or_default());
        }
        Stage { name, frontier, lag, state }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(lags: [Option<u64>; 6]) -> [StageState; 6] {
        let now = 100_000;
        stages_at(lags.map(|lag| ("stage", lag.map(|lag| now - lag * 1000))), now).map(|stage| stage.state)
    }

    #[test]
    fn the_stage_that_holds_the_others_up_is_told() {
        use StageState::{Holds, Ok, Unknown, Waits};
        assert_eq!(states([Some(1); 6]), [Ok; 6]);
        let history = [0, 0, 20, 20, 21, 22].map(Some);
        assert_eq!(states(history), [Ok, Ok, Holds, Waits, Waits, Waits]);
        let (commit_and_publisher, nothing_known) = ([0, 0, 0, 1, 9, 30].map(Some), [None; 6]);
        assert_eq!(states(commit_and_publisher), [Ok, Ok, Ok, Ok, Holds, Holds]);
        assert_eq!(states(nothing_known), [Unknown; 6]);
        let other_process = [Some(0), Some(1), Some(8), None, None, None];
        assert_eq!(states(other_process), [Ok, Ok, Holds, Unknown, Unknown, Unknown]);
    }

    #[test]
    fn what_is_not_read_holds_nobody_up() {
        let frontiers = ["source", "admitted", "history", "aggregates", "committed", "published"];
        let lags = [60, 0, 0, 0, 30, 30];
        let mut place = 0;
        let stages = stages_at(
            frontiers.map(|name| {
                place += 1;
                (name, Some(100_000 - lags[place - 1] * 1000))
            }),
            100_000,
        );
        let holding = stages.iter().filter(|stage| stage.state == StageState::Holds).map(|stage| stage.name);
        assert_eq!(holding.collect::<Vec<_>>(), ["source", "committed"]);
        assert_eq!(stages[5].state, StageState::Waits);
    }
}
