//! A database that was restored to an older state, as the runbook says: "The database was restored".

use crate::command::Running;
use crate::exactness;
use crate::foreign;
use crate::parts::Parts;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct World {
    parts: Parts,
    backup: tempfile::TempDir,
}

impl World {
    fn write(&self, batch: &foreign::Batch) {
        self.parts.kafka.write(&self.parts.topic("transactions"), None, &batch.bytes).unwrap();
    }

    /// Runs the pipeline until everything is committed and published.
    fn catch_up(&self) {
        let mut run = self.parts.run();
        self.parts.wait_for_all(&mut run, PATIENCE);
        let begun = Instant::now();
        while !self.nothing_waits() {
            run.keep_waiting(begun, PATIENCE, "all is published");
        }
        assert!(run.terminate().success(), "{}", run.printed());
    }

    fn nothing_waits(&self) -> bool {
        let shown = self.publisher(&[], true);
        shown.lines().skip(1).all(|line| line.split_whitespace().last() == Some("0"))
    }

    fn publisher(&self, arguments: &[&str], success: bool) -> String {
        let mut command = self.parts.command("publisher", arguments);
        let status = command.wait();
        assert_eq!(status.success(), success, "{}", command.printed());
        command.printed()
    }

    fn data(&self) -> PathBuf {
        self.parts.postgres.directory().join("data")
    }

    /// A copy of the database's files, while it is stopped.
    fn copy(&self, back: bool) {
        let (data, copy) = (self.data(), self.backup.path().join("data"));
        let (from, to) = if back { (&copy, &data) } else { (&data, &copy) };
        // The directory has an owner, whom the server demands: what is in it is replaced.
        let line = "mkdir -p \"$1\" && find \"$1\" -mindepth 1 -delete && cp -a \"$0\"/. \"$1\"/";
        let copied = Command::new("sh").args(["-c", line]).arg(from).arg(to).status().unwrap();
        assert!(copied.success());
    }

    fn ends_with(&self, run: &mut Running, words: &str) {
        run.wait_for_end(PATIENCE);
        assert!(run.printed().lines().last().unwrap().contains(words), "{}", run.printed());
    }
}

#[test]
fn a_restored_database_goes_on_and_consumers_know_what_they_have_seen() {
    let parts = Parts::start("restored", 1, &json!({}));
    let mut world = World { parts, backup: tempfile::tempdir().unwrap() };
    world.write(&foreign::ordinary());
    world.catch_up();
    world.parts.postgres.stop().unwrap();
    world.copy(false);
    world.parts.postgres.restart().unwrap();
    world.write(&foreign::changes());
    world.write(&foreign::refused());
    world.catch_up();
    let changes = world.parts.consume("alerts").len();

    world.parts.postgres.stop().unwrap();
    world.copy(true);
    world.parts.postgres.restart().unwrap();
    // Also at the second start: it has committed nothing.
    for _ in 0..2 {
        world.ends_with(&mut world.parts.run(), "an older state was restored");
    }
    assert!(world.publisher(&[], true).contains("-"), "it shows how far Kafka is ahead");
    let told = world.publisher(&["reset", "--now"], false);
    assert!(told.contains("repeat with --yes"), "{told}");
    world.publisher(&["reset", "--now", "--yes"], true);
    world.catch_up();
    exactness::verify(&world.parts);
    exactness::check_bronze(&world.parts);

    // What is told twice is the same by alert and sequence.
    let mut known: BTreeMap<(String, u64), String> = BTreeMap::new();
    let told = world.parts.consume("alerts");
    for change in told.iter().map(crate::consumer::Consumed::json) {
        let key = (change["alert_id"].as_str().unwrap().to_owned(), change["sequence"].as_u64().unwrap());
        let said = format!("{} {} {}", change["change"], change["fraud_score"], change["transaction_id"]);
        assert_eq!(known.entry(key).or_insert_with(|| said.clone()), &said);
    }
    assert_eq!(known.len(), changes, "nothing new, nothing missing");
    assert!(told.len() > changes, "some were told twice");
}
