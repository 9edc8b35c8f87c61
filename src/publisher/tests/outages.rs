use super::world::{World, committed, take_lease};
use crate::publisher::{Published, PublisherState, PublisherStatus, Publishing};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// A test that takes longer is stuck, even on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn wait_until(status: &PublisherStatus, done: impl Fn(&Published) -> bool) {
    let begun = Instant::now();
    while !done(&status.look()) {
        assert!(begun.elapsed() < PATIENCE, "stuck at {:?}", status.look());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A running publisher, which must not fail but may be fenced; `failure` then receives the error.
struct Started {
    publishing: Publishing,
    status: Arc<PublisherStatus>,
    failure: mpsc::Receiver<String>,
}

fn start(world: &World) -> Started {
    let status = Arc::new(PublisherStatus::default());
    let (told, failure) = mpsc::channel();
    let failed = move |error| told.send(error).unwrap();
    let generation = take_lease(&world.config);
    let publishing =
        Publishing::start(&world.config, committed(&world.config, generation), Arc::clone(&status), failed)
            .unwrap();
    Started { publishing, status, failure }
}

#[test]
fn outages_are_waited_out_and_a_newer_publisher_ends_the_older() {
    let mut world = World::start("outages");
    let first = start(&world);
    world.filler.fill(200, 20);
    wait_until(&first.status, |published| {
        published.alert_number == 200 && published.dead_letter_number == 20
    });

    world.postgres.kill().unwrap();
    wait_until(&first.status, |published| published.state == PublisherState::Retrying);
    assert!(first.status.look().last_error.unwrap().contains("postgres"));
    world.postgres.restart().unwrap();
    wait_until(&first.status, |published| published.state == PublisherState::Running);

    world.filler.reconnect(&world.config);
    world.kafka.kill().unwrap();
    world.filler.fill(100, 10);
    wait_until(&first.status, |published| published.state == PublisherState::Retrying);
    assert!(first.status.look().last_error.unwrap().contains("Kafka"));
    world.kafka.restart().unwrap();
    wait_until(&first.status, |published| published.alert_number == 300);

    let second = start(&world);
    let failure = first.failure.recv_timeout(PATIENCE).unwrap();
    assert!(failure.contains("fenced by a newer worker"), "{failure}");
    world.filler.fill(100, 10);
    wait_until(&second.status, |published| {
        published.alert_number == 400 && published.dead_letter_number == 40
    });
    second.publishing.close();
    assert!(second.failure.try_recv().is_err(), "it was stopped and did not fail");
    first.publishing.close();

    // What was committed after the stop is sent after the next start.
    world.filler.fill(100, 0);
    let third = start(&world);
    wait_until(&third.status, |published| published.alert_number == 500);
    third.publishing.close();
    world.check();
}

/// Its next poll comes later than a stuck test ends.
#[test]
fn what_is_told_of_is_sent_without_waiting_for_a_poll() {
    let mut world = World::start("told");
    world.config.publisher.poll_ms = 10 * PATIENCE.as_millis() as u64;
    world.filler.fill(10, 0);
    let started = start(&world);
    wait_until(&started.status, |published| published.alert_number == 10);
    world.filler.fill(10, 3);
    started.status.tell_of_rows();
    wait_until(&started.status, |published| {
        (published.alert_number, published.dead_letter_number) == (20, 3)
    });
    started.publishing.close();
}

#[test]
fn another_database_does_not_publish_under_the_same_name() {
    let mut world = World::start("ahead");
    world.filler.fill(10, 0);
    let first = start(&world);
    wait_until(&first.status, |published| published.alert_number == 10);
    first.publishing.close();
    world.connect().execute("UPDATE streamflow.progress SET alert_changes = 9", &[]).unwrap();
    let second = start(&world);
    let failure = second.failure.recv_timeout(PATIENCE).unwrap();
    assert!(failure.contains("Kafka already has alert change 10, the database only 9"), "{failure}");
}
