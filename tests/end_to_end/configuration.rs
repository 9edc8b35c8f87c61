//! Bad configuration: one line on standard error, exit code 1.

use crate::command;
use std::path::Path;
use tempfile::TempDir;

/// Runs a command that cannot start and returns the line in which it says why.
fn refusal(arguments: &[&str]) -> String {
    let output = command::output(arguments);
    let (printed, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
    assert_eq!(printed, "", "{arguments:?}");
    assert_eq!(told.lines().count(), 1, "{arguments:?}: {told}");
    assert!(told.starts_with("streamflow: "), "{arguments:?}: {told}");
    told.into_owned()
}

fn replay(directory: &TempDir, options: &[&str]) -> String {
    let (input, out) = (directory.path().join("events.jsonl"), directory.path().join("out"));
    std::fs::write(&input, "").unwrap();
    let mut arguments = vec!["replay", input.to_str().unwrap(), "--out", out.to_str().unwrap()];
    arguments.extend(options);
    refusal(&arguments)
}

fn assert_names(told: &str, words: &[&str]) {
    for word in words {
        assert!(told.contains(word), "{word} is not in: {told}");
    }
}

#[test]
fn an_unknown_key_is_named() {
    let directory = tempfile::tempdir().unwrap();
    assert_names(
        &replay(&directory, &["--set", "rules.velocity.limt=5"]),
        &["rules.velocity", "limt", "limit"],
    );
    assert_names(&replay(&directory, &["--set", "workerz=2"]), &["workerz", "workers"]);
}

#[test]
fn a_value_out_of_range_is_named_with_what_is_allowed() {
    let directory = tempfile::tempdir().unwrap();
    assert_names(&replay(&directory, &["--set", "workers=0"]), &["workers = 0", "1 to 256"]);
    assert_names(&replay(&directory, &["--set", "rules.alert_threshold=2"]), &["alert_threshold", "2"]);
    assert_names(&replay(&directory, &["--set", "rules.velocity.limit=0"]), &["velocity.limit = 0"]);
    assert_names(&replay(&directory, &["--set", "time_zone=Mars"]), &["time_zone", "Mars"]);
    assert_names(&replay(&directory, &["--set", "workers"]), &["workers", "key=value"]);
    assert_names(&replay(&directory, &["--now", "yesterday"]), &["--now yesterday", "RFC 3339"]);
}

#[test]
fn workers_are_limited_however_they_are_given() {
    let directory = tempfile::tempdir().unwrap();
    assert_names(&replay(&directory, &["--workers", "0"]), &["workers", "0"]);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let absent = directory.path().join("absent");
    let name = absent.to_str().unwrap();
    assert_names(&replay(&directory, &["--config", name]), &[name]);
    assert_names(&replay(&directory, &["--blacklist", name]), &[name]);
    assert_names(&replay(&directory, &[name]), &[name]);
    let config = directory.path().join("wrong.yaml");
    std::fs::write(&config, "rules:\n  velocity:\n    limit: many\n").unwrap();
    assert_names(
        &replay(&directory, &["--config", config.to_str().unwrap()]),
        &["rules.velocity.limit", "many"],
    );
    std::fs::write(&config, "a: [").unwrap();
    assert_names(&replay(&directory, &["--config", config.to_str().unwrap()]), &["wrong.yaml"]);
}

#[test]
fn results_that_cannot_be_written_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("events.jsonl");
    std::fs::write(&input, "").unwrap();
    let input = input.to_str().unwrap();
    assert_names(&refusal(&["replay", input, "--out", input]), &[input]);
}

#[test]
fn a_generator_setting_out_of_range_is_named() {
    let file = Path::new("/dev/null").to_str().unwrap();
    let told = refusal(&["generate", "--file", file, "--count", "1", "--set", "late_rate=1.5"]);
    assert_names(&told, &["late_rate", "1.5"]);
    assert_names(&refusal(&["generate", "--file", file]), &["--count"]);
}

#[test]
fn a_database_that_is_not_there_is_named() {
    let told = refusal(&["migrate", "--set", "postgres.hosts=[/nowhere]"]);
    assert_names(&told, &["/nowhere"]);
}
