//! A worker whose host's clock is wrong: what is final is decided by the brokers' clock.

use crate::command::Running;
use crate::parts::Parts;
use serde_json::json;
use std::time::{Duration, Instant};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_host_clock_that_is_ahead_makes_nothing_too_late() {
    let more = json!({"correction_horizon_seconds": 60, "identity_retention_seconds": 60,
                      "pipeline": {"idle_allowance_seconds": 1}});
    let parts = Parts::start("clocks", 2, &more);
    let two_hours = ("STREAMFLOW_FAILPOINT", "clock@7200".to_owned());
    let mut run = parts.command_with("run", &[], Some(two_hours));
    generate_and_wait(&parts, &mut run);
    // Both partitions are read to their end, so the watermark follows a clock.
    let mut client = parts.connect();
    let sql = "SELECT coalesce(watermark > (SELECT to_timestamp(max(time::int8) / 1e6) \
             FROM jsonb_each(reference_times) AS topic, jsonb_each_text(topic.value) AS partition(number, time)), false), \
             coalesce(watermark > now(), false) FROM streamflow.progress";
    let begun = Instant::now();
    loop {
        let row = client.query_one(sql, &[]).unwrap();
        assert!(!row.get::<_, bool>(1), "the watermark is ahead of the clock");
        if row.get(0) {
            break;
        }
        run.keep_waiting(begun, PATIENCE, "the watermark has passed the last record");
    }
    assert!(run.terminate().success());
    let mut run = parts.run();
    generate_and_wait(&parts, &mut run);
    let mut count = |sql: &str| client.query_one(sql, &[]).unwrap().get::<_, i64>(0);
    assert_eq!(count("SELECT count(*) FROM bronze.dead_letters"), 0);
    // Whoever asks why an event was late, or not, finds the time that decided it.
    let timed = "SELECT count(*) FROM bronze.raw_transactions WHERE record_time BETWEEN now() - interval '1 h' AND now()";
    assert_eq!(count(timed), parts.consume("transactions").len() as i64);
    assert!(run.terminate().success());
}

/// Sends a thousand events and waits until all that were sent are committed.
fn generate_and_wait(parts: &Parts, run: &mut Running) {
    let rates = ["late", "too_late", "duplicate", "corrected", "voided", "malformed"];
    let rates = rates.map(|rate| format!("{rate}_rate=0"));
    let mut options = vec!["--count", "1000", "--rate", "100000"];
    rates.iter().for_each(|rate| options.extend(["--set", rate]));
    let mut generate = parts.command("generate", &options);
    assert!(generate.wait().success(), "{}", generate.printed());
    parts.wait_for_all(run, PATIENCE);
}
