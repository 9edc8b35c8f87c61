//! Memory of a worker that finds a backlog, while PostgreSQL goes away for a minute: `cargo bench --bench
//! backlog -- [transactions]`.
#![allow(clippy::unwrap_used)]

/// Kafka, PostgreSQL, the commands.
#[allow(dead_code)]
mod world;

use std::thread::sleep;
use std::time::{Duration, Instant};
use streamflow_connectors::postgres::connect;
use world::{COMMITTED, World};

/// How long PostgreSQL is away.
const AWAY: Duration = Duration::from_secs(60);

fn main() {
    // Cargo adds an option of its own.
    let events = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(5_000_000_i64);
    let mut world = World::start();
    let options = ["--count", &events.to_string(), "--rate", "1000000", "--customers", "1000000"];
    assert!(world.command("generate", &options).wait());
    let started = Instant::now();
    let worker = world.command("run", &[]);
    // Copies that the generator writes make it a few more.
    let committed = wait_for(&world, events / 2);
    println!(
        "{committed} events committed after {:.0} s, peak {} MiB",
        seconds(started),
        worker.peak_memory()
    );
    world.postgres.kill().unwrap();
    sleep(AWAY);
    println!("PostgreSQL was away for {AWAY:?}, peak {} MiB", worker.peak_memory());
    world.postgres.restart().unwrap();
    let committed = wait_for(&world, events);
    println!(
        "{committed} events committed after {:.0} s, peak {} MiB",
        seconds(started),
        worker.peak_memory()
    );
}

fn seconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64()
}

/// Waits until so many events are committed, and returns how many are.
fn wait_for(world: &World, events: i64) -> i64 {
    let mut client = connect(&world.postgres.settings()).unwrap();
    loop {
        let committed = client.query_one(COMMITTED, &[]).unwrap().get(0);
        if committed >= events {
            return committed;
        }
        sleep(Duration::from_millis(200));
    }
}
