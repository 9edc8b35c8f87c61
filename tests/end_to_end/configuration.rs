//! Bad configuration: one line on standard error, exit code 1. What is deployed is no such one.

use crate::command;
use serde_json::Value;
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
}

#[test]
fn a_database_that_is_not_there_is_named() {
    let told = refusal(&["migrate", "--set", "postgres.hosts=[/nowhere]"]);
    assert_names(&told, &["/nowhere"]);
}

/// What is deployed.
const WORKERS: &str = "k8s/base/config/streamflow.yaml";
const GENERATOR: &str = "k8s/components/generator/generator.yaml";
const COMPOSE: &str = "docker-compose.yaml";

/// The text of a file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The documents of a YAML file of the repository.
fn documents(path: &str) -> Vec<Value> {
    text(path).split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

/// All lists below `key` that are arguments of one of our commands.
fn argument_lists(node: &Value, key: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    match node {
        Value::Object(map) => {
            for (name, value) in map {
                let list: Option<Vec<String>> = serde_json::from_value(value.clone()).ok();
                let ours =
                    list.filter(|list| name == key && list.iter().any(|text| text.starts_with("--config=")));
                found.extend(ours);
                found.extend(argument_lists(value, key));
            }
        }
        Value::Array(list) => found.extend(list.iter().flat_map(|value| argument_lists(value, key))),
        _ => {}
    }
    found
}

/// Loads a configuration as a container with these arguments does, after making sure that its command has
/// them.
fn assert_loads(arguments: &[String], more: &[String], configuration: &str) {
    let arguments: Vec<&str> = arguments.iter().chain(more).map(String::as_str).collect();
    let helped = command::output(&[&arguments[..], &["--help"]].concat());
    assert!(helped.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&helped.stderr));
    let directory = tempfile::tempdir().unwrap();
    let (config, input) = (directory.path().join("deployed.yaml"), directory.path().join("events.jsonl"));
    std::fs::write(&config, configuration).unwrap();
    std::fs::write(&input, "").unwrap();
    let out = directory.path().join("out");
    // A replay of nothing reads the whole configuration and needs no server.
    let mut replay = vec!["replay", input.to_str().unwrap(), "--out", out.to_str().unwrap()];
    replay.extend(["--config", config.to_str().unwrap()]);
    replay.extend(arguments.iter().filter(|argument| argument.starts_with("--set=")));
    let output = command::output(&replay);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_configuration_that_kubernetes_deploys_loads() {
    let mut commands = Vec::new();
    for (path, configuration) in [
        ("k8s/base/jobs/migrate.yaml", WORKERS),
        ("k8s/base/jobs/maintain.yaml", WORKERS),
        ("k8s/base/worker/statefulset.yaml", WORKERS),
        ("k8s/components/generator/deployment.yaml", GENERATOR),
        ("k8s/components/operator/verify.yaml", WORKERS),
        ("k8s/components/operator/resubmit.yaml", WORKERS),
    ] {
        for document in documents(path) {
            for arguments in argument_lists(&document, "args") {
                assert_loads(&arguments, &[], &text(configuration));
                commands.push(arguments[1].clone());
            }
        }
    }
    assert_eq!(commands, ["migrate", "maintain", "run", "generate", "verify", "resubmit"]);
}

#[test]
fn every_overlay_sets_what_there_is() {
    let documents = documents("k8s/base/worker/statefulset.yaml");
    let worker = argument_lists(&documents[0], "args").concat();
    for overlay in ["dev", "prod"] {
        let patches = text(&format!("k8s/overlays/{overlay}/kustomization.yaml"));
        let added = patches.lines().filter_map(|line| line.trim().strip_prefix("value: --set="));
        let added: Vec<String> = added.map(|value| format!("--set={value}")).collect();
        assert!(!added.is_empty(), "{overlay}");
        assert_loads(&worker, &added, &text(WORKERS));
    }
}

#[test]
fn the_configuration_that_compose_deploys_loads() {
    let compose = documents(COMPOSE).remove(0);
    let configuration = compose["configs"]["streamflow"]["content"].as_str().unwrap();
    let commands = argument_lists(&compose, "command");
    let mut names: Vec<&str> = commands.iter().map(|arguments| arguments[0].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["generate", "migrate", "run"]);
    for arguments in &commands {
        assert_loads(arguments, &[], configuration);
    }
}

#[test]
fn a_key_that_is_gone_would_not_load() {
    let loads = |configuration: &str| {
        let arguments = ["run".to_owned()];
        std::panic::catch_unwind(|| assert_loads(&arguments, &[], configuration)).is_ok()
    };
    assert!(loads("metrics: {listen: null}\n"));
    assert!(!loads("metrics: {address: null}\n"));
}
