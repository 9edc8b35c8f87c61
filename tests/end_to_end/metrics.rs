//! Metrics, health and readiness of a running pipeline: all that is documented is there, and it is true.

use crate::command;
use crate::foreign;
use crate::parts::Parts;
use crate::scrape::{Answer, Scrape, Served, get};
use postgres::Client;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running pipeline of two workers.
fn start(name: &str) -> Served {
    Served::start(Parts::start(name, 2, &json!({"workers": 2})))
}

impl Served {
    fn wait_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            self.run.keep_waiting(begun, PATIENCE, what);
        }
    }

    fn get(&self, path: &str) -> Answer {
        get(&self.address, path)
    }

    fn scrape(&self) -> Scrape {
        Scrape::of(&self.address)
    }

    fn write(&self, batch: &foreign::Batch) {
        self.parts.kafka.write(&self.parts.topic("transactions"), None, &batch.bytes).unwrap();
    }

    fn read(&self, scrape: &Scrape) -> f64 {
        let topic = self.parts.topic("transactions");
        scrape.value("streamflow_events_read_total", &format!("topic=\"{topic}\""))
    }

    fn wait_until_ready(&mut self) {
        self.wait_until("it is ready", |world| world.get("/readyz").code == 200);
    }

    /// Waits until it is not ready because of `reason`; it is healthy all the while.
    fn wait_until_not_ready(&mut self, reason: &str) {
        self.wait_until(reason, |world| {
            assert_eq!(world.get("/healthz").code, 200);
            let Answer { code, body, .. } = world.get("/readyz");
            assert!((code == 200 && body == "ok\n") || (code == 503 && body.lines().count() == 1), "{body}");
            code == 503 && body.starts_with(reason)
        });
        assert_eq!(self.scrape().value("streamflow_ready", ""), 0.0);
    }
}

/// The rows of the documentation: name and type.
fn documented() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/METRICS.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `streamflow_"));
    rows.map(|row| {
        let mut cells = row.split('|').map(|cell| cell.trim().trim_end_matches('`').to_owned());
        (format!("streamflow_{}", cells.next().unwrap()), cells.next().unwrap())
    })
    .collect()
}

#[test]
fn every_documented_metric_is_there_and_true() {
    let mut world = start("metrics");
    let (ordinary, changes, refused) = (foreign::ordinary(), foreign::changes(), foreign::refused());
    world.write(&ordinary);
    world
        .wait_until("the first are committed", |world| world.read(&world.scrape()) == ordinary.events as f64);
    world.write(&changes);
    world.write(&refused);
    let events = (ordinary.events + changes.events + refused.events) as f64;
    let (letters, transactions) = (world.parts.topic("dead_letters"), world.parts.topic("transactions"));
    world.wait_until("all is committed and published", |world| {
        let scrape = world.scrape();
        let published = scrape.value("streamflow_publisher_records_total", &format!("topic=\"{letters}\""));
        world.read(&scrape) == events
            && published == foreign::REFUSED.map(|(_, count)| count as f64).iter().sum::<f64>()
            && scrape.of_name("streamflow_kafka_lag_records").values().all(|lag| *lag == 0.0)
    });
    world.wait_until_ready();
    assert_eq!(world.get("/healthz"), Answer { body: "ok\n".to_owned(), ..world.get("/healthz") });
    let scrape = world.scrape();
    assert_eq!(scrape.types, documented());
    check_events(&scrape, &mut world.parts.connect(), &transactions);
    check_progress(&scrape, events);
    check_rest(&world, &scrape, events);
    assert_eq!(world.get("/nothing").code, 404);
    assert!(world.run.terminate().success(), "{}", world.run.printed());
}

/// The events are the books.
fn check_events(scrape: &Scrape, client: &mut Client, topic: &str) {
    let rows =
        client.query("SELECT account, events FROM streamflow.books WHERE topic = $1", &[&topic]).unwrap();
    let mut books: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let read = books.remove("read").unwrap();
    let of_topic = format!("topic=\"{topic}\"");
    let told: BTreeMap<String, i64> = scrape
        .of_name("streamflow_events_total")
        .into_iter()
        .filter(|(labels, events)| labels.contains(&of_topic) && *events > 0.0)
        .map(|(labels, events)| (label(labels, "reason").to_owned(), events as i64))
        .collect();
    assert_eq!(told, books);
    assert_eq!(told.values().sum::<i64>(), read);
    for (reason, count) in foreign::REFUSED {
        let labels = format!("{of_topic},outcome=\"dead_letter\",reason=\"{reason}\"");
        assert_eq!(scrape.value("streamflow_events_total", &labels), count as f64);
    }
    let sql = "SELECT change, cause, count(*) FROM bronze.raw_fraud_alerts GROUP BY 1, 2";
    for row in client.query(sql, &[]).unwrap() {
        let labels = format!("change=\"{}\",cause=\"{}\"", row.get::<_, String>(0), row.get::<_, String>(1));
        assert_eq!(scrape.value("streamflow_alert_changes_total", &labels), row.get::<_, i64>(2) as f64);
    }
    let velocity = scrape.value("streamflow_alert_rule_changes_total", "rule=\"FR-002\",change=\"raised\"");
    assert!(velocity >= 1.0);
}

fn label<'a>(labels: &'a str, name: &str) -> &'a str {
    let value = labels.split(&format!("{name}=\"")).nth(1).unwrap();
    value.split('"').next().unwrap()
}

/// Frontiers follow the clock in their order, and nothing is behind.
fn check_progress(scrape: &Scrape, events: f64) {
    let stages = ["source", "admitted", "history", "aggregates", "committed", "published"];
    let of = |name: &str, stage: &str| scrape.value(name, &format!("stage=\"{stage}\""));
    let now = chrono::Utc::now().timestamp_millis() as f64 / 1000.0;
    for stage in stages {
        let (frontier, lag) = (
            of("streamflow_frontier_timestamp_seconds", stage),
            of("streamflow_frontier_lag_seconds", stage),
        );
        assert!((0.0..60.0).contains(&lag), "{stage} is {lag} s behind");
        assert!((now - frontier - lag).abs() < 60.0, "{stage}: {frontier} and {lag} at {now}");
    }
    let frontiers = stages.map(|stage| of("streamflow_frontier_timestamp_seconds", stage));
    assert!(frontiers[3] >= frontiers[4] && frontiers[4] >= frontiers[5], "{frontiers:?}");
    assert!(scrape.of_name("streamflow_kafka_lag_seconds").values().all(|lag| *lag == 0.0));
    assert!(scrape.of_name("streamflow_kafka_up").values().all(|up| *up == 1.0));
    let committed: f64 = scrape.of_name("streamflow_kafka_committed_offset").values().sum();
    assert_eq!(committed, events);
    assert_eq!(scrape.value("streamflow_kafka_read_records_total", ""), events);
    assert_eq!(scrape.value("streamflow_event_to_commit_seconds_count", ""), events);
    assert!(scrape.value("streamflow_event_to_alert_seconds_count", "") >= 1.0);
}

fn check_rest(world: &Served, scrape: &Scrape, events: f64) {
    let one = |name: &str| scrape.value(name, "");
    for name in ["postgres_up", "publisher_up", "hydration_done", "healthy", "ready"] {
        assert_eq!(one(&format!("streamflow_{name}")), 1.0, "{name}");
    }
    assert_eq!(one("streamflow_worker_threads"), 2.0);
    assert_eq!(one("streamflow_postgres_connects_total"), 1.0);
    assert!(one("streamflow_commit_duration_seconds_count") >= 3.0 && one("streamflow_epochs_total") >= 3.0);
    assert!(one("streamflow_memory_resident_bytes") > one("streamflow_memory_allocated_bytes") / 2.0);
    let received = scrape.value("streamflow_commit_rows_total", "table=\"bronze.raw_transactions\"");
    let refused: i64 = foreign::REFUSED.iter().map(|(_, count)| count).sum();
    assert_eq!(received + refused as f64, events);
    let held = |operator: &str| -> f64 {
        let held = scrape.of_name("streamflow_operator_held_records").into_iter();
        held.filter(|(labels, _)| labels.contains(&format!("operator=\"{operator}\""))).map(|(_, n)| n).sum()
    };
    let transactions = "SELECT count(*) FROM silver.clean_transactions";
    let count: i64 = world.parts.connect().query_one(transactions, &[]).unwrap().get(0);
    assert_eq!([held("identity"), held("history")], [count as f64; 2]);
    let workers: BTreeSet<&str> = scrape
        .of_name("streamflow_operator_busy_seconds_total")
        .into_keys()
        .map(|l| label(l, "worker"))
        .collect();
    assert_eq!(workers, BTreeSet::from(["0", "1"]));
}

#[test]
fn it_tells_that_postgres_is_away() {
    let mut world = start("metrics-postgres");
    let ordinary = foreign::ordinary();
    world.write(&ordinary);
    world.wait_until("it is committed", |world| world.read(&world.scrape()) == ordinary.events as f64);
    world.wait_until_ready();
    world.parts.postgres.kill().unwrap();
    world.wait_until_not_ready("PostgreSQL away since ");
    let frontier = |scrape: &Scrape, stage: &str| {
        scrape.value("streamflow_frontier_timestamp_seconds", &format!("stage=\"{stage}\""))
    };
    let lag = |scrape: &Scrape| scrape.value("streamflow_frontier_lag_seconds", "stage=\"committed\"");
    let before = world.scrape();
    assert_eq!(before.value("streamflow_postgres_up", ""), 0.0);
    let changes = foreign::changes();
    world.write(&changes);
    world.wait_until("they are in flight", |world| {
        let scrape = world.scrape();
        let in_flight = scrape.of_name("streamflow_flow_in_flight_records");
        in_flight.values().sum::<f64>() == changes.events as f64 && lag(&scrape) > lag(&before) + 2.0
    });
    let during = world.scrape();
    assert_eq!(frontier(&during, "committed"), frontier(&before, "committed"));
    for stage in ["source", "admitted", "history", "aggregates"] {
        assert!(frontier(&during, stage) > frontier(&before, stage), "{stage}");
    }
    let behind = during.of_name("streamflow_kafka_lag_records").values().sum::<f64>();
    assert_eq!(behind, changes.events as f64);
    assert!(during.of_name("streamflow_kafka_lag_seconds").values().any(|lag| *lag > 0.0));
    assert_eq!(world.read(&during), ordinary.events as f64, "nothing counts before it is committed");
    world.parts.postgres.restart().unwrap();
    world.wait_until_ready();
    world.wait_until("they are committed", |world| {
        let scrape = world.scrape();
        scrape.of_name("streamflow_kafka_lag_records").values().all(|lag| *lag == 0.0)
            && world.read(&scrape) == (ordinary.events + changes.events) as f64
    });
    assert!(world.scrape().value("streamflow_commit_retries_total", "") >= 1.0);
    assert!(world.run.terminate().success(), "{}", world.run.printed());
}

#[test]
fn it_tells_that_postgres_does_not_answer() {
    let mut world = start("metrics-silence");
    world.wait_until_ready();
    let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'streamflow'";
    let rows = world.parts.connect().query(sql, &[]).unwrap();
    let backends: Vec<String> = rows.iter().map(|row| row.get::<_, i32>(0).to_string()).collect();
    let signal = |name: &str| {
        // That of a connection which was just closing may have gone.
        let reached =
            backends.iter().filter(|pid| Command::new("kill").args([name, pid]).status().unwrap().success());
        assert!(reached.count() > 0);
    };
    signal("-STOP");
    world.wait_until_not_ready("PostgreSQL away: it has not answered a commit since ");
    signal("-CONT");
    world.wait_until_ready();
}

#[test]
fn it_tells_that_kafka_is_away() {
    let mut world = start("metrics-kafka");
    world.wait_until_ready();
    world.parts.kafka.kill().unwrap();
    world.wait_until_not_ready("Kafka away since ");
    world.wait_until("commits go on all the same", |world| {
        let scrape = world.scrape();
        scrape.value("streamflow_frontier_lag_seconds", "stage=\"committed\"") < 5.0
            && scrape.of_name("streamflow_kafka_up").values().any(|up| *up == 0.0)
    });
    world.parts.kafka.restart().unwrap();
    world.wait_until_ready();
    let ordinary = foreign::ordinary();
    world.write(&ordinary);
    world.wait_until("it reads on", |world| world.read(&world.scrape()) == ordinary.events as f64);
}

#[test]
fn an_address_in_use_stops_the_start_before_the_lease_is_taken() {
    let parts = Parts::start("metrics-address", 1, &json!({}));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("metrics.listen={}", taken.local_addr().unwrap());
    let config = parts.config();
    let output = command::output(&["run", "--config", config.to_str().unwrap(), "--set", &listen]);
    let told = String::from_utf8(output.stderr).unwrap();
    let last = told.lines().last().unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(last.starts_with("streamflow: configuration: metrics.listen = 127.0.0.1:"), "{told}");
    let sql = "SELECT generation FROM streamflow.progress";
    assert_eq!(parts.connect().query_one(sql, &[]).unwrap().get::<_, i64>(0), 0);
}

#[test]
fn without_an_address_nothing_listens() {
    let parts = Parts::start("metrics-off", 1, &json!({"metrics": {"listen": null}}));
    let mut run = parts.run();
    let mut client = parts.connect();
    let begun = Instant::now();
    let sql = "SELECT frontier FROM streamflow.progress";
    while client.query_one(sql, &[]).unwrap().get::<_, i64>(0) == 0 {
        assert!(run.ended().is_none() && begun.elapsed() < PATIENCE, "{}", run.printed());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(run.terminate().success());
    assert!(!run.printed().contains("served"), "{}", run.printed());
}
