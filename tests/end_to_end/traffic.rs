//! Files of generated events, and their lines in other orders.

use crate::command;
use crate::events::Line;
use crate::parts::Parts;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const MINUTE: i64 = 60_000_000;

/// Ordinary customers' traffic, thin enough that most of it is no burst.
const DENSITY: [&str; 4] = ["--rate", "50", "--customers", "20000"];

/// The clock of replays: after the events, but for those that are meant to be of the future.
pub const NOW: &str = "2026-06-01T00:00:00Z";

/// Late, copied, corrected, voided and malformed events, more of them than usual, in several currencies.
pub const DISTURBED: [&str; 7] = [
    "foreign_customer_rate=0.3",
    "late_rate=0.1",
    "too_late_rate=0.001",
    "duplicate_rate=0.05",
    "corrected_rate=0.03",
    "voided_rate=0.02",
    "malformed_rate=0.005",
];

/// As [`DISTURBED`], but all within the horizon.
pub const TIMELY: [&str; 7] = [
    "foreign_customer_rate=0.3",
    "late_rate=0.1",
    "too_late_rate=0",
    "duplicate_rate=0.05",
    "corrected_rate=0.03",
    "voided_rate=0.02",
    "malformed_rate=0.005",
];

/// Every event once, in order.
pub const PLAIN: [&str; 6] = [
    "late_rate=0",
    "too_late_rate=0",
    "duplicate_rate=0",
    "corrected_rate=0",
    "voided_rate=0",
    "malformed_rate=0",
];

/// As [`DISTURBED`], over days, with refunds of up to three days.
pub const REFUNDED: [&str; 8] = [
    "late_rate=0.1",
    "too_late_rate=0.001",
    "duplicate_rate=0.05",
    "corrected_rate=0.03",
    "voided_rate=0.02",
    "malformed_rate=0.005",
    "refunded_rate=0.02",
    "refunded_within=259200",
];

/// A directory with generated events.
pub struct Traffic {
    directory: TempDir,
    /// The events.
    pub lines: Vec<Line>,
}

impl Traffic {
    /// Generates `count` events with `rates`.
    pub fn generate(count: usize, rates: &[&str]) -> Self {
        Self::generate_with(count, rates, &DENSITY)
    }

    /// Generates `count` events over days, which many of few customers are.
    pub fn generate_over_days(count: usize, rates: &[&str]) -> Self {
        Self::generate_with(count, rates, &["--rate", "0.2", "--customers", "500"])
    }

    /// Generates `count` events, `rate` a second, of few `customers`, the first of them `hours` ago.
    pub fn generate_past(count: usize, rates: &[&str], rate: &str, customers: &str, hours: i64) -> Self {
        let start = (chrono::Utc::now() - chrono::Duration::hours(hours)).to_rfc3339();
        let options = ["--rate", rate, "--customers", customers, "--start", &start];
        Self::generate_with(count, rates, &options)
    }

    /// Generates `count` events with `rates`, the first of them `after` now.
    pub fn generate_from(count: usize, rates: &[&str], after: chrono::Duration) -> Self {
        let start = (chrono::Utc::now() + after).to_rfc3339();
        Self::generate_with(count, rates, &[&DENSITY[..], &["--start", &start]].concat())
    }

    fn generate_with(count: usize, rates: &[&str], options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (file, count) = (directory.path().join("generated.jsonl"), count.to_string());
        let mut arguments = vec!["generate", "--file", file.to_str().unwrap(), "--count", &count];
        let reference = directory.path().join("reference");
        arguments.extend(["--reference", reference.to_str().unwrap()]);
        arguments.extend(options);
        arguments.extend(rates.iter().flat_map(|rate| ["--set", *rate]));
        command::succeed(&arguments);
        let lines = Line::read(&file);
        Self { directory, lines }
    }

    /// A place in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes lines to a file of its directory.
    pub fn write<'a>(&self, name: &str, lines: impl IntoIterator<Item = &'a Line>) -> PathBuf {
        let path = self.path(name);
        let mut bytes = Vec::new();
        for line in lines {
            bytes.extend_from_slice(&line.bytes);
            bytes.push(b'\n');
        }
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Sends all to the topics of `parts`, as if each event had arrived when it was generated.
    pub fn send_as_past(&self, parts: &Parts) {
        let begin = self.lines[0].time;
        let reference = |name: &str| Line::read(&self.path(&format!("reference/{name}.jsonl")));
        let compacted = [("cleanup.policy", "compact")];
        let send = |topic: &str, more: &[(&str, &str)], lines: &[Line], key: &dyn Fn(&Line) -> String| {
            let topic = parts.topic(topic);
            parts.fill_with_the_past(&topic, more, |producer| {
                let mut arrived = begin;
                for line in lines {
                    arrived = arrived.max(line.time);
                    let (key, time) = (key(line), Some(arrived / 1000));
                    producer.send(&topic, key.as_bytes(), Some(&line.bytes), time).unwrap();
                }
            });
        };
        for (name, id) in [("customers", "customer_id"), ("stores", "store_id"), ("products", "product_id")] {
            send(name, &compacted, &reference(name), &|line| line.text(id));
        }
        let entity = |line: &Line| format!("{}:{}", line.text("entity"), line.text("id"));
        send("blacklist", &compacted, &reference("blacklist"), &entity);
        send("transactions", &[], &self.lines, &|line| line.customer.clone().unwrap_or_default());
    }

    /// Replays files with the generated reference data into the directory `out` of its own, which is
    /// returned.
    pub fn replay(&self, files: &[&Path], out: &str, options: &[&str]) -> PathBuf {
        let out = self.path(out);
        let reference = |name: &str| self.path("reference").join(name).display().to_string();
        let mut arguments = vec!["replay".to_owned(), "--out".to_owned(), out.display().to_string()];
        // Dead letters tell how far ahead of this they are.
        arguments.extend(["--now".to_owned(), NOW.to_owned()]);
        for name in ["customers", "stores", "products", "blacklist"] {
            arguments.extend([format!("--{name}"), reference(&format!("{name}.jsonl"))]);
        }
        arguments.extend(files.iter().map(|file| file.display().to_string()));
        arguments.extend(options.iter().map(|option| (*option).to_owned()));
        command::succeed(&arguments);
        out
    }
}

/// The lines with each event held back by up to 50 minutes of event time, so that none comes more than these
/// behind.
pub fn shuffled(lines: &[Line], seed: u64) -> Vec<&Line> {
    let mut state = seed;
    let mut held_back: Vec<(i64, &Line)> = lines
        .iter()
        .map(|line| {
            // Knuth's MMIX generator; its upper bits are good enough for a shuffle.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (line.time + ((state >> 33) as i64 * 1000) % (50 * MINUTE), line)
        })
        .collect();
    held_back.sort_by_key(|(due, _)| *due);
    held_back.into_iter().map(|(_, line)| line).collect()
}
