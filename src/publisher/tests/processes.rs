use super::world::{World, committed, take_lease};
use crate::config::Config;
use crate::publisher::{PublisherStatus, Publishing};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A test that takes longer is stuck, even on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);
const KILLS: u64 = 12;
/// Environment variables for the child: the overrides of its configuration, one a line, and its lease.
const OVERRIDES: &str = "STREAMFLOW_TEST_PUBLISHER";
const GENERATION: &str = "STREAMFLOW_TEST_GENERATION";

/// Not a test by itself: the publisher as a process that can be killed, started by the test below.
#[test]
#[ignore = "runs as a child of another test"]
fn child() {
    let overrides: Vec<String> = std::env::var(OVERRIDES).unwrap().lines().map(str::to_owned).collect();
    let config = Config::load(None, &overrides).unwrap();
    let generation = std::env::var(GENERATION).unwrap().parse().unwrap();
    let failed = |error: String| panic!("{error}");
    let _publishing = Publishing::start(
        &config,
        committed(&config, generation),
        Arc::new(PublisherStatus::default()),
        failed,
    )
    .unwrap();
    loop {
        std::thread::park();
    }
}

fn overrides(config: &Config) -> String {
    let (kafka, postgres, topics) = (&config.kafka, &config.postgres, &config.topics);
    let publisher = &config.publisher;
    [
        format!("kafka.brokers={:?}", kafka.brokers),
        format!("postgres.hosts={:?}", postgres.hosts),
        format!("postgres.port={}", postgres.port),
        format!("postgres.database={}", postgres.database),
        format!("postgres.user={}", postgres.user),
        format!("topics.alerts={}", topics.alerts),
        format!("topics.metrics={}", topics.metrics),
        format!("topics.dead_letters={}", topics.dead_letters),
        format!("topics.progress={}", topics.progress),
        format!("publisher.transactional_id={}", publisher.transactional_id),
        format!("publisher.batch_records={}", publisher.batch_records),
        format!("publisher.poll_ms={}", publisher.poll_ms),
        format!("publisher.metrics_interval_ms={}", publisher.metrics_interval_ms),
    ]
    .join("\n")
}

fn spawn(config: &Config) -> Child {
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "publisher::tests::processes::child", "--ignored", "--nocapture"])
        .env(OVERRIDES, overrides(config))
        .env(GENERATION, take_lease(config).to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_publisher_killed_at_any_moment_loses_and_repeats_nothing() {
    let mut world = World::start("killed");
    let World { config, filler, .. } = &mut world;
    let (done, mut ended) = (AtomicBool::new(false), None);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                filler.fill(rand::random_range(0..40), rand::random_range(0..5));
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        for _ in 0..KILLS {
            let mut publisher = spawn(config);
            std::thread::sleep(Duration::from_millis(rand::random_range(20..900)));
            ended = ended.or(publisher.try_wait().unwrap());
            publisher.kill().unwrap();
            publisher.wait().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(ended, None, "a publisher runs until it is killed");
    let status = Arc::new(PublisherStatus::default());
    let failed = |error: String| panic!("{error}");
    let generation = take_lease(config);
    let publishing =
        Publishing::start(config, committed(config, generation), Arc::clone(&status), failed).unwrap();
    let begun = Instant::now();
    while !filler.is_published(&status.look()) {
        assert!(begun.elapsed() < PATIENCE, "stuck at {:?}", status.look());
        std::thread::sleep(Duration::from_millis(10));
    }
    publishing.close();
    println!("{:?}", status.look());
    world.check();
}
