//! How many records may be in flight: as many as become durable within a target, at the rate just seen. So what is
//! read in a burst, or while PostgreSQL is slow, waits in Kafka, and each commit stays short.
//!
//! The rate is measured as BBR does it (Cardwell et al., "BBR: Congestion-Based Congestion Control", 2016): what
//! became durable between giving a record and its commit, over that time. In a backlog one commit is being written while
//! the next one gathers, so each takes about half the target, and never much more than all of it.

use super::in_flight::Delivery;
use std::time::Duration;

/// Fewer would make commits of next to nothing.
const LEAST: u64 = 1024;

/// At the start, when no rate has been seen.
const FIRST: u64 = 4 * LEAST;

/// What the window grows by at each commit, beside following the rate. The windows of several workers, which shrink in
/// proportion to their sizes, become alike by it.
const INCREASE: u64 = 64;

/// The target is at least this many times the shortest time that records took: where a commit of hardly anything takes
/// long, only larger ones make progress.
const LEAST_TARGET: u32 = 4;

#[derive(Clone, Debug)]
pub struct Window {
    records: u64,
    /// The hard limit.
    most: u64,
    target: Duration,
    /// The shortest time in which records became durable.
    shortest: Option<Duration>,
}

impl Window {
    /// A window of at most `most` records, which are to become durable within `target`.
    pub fn new(most: u64, target: Duration) -> Self {
        Self { records: FIRST.min(most), most, target, shortest: None }
    }

    /// Records that may be in flight.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Follows the rate at which records became durable, doubling or halving at most: one commit says little.
    pub fn follow(&mut self, delivery: Delivery) {
        let shortest = self.shortest.map_or(delivery.latest_took, |known| known.min(delivery.latest_took));
        self.shortest = Some(shortest);
        let target = self.target.max(shortest.saturating_mul(LEAST_TARGET));
        let took = delivery.took.max(Duration::from_millis(1));
        let aim = (delivery.records as f64 * target.as_secs_f64() / took.as_secs_f64()) as u64;
        let aim = aim.saturating_add(INCREASE).clamp(self.records / 2, self.records.saturating_mul(2));
        self.records = aim.max(LEAST).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database that needs `fixed_ms` for a commit, and `record_us` for each record in it.
    #[derive(Clone, Copy)]
    struct Database {
        fixed_ms: f64,
        record_us: f64,
    }

    impl Database {
        fn takes(self, records: u64) -> f64 {
            self.fixed_ms / 1e3 + self.record_us * records as f64 / 1e6
        }
    }

    /// The graph gives so many records a second to the committer while there is room.
    const GRAPH: f64 = 200_000.0;

    /// Group commit of a backlog: while one commit is written, the records of the next gather.
    struct Backlog {
        window: Window,
        /// Records of the next commit.
        gathered: u64,
        /// Records of the last one, and how long it took in seconds.
        last: (u64, f64),
    }

    impl Backlog {
        fn new(window: Window) -> Self {
            Self { window, gathered: 1, last: (0, 0.0) }
        }

        /// Writes one commit and returns how long it took, in seconds.
        fn commit(&mut self, database: Database) -> f64 {
            let written = self.gathered;
            let takes = database.takes(written);
            let room = self.window.records().saturating_sub(written);
            self.gathered = room.min((GRAPH * takes) as u64).max(1);
            // The first of its records were given when the commit before began.
            self.window.follow(Delivery {
                records: self.last.0 + written,
                took: Duration::from_secs_f64(self.last.1 + takes),
                latest_took: Duration::from_secs_f64(takes),
            });
            self.last = (written, takes);
            takes
        }

        /// Records a second over many commits.
        fn rate(&mut self, database: Database) -> f64 {
            let (mut records, mut seconds) = (0, 0.0);
            for _ in 0..50 {
                seconds += self.commit(database);
                records += self.last.0;
            }
            records as f64 / seconds
        }
    }

    fn window() -> Window {
        Window::new(100_000, Duration::from_millis(200))
    }

    #[test]
    fn commits_of_a_backlog_take_no_longer_than_the_target_however_fast_the_database_is() {
        for record_us in [5.0, 20.0, 60.0] {
            let database = Database { fixed_ms: 5.0, record_us };
            let mut backlog = Backlog::new(window());
            backlog.rate(database);
            let share = backlog.rate(database) * record_us / 1e6;
            assert!(share > 0.9, "{share} of the rate at {record_us} us a record");
            let longest = (0..10).map(|_| backlog.commit(database)).fold(0.0, f64::max);
            assert!((0.05..=0.22).contains(&longest), "{longest} s at {record_us} us a record");
        }
    }

    #[test]
    fn a_database_whose_commits_take_long_anyway_is_given_more() {
        let database = Database { fixed_ms: 150.0, record_us: 50.0 };
        let mut backlog = Backlog::new(window());
        backlog.rate(database);
        let share = backlog.rate(database) * 50.0 / 1e6;
        assert!(share > 0.4, "{share} of the rate without the fixed part");
    }

    #[test]
    fn records_that_suddenly_cost_ten_times_as_much_are_followed_within_seconds() {
        let mut backlog = Backlog::new(window());
        backlog.rate(Database { fixed_ms: 5.0, record_us: 10.0 });
        let slow = Database { fixed_ms: 5.0, record_us: 100.0 };
        let commits: Vec<f64> = (0..10).map(|_| backlog.commit(slow)).collect();
        let longest = commits.iter().copied().fold(0.0, f64::max);
        assert!(longest < 1.5, "{commits:?}");
        assert!(commits.last().is_some_and(|last| *last < 0.2), "{commits:?}");
    }

    #[test]
    fn little_traffic_keeps_the_window_small_so_that_a_burst_is_taken_step_by_step() {
        let mut window = window();
        let little = Duration::from_millis(10);
        for _ in 0..20 {
            window.follow(Delivery { records: 10, took: little, latest_took: little });
        }
        assert_eq!(window.records(), LEAST);
        window.follow(Delivery { records: 1_000, took: little, latest_took: little });
        assert_eq!(window.records(), 2 * LEAST);
    }

    #[test]
    fn the_hard_limit_holds() {
        let instant = Duration::ZERO;
        let mut window = Window::new(300, Duration::from_millis(200));
        assert_eq!(window.records(), 300);
        window.follow(Delivery { records: 300, took: instant, latest_took: instant });
        assert_eq!(window.records(), 300);
    }
}
