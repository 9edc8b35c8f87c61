//! `streamflow bench`: the engine, bounds and comparisons.
#![allow(clippy::unwrap_used)]

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect};
use streamflow_harness::report::{Report, Run};
use streamflow_test_support::KafkaServer;

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
    read(out)
}

fn read(out: &Path) -> Report {
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
fn the_time_in_operators_is_told_where_it_is_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let report = engine(directory.path(), &["--operators"]);
    for name in ["history", "identity", "decode", "the others"] {
        assert!(value(&report.runs[0], &format!("time in {name}")) > 0.0, "{name}");
    }
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
    let out = ["--out", text(directory.path())];
    succeed(&[input.as_slice(), &out].concat());
    let report = read(directory.path());
    let said = ["events", "alerts"].map(|name| report.settings[name].as_str());
    assert_eq!(said, ["2", "2"]);
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

#[test]
fn bounds_are_those_of_the_servers_that_a_configuration_names_and_leave_nothing_behind() {
    let kafka = KafkaServer::start().unwrap();
    let postgres = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
    let settings = postgres.settings();
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("streamflow.yaml");
    let text_of_config = format!(
        "kafka:\n  brokers: ['{}']\npostgres:\n  hosts: ['{}']\n  port: {}\n  database: {}\n  user: {}\n",
        kafka.brokers(),
        settings.hosts[0],
        settings.port,
        settings.database,
        settings.user
    );
    std::fs::write(&config, text_of_config).unwrap();
    let size = ["bounds", "--events", "2000", "--customers", "500", "--repeat", "1"];
    let place = ["--config", text(&config), "--out", text(directory.path())];
    let said = succeed(&[size.as_slice(), &place].concat());
    assert!(said.contains("left out: sync") && !said.contains("left out: consume"), "{said}");
    let runs = read(directory.path()).runs;
    let names: Vec<_> = runs.iter().map(|run| run.scenario.as_str()).collect();
    assert_eq!(names, ["copy", "consume", "transaction", "loop"]);
    assert!(value(&runs[0], "row bytes") > 400.0);
    assert!(value(&runs[1], "one partition") > 0.0);
    assert!(value(&runs[2], "p99") >= value(&runs[2], "median"));
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'streamflow_bounds'";
    let left: i64 = connect(&settings).unwrap().query_one(schemas, &[]).unwrap().get(0);
    assert_eq!(left, 0);
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", kafka.brokers()).create().unwrap();
    let topics = consumer.fetch_metadata(None, Duration::from_secs(30)).unwrap();
    assert!(!topics.topics().iter().any(|topic| topic.name().starts_with("streamflow.bounds")));
}

#[test]
fn bounds_are_those_of_servers_of_its_own_where_none_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let size = ["bounds", "--events", "2000", "--customers", "500", "--repeat", "1"];
    let said = succeed(&[size.as_slice(), &["--out", text(directory.path())]].concat());
    assert!(!said.contains("left out"), "{said}");
    let runs = read(directory.path()).runs;
    let names: Vec<_> = runs.iter().map(|run| run.scenario.as_str()).collect();
    assert_eq!(names, ["copy", "sync", "consume", "transaction", "loop"]);
}
