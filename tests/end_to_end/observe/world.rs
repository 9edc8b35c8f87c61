//! A pipeline on real parts, with traffic, watched by a real Prometheus.

use super::prometheus::{Pace, Prometheus, Target};
use super::services::{Service, free_address};
use crate::command::Running;
use crate::foreign::{self, Batch};
use crate::parts::Parts;
use crate::scrape::get;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// After this something is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How much of what is told while it is waited for is printed.
const SHOWN: usize = 10;
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// The pipeline, what it stands on, and who watches it.
pub struct World {
    /// Kafka and PostgreSQL.
    pub parts: Parts,
    /// Whoever watches.
    pub prometheus: Prometheus,
    /// Whether producers write.
    pub flows: bool,
    run: Option<Running>,
    /// Where the worker serves its metrics, also after a restart.
    worker: String,
    exporters: [Service; 2],
    batches: u32,
    written: Instant,
    _directory: TempDir,
}

impl World {
    /// Starts everything, and waits until it is ready.
    pub fn start(name: &str, pace: &Pace, prometheus: Option<&str>) -> Self {
        let parts = Parts::start(name, 2, &json!({"workers": 2}));
        let directory = tempfile::tempdir().unwrap();
        let [worker, node, postgres] = std::array::from_fn(|_| free_address());
        let listen = |address: &String| vec![format!("--web.listen-address={address}")];
        let log = |name: &str| directory.path().join(name);
        let source = ("DATA_SOURCE_NAME", data_source(&parts));
        let exporters = [
            Service::start("prometheus-node-exporter", &listen(&node), None, &log("node.log")),
            Service::start(
                "prometheus-postgres-exporter",
                &listen(&postgres),
                Some(source),
                &log("postgres.log"),
            ),
        ];
        let targets = [("streamflow", &worker), ("node", &node), ("postgres", &postgres)]
            .map(|(job, address)| Target { job, address: address.clone() });
        let mut run = run(&parts, &worker);
        let begun = Instant::now();
        while !run.printed().contains("metrics and health are served") || get(&worker, "/readyz").code != 200
        {
            run.keep_waiting(begun, PATIENCE, "it is ready");
        }
        // Only now: the start is no outage.
        let prometheus = Prometheus::start(pace, &targets, prometheus);
        let mut world = Self {
            parts,
            prometheus,
            flows: true,
            run: Some(run),
            worker,
            exporters,
            batches: 0,
            written: Instant::now(),
            _directory: directory,
        };
        world.wait_until("Prometheus answers", |world| world.prometheus.is_ready());
        for batch in [foreign::ordinary(), foreign::changes(), foreign::refused()] {
            world.write(&batch);
        }
        world
    }

    /// Waits, while producers write.
    pub fn wait_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            if self.flows && self.written.elapsed() >= WRITE_EVERY {
                self.written = Instant::now();
                self.batches += 1;
                self.write(&batch(self.batches));
            }
            self.prometheus.assert_running();
            self.exporters.iter_mut().for_each(Service::assert_running);
            match &mut self.run {
                Some(run) => run.keep_waiting(begun, PATIENCE, what),
                None => assert!(begun.elapsed() < PATIENCE, "stuck before {what}"),
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// As [`World::wait_until`], until `told` is what is `expected`.
    pub fn wait_for(&mut self, expected: &BTreeSet<String>, told: impl Fn(&Self) -> BTreeSet<String>) {
        let mut last = BTreeSet::from(["nothing yet".to_owned()]);
        self.wait_until(&format!("{expected:?}"), |world| {
            let now = told(world);
            let is_as_expected = now == *expected;
            if last != now {
                println!(
                    "{} of {}: {:?}",
                    now.len(),
                    expected.len(),
                    now.iter().take(SHOWN).collect::<Vec<_>>()
                );
                last = now;
            }
            is_as_expected
        });
    }

    /// Changes windows as a commit two seconds from now would: the publisher has something to send, though
    /// nothing is read.
    pub fn change_windows(&self) {
        let sql =
            "UPDATE gold.realtime_metrics SET changed_frontier = frontier + 2000 FROM streamflow.progress";
        assert!(self.parts.connect().execute(sql, &[]).unwrap() > 0);
    }

    /// kill -9.
    pub fn kill_worker(&mut self) {
        self.run = None;
    }

    /// Starts it again, at the same address.
    pub fn restart_worker(&mut self) {
        self.run = Some(run(&self.parts, &self.worker));
    }

    /// Where the worker serves its metrics.
    pub fn worker(&self) -> &str {
        &self.worker
    }

    fn write(&self, batch: &Batch) {
        self.parts.kafka.write(&self.parts.topic("transactions"), None, &batch.bytes).unwrap();
    }
}

fn run(parts: &Parts, address: &str) -> Running {
    parts.command("run", &["--set", &format!("metrics.listen={address}")])
}

/// How the exporter finds the database.
fn data_source(parts: &Parts) -> String {
    let settings = parts.postgres.settings();
    let (host, port, user, database) =
        (&settings.hosts[0], settings.port, &settings.user, &settings.database);
    format!("host={host} port={port} user={user} dbname={database} sslmode=disable")
}

/// What producers write in a second: nine payments of a customer within nine minutes, the last of which is
/// alerted; a copy of it; now and then what cannot be accepted.
fn batch(number: u32) -> Batch {
    let mut batch = Batch::default();
    let customer = format!("observed-{number}");
    let mut payment = |minutes_ago: i64| {
        let at = chrono::Utc::now() - chrono::Duration::minutes(minutes_ago);
        let event = json!({
            "transaction_id": format!("{customer}-{minutes_ago}"), "customer_id": customer, "store_id": "observed-store",
            "amount": "10.00", "timestamp": at.to_rfc3339(),
        });
        batch.keyed(&customer, event.to_string());
    };
    (0..9).rev().for_each(&mut payment);
    payment(0);
    if number.is_multiple_of(3) {
        batch.keyed(&customer, "no transaction");
    }
    batch
}
