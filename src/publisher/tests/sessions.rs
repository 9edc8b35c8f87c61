use super::world::{World, take_lease};
use crate::publisher::batch::{Batch, Reader};
use crate::publisher::error::PublisherError;
use crate::publisher::reset::{Standing, Target, reset};
use crate::publisher::session::{PATIENCE, Session, TRANSACTION_TIMEOUT};
use crate::publisher::{create_topics, record};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use std::time::Duration;
use streamflow_connectors::kafka::TransactionError;
use streamflow_medallion::outbox::Limits;

const LIMITS: Limits = Limits { rows: 50, bytes: 2_000 };
const HOUR: i64 = 3_600_000_000;

/// A broker that was killed and restarted needs time.
fn open(world: &World) -> Session {
    loop {
        match Session::open(&world.config, TRANSACTION_TIMEOUT) {
            Ok(session) => return session,
            Err(error) => {
                println!("{error}");
                assert!(error.is_retryable(), "{error}");
            }
        }
    }
}

fn next(world: &World, generation: i64, session: &Session) -> Batch {
    let mut reader = Reader::new(LIMITS, HOUR, Duration::ZERO);
    reader.next(&mut world.connect(), generation, session.position()).unwrap()
}

/// Publishes everything that is committed.
fn catch_up(world: &World, generation: i64, session: &mut Session) {
    loop {
        let batch = next(world, generation, session);
        if batch.is_empty() {
            return;
        }
        assert!(batch.alerts.len() <= 50 && batch.dead_letters.len() <= 50 && batch.windows.len() <= 50);
        session.prepare(&batch).unwrap();
        session.commit(batch, PATIENCE).unwrap();
    }
}

fn is_fenced(error: &PublisherError) -> bool {
    matches!(error, PublisherError::Transaction(TransactionError::Fenced { .. })) && !error.is_retryable()
}

/// Without it a new name publishes everything once more.
#[test]
fn a_new_name_goes_on_from_where_it_is_told_to() {
    let mut world = World::start("named");
    let generation = take_lease(&world.config);
    world.filler.fill(100, 10);
    catch_up(&world, generation, &mut open(&world));
    world.config.publisher.transactional_id += ".new";
    let standing = Standing::look(&world.config, &mut world.connect()).unwrap();
    assert_eq!((standing.committed.alert_number, standing.published.alert_number), (100, 0));
    reset(&world.config, standing.record(Target::Now).unwrap()).unwrap();
    world.filler.fill(20, 5);
    catch_up(&world, generation, &mut open(&world));
    let standing = Standing::look(&world.config, &mut world.connect()).unwrap();
    assert_eq!((standing.published.alert_number, standing.published.dead_letter_number), (120, 15));
    world.check();
}

/// The position would be looked for in the first one, and everything published once more.
#[test]
fn a_progress_topic_of_several_partitions_is_refused() {
    let mut world = World::start("several");
    world.config.topics.progress += ".several";
    world.kafka.create_topic(&world.config.topics.progress, 3, &[]).unwrap();
    for refused in [
        create_topics(&world.config).unwrap_err().to_string(),
        Session::open(&world.config, TRANSACTION_TIMEOUT).err().unwrap().to_string(),
        record::latest(&world.config, PATIENCE).unwrap_err().to_string(),
    ] {
        assert!(refused.contains("has 3 partitions and must have one"), "{refused}");
    }
}

#[test]
fn a_publisher_may_end_at_each_line() {
    let mut world = World::start("lines");
    let generation = take_lease(&world.config);
    let mut session = open(&world);
    for end in ["before", "prepared", "fenced while prepared", "committed", "fenced after"] {
        world.filler.fill(120, 30);
        let batch = next(&world, generation, &session);
        assert!(batch.has_more && !batch.is_empty());
        match end {
            "before" => {}
            "prepared" => session.prepare(&batch).unwrap(),
            "committed" => {
                session.prepare(&batch).unwrap();
                session.commit(batch, PATIENCE).unwrap();
            }
            "fenced while prepared" => {
                session.prepare(&batch).unwrap();
                let mut newer = open(&world);
                assert_eq!(newer.position().progress, session.position().progress);
                newer.prepare(&batch).unwrap();
                assert!(is_fenced(&session.commit(batch.clone(), PATIENCE).unwrap_err()));
                newer.commit(batch, PATIENCE).unwrap();
                session = newer;
            }
            _ => {
                let mut newer = open(&world);
                catch_up(&world, generation, &mut newer);
                // Kafka may tell only at the commit.
                let outcome = session.prepare(&batch).and_then(|()| session.commit(batch, PATIENCE));
                assert!(is_fenced(&outcome.unwrap_err()));
                world.filler.fill(10, 0);
            }
        }
        drop(session);
        session = open(&world);
        catch_up(&world, generation, &mut session);
        world.check();
    }
}

#[test]
fn the_progress_record_is_found_behind_those_of_others() {
    let mut world = World::start("others");
    let generation = take_lease(&world.config);
    let mut session = open(&world);
    assert_eq!(session.position().progress.alert_number, 0);
    world.filler.fill(10, 1);
    catch_up(&world, generation, &mut session);
    let others: String =
        (0..3_000).map(|number| format!("another\t{{\"alert_number\": {number}}}\n")).collect();
    world.kafka.write(&world.config.topics.progress, None, others).unwrap();
    assert_eq!(open(&world).position().progress, session.position().progress);
    assert_eq!(session.position().progress.alert_number, 10);
}

#[test]
fn a_commit_in_doubt_took_effect_or_did_not() {
    let mut world = World::start("doubt");
    let generation = take_lease(&world.config);
    let mut session = open(&world);
    let (mut doubts, mut took_effect) = (0, 0);
    for milliseconds in (0..8).cycle().take(24) {
        world.filler.fill(20, 2);
        let batch = next(&world, generation, &session);
        let (before, after) = (session.position().progress.clone(), batch.after.progress.clone());
        session.prepare(&batch).unwrap();
        // Gone before Kafka has answered, perhaps before it has been asked.
        let in_doubt = session.commit(batch, Duration::from_millis(milliseconds)).is_err_and(|error| {
            assert!(error.is_retryable(), "{error}");
            true
        });
        drop(session);
        session = open(&world);
        let found = &session.position().progress;
        assert!(*found == after || (in_doubt && *found == before), "{found:?}");
        doubts += i32::from(in_doubt);
        took_effect += i32::from(in_doubt && *found == after);
        catch_up(&world, generation, &mut session);
    }
    println!("{took_effect} of {doubts} commits in doubt took effect");
    world.check();
}

#[test]
fn a_broker_killed_with_an_open_transaction_aborts_it() {
    let mut world = World::start("broker");
    let generation = take_lease(&world.config);
    let mut session = open(&world);
    world.filler.fill(60, 5);
    let batch = next(&world, generation, &session);
    session.prepare(&batch).unwrap();
    world.kafka.kill().unwrap();
    let error = session.commit(batch, Duration::from_secs(1)).unwrap_err();
    assert!(error.is_retryable(), "{error}");
    drop(session);
    world.kafka.restart().unwrap();
    let mut session = open(&world);
    assert_eq!(session.position().progress.alert_number, 0);
    catch_up(&world, generation, &mut session);
    world.check();
}

/// No client is notified that an open transaction has timed out: waits until the last stable offset moves.
fn wait_until_decided(world: &World, topic: &str) {
    let end = |isolation: &str| {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", world.kafka.brokers()).set("group.id", "tests");
        let consumer: BaseConsumer = config.set("isolation.level", isolation).create().unwrap();
        consumer.fetch_watermarks(topic, 0, Duration::from_secs(10)).unwrap().1
    };
    while end("read_committed") < end("read_uncommitted") {
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_transaction_that_timed_out_is_no_newer_publisher() {
    let mut world = World::start("timeout");
    let generation = take_lease(&world.config);
    let mut session = Session::open(&world.config, Duration::from_secs(2)).unwrap();
    world.filler.fill(10, 3);
    let batch = next(&world, generation, &session);
    session.prepare(&batch).unwrap();
    wait_until_decided(&world, &world.config.topics.progress);
    let error = session.commit(batch, PATIENCE).unwrap_err();
    println!("{error}");
    assert!(error.is_retryable(), "{error}");
    drop(session);
    let mut session = open(&world);
    catch_up(&world, generation, &mut session);
    world.check();
}
