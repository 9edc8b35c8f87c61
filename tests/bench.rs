//! `streamflow bench`, as far as it needs no server.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use streamflow_harness::report::{Report, Run};

fn bench(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamflow"));
    command.arg("bench").args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What it printed; it must have succeeded.
fn succeed(arguments: &[&str]) -> String {
    let output = bench(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The one line with which it must fail.
fn fail(arguments: &[&str]) -> String {
    let output = bench(arguments);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

fn engine(out: &Path, more: &[&str]) -> Report {
    let small = ["engine", "--events", "5000", "--repeat", "2", "--out", text(out)];
    succeed(&[small.as_slice(), more].concat());
    serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap()
}

fn value(run: &Run, figure: &str) -> f64 {
    run.figures[figure].value
}

#[test]
fn the_engine_is_measured_against_the_loop_and_compared_with_another_time() {
    let directory = tempfile::tempdir().unwrap();
    let (before, after) = (directory.path().join("before"), directory.path().join("after"));
    let report = engine(&before, &["--customers", "1000", "--workers", "2"]);
    assert_eq!((report.seed, report.settings["workers"].as_str()), (1, "2"));
    assert_eq!(report.runs.len(), 2);
    for run in &report.runs {
        assert_eq!((run.scenario.as_str(), &run.void), ("engine", &None));
        let ratio = value(run, "graph") / value(run, "loop");
        assert!((value(run, "of the loop") - ratio).abs() < 1e-9);
    }
    engine(&after, &["--customers", "1000"]);
    let picture = directory.path().join("ratios.svg");
    let said = succeed(&["compare", text(&before), text(&after), "--svg", text(&picture)]);
    let row = said.lines().find(|line| line.starts_with("engine") && line.contains("of the loop (x)"));
    assert!(row.is_some(), "{said}");
    assert!(std::fs::read_to_string(picture).unwrap().starts_with("<svg"));
}

#[test]
fn histories_of_several_lengths_are_measured() {
    let directory = tempfile::tempdir().unwrap();
    let report = engine(directory.path(), &["--history"]);
    let names: Vec<_> = report.runs[..4].iter().map(|run| run.scenario.as_str()).collect();
    assert_eq!(names, ["history of 10", "history of 100", "history of 1000", "history of 10000"]);
}

#[test]
fn an_input_is_read_from_files() {
    let directory = tempfile::tempdir().unwrap();
    let event = |number: u32| {
        format!(
            r#"{{"transaction_id": "t-{number}", "customer_id": "c", "store_id": "s", "amount": "10.00", "timestamp": "2026-02-01T12:0{number}:00Z"}}"#
        )
    };
    let (events, list) = (directory.path().join("events.jsonl"), directory.path().join("list.jsonl"));
    std::fs::write(&events, [event(0), event(1)].join("\n")).unwrap();
    std::fs::write(&list, r#"{"entity": "store", "id": "s", "reason": "chargebacks"}"#).unwrap();
    let input = ["engine", "--repeat", "1", "--input", text(&events), "--blacklist", text(&list)];
    let said = succeed(&input);
    assert!(said.lines().any(|line| line.contains("alerts (alerts)") && line.contains("2.00")), "{said}");
    std::fs::write(&events, "{}\n").unwrap();
    assert!(fail(&input).contains("events.jsonl: line 1"));
}

#[test]
fn what_cannot_be_compared_is_named_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.json");
    let compare = ["compare", text(directory.path()), text(&file)];
    assert!(fail(&compare).contains("cannot read"));
    std::fs::write(&file, "{").unwrap();
    assert!(fail(&compare).contains("is no report"));
    let nothing = r#"{"format": 1, "made_at": "", "machine": {"processor": "", "processors": 1, "memory": 1},
        "versions": {}, "settings": {}, "seed": 0, "runs": []}"#;
    std::fs::write(&file, nothing.replace("1,", "2,")).unwrap();
    assert!(fail(&compare).contains("has format 2: must be 1"));
    std::fs::write(&file, nothing).unwrap();
    assert!(fail(&compare).contains("nothing in common"));
}
