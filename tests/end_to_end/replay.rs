//! `streamflow replay`: the results are a function of the events.

use crate::command;
use crate::events::{blacklist, oracle, records};
use crate::results::{self, Results};
use crate::traffic::{DISTURBED, PLAIN, TIMELY, Traffic, shuffled};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// The files below a directory of results, by name, without those whose names begin with one of `but`.
fn files(out: &Path, but: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for directory in ["", "silver", "gold"] {
        for entry in std::fs::read_dir(out.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(out).unwrap().display().to_string();
            if path.is_file() && !but.iter().any(|prefix| name.starts_with(prefix)) {
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

/// The two have the same files, byte by byte.
pub fn assert_same(left: &Path, right: &Path, but: &[&str]) {
    let (left, right) = (files(left, but), files(right, but));
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
    for (name, bytes) in &left {
        assert!(!bytes.is_empty(), "{name} is empty");
        assert!(*bytes == right[name], "{name} differs");
    }
}

/// Files that tell where each event stood.
const WITH_SOURCES: [&str; 3] = ["silver/clean_transactions", "alert_changes", "dead_letters"];

#[test]
fn the_number_of_workers_does_not_matter() {
    let traffic = Traffic::generate(200_000, &DISTURBED);
    let file = traffic.path("generated.jsonl");
    let one = traffic.replay(&[&file], "one", &["--workers", "1"]);
    for workers in ["2", "3"] {
        let more = traffic.replay(&[&file], workers, &["--workers", workers]);
        assert_same(&one, &more, &[]);
    }
}

#[test]
fn order_within_the_horizon_does_not_matter() {
    let traffic = Traffic::generate(200_000, &PLAIN);
    let in_order = traffic.replay(&[&traffic.path("generated.jsonl")], "in-order", &["--workers", "2"]);
    let permuted = traffic.write("permuted.jsonl", shuffled(&traffic.lines, 7));
    let permuted = traffic.replay(&[&permuted], "permuted", &["--workers", "2"]);
    // What changed on the way differs, what it led to does not.
    let changing: Vec<&str> = WITH_SOURCES.into_iter().chain(["books"]).collect();
    assert_same(&in_order, &permuted, &changing);
    results::assert_equal(&[results::transactions_but_sources(&in_order, &permuted)]);
}

#[test]
fn disturbed_events_give_what_the_oracle_recomputes() {
    let traffic = Traffic::generate(200_000, &DISTURBED);
    for (name, lines) in
        [("generated", traffic.lines.iter().collect()), ("shuffled", shuffled(&traffic.lines, 11))]
    {
        let file = traffic.write(&format!("{name}-lines.jsonl"), lines.iter().copied());
        let out = traffic.replay(&[&file], name, &["--workers", "2"]);
        let mut events = blacklist(&traffic.path("reference").join("blacklist.jsonl"));
        events.extend(records(lines));
        let expected = oracle().recompute(&events, &[], &[], &BTreeSet::new());
        results::assert_equal(&Results::read(&out).compare(expected));
    }
}

#[test]
fn partitions_by_customer_do_not_matter() {
    let traffic = Traffic::generate(100_000, &TIMELY);
    let whole = traffic.replay(&[&traffic.path("generated.jsonl")], "whole", &["--workers", "2"]);
    let part = |line: &crate::events::Line| {
        let mut hasher = DefaultHasher::new();
        line.customer.hash(&mut hasher);
        hasher.finish() % 3
    };
    let parts: Vec<PathBuf> = (0..3)
        .map(|number| {
            let lines = traffic.lines.iter().filter(|line| part(line) == number);
            traffic.write(&format!("part-{number}.jsonl"), lines)
        })
        .collect();
    let parts: Vec<&Path> = parts.iter().map(PathBuf::as_path).collect();
    for workers in ["1", "2"] {
        let out = traffic.replay(&parts, &format!("parts-{workers}"), &["--workers", workers]);
        assert_same(&whole, &out, &WITH_SOURCES);
    }
}

#[test]
fn standard_input_is_a_file() {
    let traffic = Traffic::generate(20_000, &DISTURBED);
    let file = traffic.path("generated.jsonl");
    let (from_file, from_input) = (traffic.path("file"), traffic.path("input"));
    command::succeed(&["replay", file.to_str().unwrap(), "--out", from_file.to_str().unwrap()]);
    let arguments = ["replay", "-", "--out", from_input.to_str().unwrap()];
    let printed = command::succeed_with_input(&arguments, File::open(&file).unwrap());
    assert!(printed.starts_with("20000 events, "), "{printed}");
    assert_same(&from_file, &from_input, &WITH_SOURCES);
}
