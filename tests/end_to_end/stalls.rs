//! A stage that stands still shows as that stage's lag, and as nobody else's: those after it wait, those
//! before it go on.
//!
//! Stages are held up by files: see `dataflow/src/operators/stall.rs`.

use crate::command::Running;
use crate::parts::Parts;
use crate::scrape::{self, Scrape, get};
use serde_json::{Value, json};
use std::fs::File;
use std::time::{Duration, Instant};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// In the order in which events pass them.
const STAGES: [&str; 6] = ["source", "admitted", "history", "aggregates", "committed", "published"];

struct World {
    run: Running,
    address: String,
}

impl World {
    fn wait_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            let states = self.states();
            assert!(begun.elapsed() < PATIENCE, "{what}: {states:?}");
            self.run.keep_waiting(begun, PATIENCE, what);
        }
    }

    /// What the page says of each stage.
    fn states(&self) -> Vec<String> {
        let status: Value = serde_json::from_str(&get(&self.address, "/status.json").body).unwrap();
        let stages = status["stages"].as_array().unwrap();
        let names: Vec<&str> = stages.iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
        assert_eq!(names, STAGES);
        stages.iter().map(|stage| stage["state"].as_str().unwrap().to_owned()).collect()
    }

    /// The metrics' frontiers of all stages, seconds since 1970.
    fn frontiers(&self) -> [f64; 6] {
        let scrape = Scrape::of(&self.address);
        let of = |name: &str, stage: &str| scrape.value(name, &format!("stage=\"{stage}\""));
        let frontiers = STAGES.map(|stage| of("streamflow_frontier_timestamp_seconds", stage));
        let lags = STAGES.map(|stage| of("streamflow_frontier_lag_seconds", stage));
        for place in 1..STAGES.len() {
            // Both are of one moment: what a frontier is ahead of another by, its lag is less.
            let ahead = frontiers[place] - frontiers[0];
            assert!((lags[0] - lags[place] - ahead).abs() < 0.01, "{frontiers:?} {lags:?}");
        }
        frontiers
    }

    fn records_behind(&self) -> f64 {
        Scrape::of(&self.address).of_name("streamflow_kafka_lag_records").values().sum()
    }
}

/// What is expected of all stages while the one at `held` stands still.
fn expected(held: usize) -> Vec<String> {
    let state = |place: usize| match place {
        place if place == held => "holds",
        // What has not been read is in no frontier but that of the source.
        place if place > held && held > 0 => "waits",
        _ => "ok",
    };
    (0..STAGES.len()).map(|place| state(place).to_owned()).collect()
}

#[test]
fn each_stage_that_stands_still_is_told_from_the_others() {
    let parts = Parts::start("stalls", 2, &json!({"workers": 2}));
    let directory = tempfile::tempdir().unwrap();
    let armed = ("STREAMFLOW_FAILPOINT", format!("stall@{}", directory.path().display()));
    let mut run = parts.command_with("run", &[], Some(armed));
    let address = scrape::address(&mut run);
    let mut generate = parts.command("generate", &["--rate", "100", "--customers", "1000", "--seed", "3"]);
    let mut world = World { run, address };
    for (held, stage) in STAGES.into_iter().enumerate() {
        world.wait_until("all keep up", |world| world.states() == vec!["ok"; STAGES.len()]);
        let file = directory.path().join(stage);
        File::create(&file).unwrap();
        world.wait_until(stage, |world| world.states() == expected(held));
        let before = world.frontiers();
        world.wait_until("those before it go on", |world| {
            let now = world.frontiers();
            // The source apart, which follows what is read, all others follow the clock.
            let free: Vec<usize> = (0..STAGES.len()).filter(|place| expected(held)[*place] == "ok").collect();
            free.iter().all(|place| now[*place] > before[*place] + 1.0)
        });
        let during = world.frontiers();
        for (place, state) in expected(held).iter().enumerate().filter(|(_, state)| *state != "ok") {
            assert_eq!(during[place], before[place], "{} {state} while {stage} stands", STAGES[place]);
        }
        if stage == "source" {
            assert!(world.records_behind() > 0.0);
        }
        std::fs::remove_file(&file).unwrap();
        world.wait_until("it goes on", |world| world.frontiers().iter().all(|now| *now > during[held] + 1.0));
    }
    assert!(generate.ended().is_none(), "{}", generate.printed());
    generate.terminate();
    world.wait_until("all is committed", |world| world.records_behind() == 0.0);
    assert!(world.run.terminate().success(), "{}", world.run.printed());
    check_nothing_is_lost(&parts);
}

/// Stages that stood still have lost and repeated nothing.
fn check_nothing_is_lost(parts: &Parts) {
    let topic = parts.topic("transactions");
    let written: u64 = (0..2).map(|partition| parts.end(&topic, partition)).sum();
    let sql =
        "SELECT (SELECT count(*) FROM bronze.raw_transactions) + (SELECT count(*) FROM bronze.dead_letters)";
    let read: i64 = parts.connect().query_one(sql, &[]).unwrap().get(0);
    assert_eq!(read as u64, written);
}
