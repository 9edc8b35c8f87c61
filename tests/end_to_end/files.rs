//! Files and command lines: no output takes the place of an input, a run that fails leaves earlier results, and
//! what is wrong is one line.

use crate::command;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const EVENTS: &str = concat!(
    r#"{"transaction_id": "t-1", "customer_id": "c", "store_id": "s", "amount": "10.00", "timestamp": "2026-02-01T12:00:00Z"}"#,
    "\n",
    r#"{"transaction_id": "t-2", "customer_id": "c", "store_id": "s", "amount": "20.00", "timestamp": "2026-02-01T12:01:00Z"}"#,
    "\n",
);

/// A directory with `base.jsonl`, two good events.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("base.jsonl"), EVENTS).unwrap();
        Self(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(command::BINARY);
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs it to a failure with this exit code, and returns its only line.
    fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(output.stdout.is_empty() && told.lines().count() == 1, "{arguments:?}: {told}");
        told
    }

    /// Clean transactions of a replay of these files, which must be a success.
    fn clean(&self, arguments: &[&str]) -> usize {
        let output = self.run(&[&["replay", "--out", "out"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(self.path().join("out/silver/clean_transactions.jsonl")).unwrap().lines().count()
    }

    /// All files below it with what they hold.
    fn files(&self, of: &str) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut directories = vec![self.path().join(of)];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    files.push((path.display().to_string(), fs::read(&path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }
}

#[test]
fn no_result_takes_the_place_of_an_input() {
    let place = Place::new();
    fs::create_dir(place.path().join("w")).unwrap();
    let input = place.path().join("w/alerts.jsonl");
    fs::write(&input, EVENTS).unwrap();
    std::os::unix::fs::symlink("w/alerts.jsonl", place.path().join("link.jsonl")).unwrap();
    fs::hard_link(&input, place.path().join("hard.jsonl")).unwrap();
    for name in ["w/alerts.jsonl", "link.jsonl", "hard.jsonl"] {
        let told = place.refused(2, &["replay", name, "--out", "w"]);
        assert!(told.contains(name) && told.contains("would be overwritten"), "{told}");
    }
    assert_eq!(fs::read_to_string(&input).unwrap(), EVENTS);
    // Another name in the same directory is no result.
    fs::rename(&input, place.path().join("w/monday.jsonl")).unwrap();
    assert!(place.run(&["replay", "w/monday.jsonl", "--out", "w"]).status.success());
    assert_eq!(fs::read_to_string(place.path().join("w/monday.jsonl")).unwrap(), EVENTS);
}

#[test]
fn a_replay_that_fails_leaves_earlier_results_and_nothing_else() {
    let place = Place::new();
    assert_eq!(place.clean(&["base.jsonl"]), 2);
    let before = place.files("out");
    place.refused(1, &["replay", "base.jsonl", "missing.jsonl", "--out", "out"]);
    place.refused(1, &["replay", "base.jsonl", ".", "--out", "out"]);
    // It fails in the midst of it.
    let mut cut = gzip(EVENTS);
    cut.truncate(cut.len() - 4);
    fs::write(place.path().join("cut.jsonl.gz"), cut).unwrap();
    let told = place.refused(1, &["replay", "base.jsonl", "cut.jsonl.gz", "--out", "out"]);
    assert!(told.contains("cut.jsonl.gz"), "{told}");
    assert_eq!(place.files("out"), before);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut child =
        Command::new("gzip").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap().stdout
}

#[test]
fn compressed_and_marked_files_are_read() {
    let place = Place::new();
    fs::write(place.path().join("any-name"), gzip(EVENTS)).unwrap();
    fs::write(place.path().join("marked.jsonl"), format!("\u{feff}{EVENTS}")).unwrap();
    for name in ["base.jsonl", "any-name", "marked.jsonl"] {
        assert_eq!(place.clean(&[name]), 2, "{name}");
    }
    let listed = "\u{feff}{\"entity\": \"customer\", \"id\": \"c\"}\n";
    fs::write(place.path().join("list.jsonl"), listed).unwrap();
    assert_eq!(place.clean(&["base.jsonl", "--blacklist", "list.jsonl"]), 2);
    let read = |name: &str| fs::read_to_string(place.path().join("out").join(name)).unwrap();
    assert_eq!(read("alerts.jsonl").lines().count(), 2);
    fs::write(place.path().join("list.jsonl"), "{\"id\": \"c\"}\n").unwrap();
    assert_eq!(place.clean(&["base.jsonl", "--blacklist", "list.jsonl"]), 2);
    assert!(read("dead_letters.jsonl").contains("entity and id: are required"));
}

#[test]
fn standard_input_is_read_once() {
    let place = Place::new();
    for arguments in [
        ["replay", "-", "-", "--out", "out"].as_slice(),
        &["replay", "-", "--customers", "-", "--out", "out"],
    ] {
        let told = place.refused(2, arguments);
        assert!(told.contains("standard input"), "{told}");
    }
    assert!(!place.path().join("out").exists());
}

#[test]
fn a_reader_that_has_gone_is_no_failure_and_a_full_device_is_one() {
    let place = Place::new();
    let shell = |line: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", line, command::BINARY]).current_dir(place.path()).output().unwrap()
    };
    let piped = shell("{ \"$0\" replay base.jsonl --out out; echo $? >&2; } | true");
    assert_eq!(String::from_utf8_lossy(&piped.stderr).trim(), "0");
    let full = shell("\"$0\" replay base.jsonl --out out > /dev/full");
    let told = String::from_utf8_lossy(&full.stderr);
    assert_eq!((full.status.code(), told.lines().count()), (Some(1), 1), "{told}");
    assert!(told.contains("standard output"), "{told}");
}

#[test]
fn most_lines_refused_is_a_failure_that_says_why() {
    let place = Place::new();
    let mut file = File::create(place.path().join("pretty.jsonl")).unwrap();
    file.write_all("{\n  \"transaction_id\": \"t\"\n}\n".as_bytes()).unwrap();
    let output = place.run(&["replay", "pretty.jsonl", "--out", "out"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert!(printed.contains("malformed_json (3), first line 1 of pretty.jsonl"), "{printed}");
    let allowed = place.run(&["replay", "pretty.jsonl", "--out", "out", "--most-dead-letters", "1"]);
    assert!(allowed.status.success());
}

#[test]
fn arguments_that_cannot_be_meant_exit_with_two() {
    let place = Place::new();
    for arguments in [
        ["replay", "base.jsonl", "--out", "o", "--now", "nonsense"].as_slice(),
        &["replay", "base.jsonl", "--out", "o", "--workers", "0"],
        &["generate", "--rate", "0", "--count", "1", "--file", "x"],
        &["generate", "--count", "1", "--file", "x", "--labels", "x"],
        &["generate", "--count", "1", "--file", "r/stores.jsonl", "--reference", "r"],
        &["generate", "--file", "x"],
        &["resubmit", "--since", "2026-02-02", "--until", "2026-02-01"],
    ] {
        let output = place.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_eq!(place.files("").len(), 1, "nothing was written");
}

#[test]
fn a_fatal_line_has_the_form_of_the_log_and_no_secret() {
    let place = Place::new();
    let told = place.refused(1, &["--log-format", "json", "migrate", "--set", "workers=0"]);
    let line: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&line["level"], line["fields"]["message"].is_string()), (&"ERROR".into(), true), "{line}");
    let told = place.refused(1, &["migrate", "--set", "postgres.hosts=['postgres://u:s3cret@h/db']"]);
    assert!(told.contains("hosts") && !told.contains("s3cret"), "{told}");
    for (text, words) in [
        ("rules:\n", "rules: no value, expected a map"),
        ("workers: -1\n", "expected a whole number"),
        ("workers: 1\nworkers: 2\n", "each key may be there once"),
    ] {
        fs::write(place.path().join("c.yaml"), text).unwrap();
        let told = place.refused(1, &["migrate", "--config", "c.yaml"]);
        assert!(told.contains(words), "{told}");
    }
}
