//! What it costs to be observed: `cargo bench --bench observation -- [transactions] [rounds]`.
//!
//! The same backlog is read from Kafka into new databases again and again, in turn by a worker that nobody
//! can see (no metrics, no log) and by one that logs, serves metrics, and is asked for them and for its
//! status every second, which is much more than Prometheus asks. On a machine that others use too the
//! processor time that a worker takes says more than the clock, so both are compared.
#![allow(clippy::unwrap_used)]

/// Kafka, PostgreSQL, the commands.
#[allow(dead_code)]
mod world;

use std::thread::sleep;
use std::time::{Duration, Instant};
use streamflow_connectors::postgres::connect;
use world::{COMMITTED, World, ask, free_port};

const ASK_EVERY: Duration = Duration::from_secs(1);

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a run took.
#[derive(Clone, Copy)]
struct Cost {
    /// Seconds of the clock from the first commit of events to that of all.
    clock: f64,
    /// Seconds of the processor.
    processor: f64,
}

fn main() {
    // Cargo adds an option of its own.
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let events = numbers.first().copied().unwrap_or(500_000);
    let rounds = numbers.get(1).copied().unwrap_or(6);
    let world = World::start();
    let count = events.to_string();
    let options = ["--count", &count, "--rate", "1000000", "--customers", "200000"];
    assert!(world.command("generate", &options).wait());
    let (mut seen, mut unseen) = (Vec::new(), Vec::new());
    // The first one warms up, and counts for nothing.
    run(&world, "warm", events as i64, None);
    for round in 0..rounds {
        // In turn also who begins.
        for is_seen in [round % 2 == 0, round % 2 == 1] {
            let port = is_seen.then(free_port);
            let cost = run(&world, &format!("round{round}{is_seen}"), events as i64, port);
            println!(
                "{} {:5.1} s of the processor, {:5.1} s of the clock",
                if is_seen { "observed" } else { "unseen  " },
                cost.processor,
                cost.clock
            );
            if is_seen { &mut seen } else { &mut unseen }.push(cost);
        }
    }
    let ratio = |of: fn(&Cost) -> f64| 100.0 * median(&unseen, of) / median(&seen, of);
    println!(
        "observed, a worker does {:.1} % as much with the processor, {:.1} % by the clock (medians of {rounds})",
        ratio(|cost| cost.processor),
        ratio(|cost| cost.clock)
    );
}

/// Reads all events into a new database.
fn run(world: &World, name: &str, events: i64, port: Option<u16>) -> Cost {
    let settings = world.postgres.settings();
    connect(&settings).unwrap().batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
    let outputs = ["alerts", "metrics", "dead_letters", "progress"];
    let outputs = outputs.map(|topic| format!("topics.{topic}={name}.{topic}"));
    let listen =
        port.map_or("metrics.listen=null".to_owned(), |port| format!("metrics.listen=127.0.0.1:{port}"));
    let (database, publisher) =
        (format!("postgres.database={name}"), format!("publisher.transactional_id={name}"));
    let mut options = vec!["--set", &database];
    assert!(world.command("migrate", &options).wait());
    options.extend(["--set", &publisher, "--set", &listen]);
    outputs.iter().for_each(|output| options.extend(["--set", output]));
    let level = if port.is_some() { "info" } else { "off" };
    let worker = world.command_with("run", &options, ("RUST_LOG", level));
    let mut client =
        connect(&streamflow_connectors::postgres::PostgresSettings { database: name.to_owned(), ..settings });
    let client = client.as_mut().unwrap();
    let mut committed = || client.query_one(COMMITTED, &[]).unwrap().get::<_, i64>(0);
    let (mut begun, mut asked) = (None, Instant::now());
    loop {
        let now = committed();
        if now > 0 {
            begun.get_or_insert_with(Instant::now);
        }
        if now >= events {
            break;
        }
        if let Some(port) = port.filter(|_| begun.is_some() && asked.elapsed() >= ASK_EVERY) {
            asked = Instant::now();
            for path in ["/metrics", "/status.json"] {
                ask(port, path);
            }
        }
        sleep(LOOK_EVERY);
    }
    let clock = begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64());
    Cost { clock, processor: worker.processor_time().as_secs_f64() }
}

fn median(costs: &[Cost], of: fn(&Cost) -> f64) -> f64 {
    let mut values: Vec<f64> = costs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { (values[middle - 1] + values[middle]) / 2.0 } else { values[middle] }
}
