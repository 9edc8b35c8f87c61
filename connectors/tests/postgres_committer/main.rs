//! The group-commit thread against a real server, through its crashes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod proxy;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::{Client, Transaction};
use proxy::{Fault, Proxy};
use streamflow_connectors::postgres::committer::Commit;
use streamflow_connectors::postgres::{
    Batch, Committer, CommitterOptions, CopyRows, Fields, Notice, PostgresError, PostgresSettings,
    PrivateOptions, PrivatePostgres, Writer, Written, connect,
};

const COPY: &str = "COPY events (id, key) FROM STDIN (FORMAT binary)";

/// Event ids; the writer gives each a dense key, which must survive rollbacks without a gap.
struct Events(Vec<i64>);

impl Batch for Events {
    fn merge(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    fn weight(&self) -> usize {
        self.0.len()
    }
}

#[derive(Default)]
struct EventWriter {
    next_key: i64,
    assigned: i64,
    /// Fails the write of a batch that holds this id, by a statement the server refuses.
    poison: Option<i64>,
    /// Breaks the connection in the middle of this many writes.
    breaks: u32,
}

impl Writer for EventWriter {
    type Batch = Events;

    fn on_connect(&mut self, client: &mut Client) -> Result<(), PostgresError> {
        let sql = "UPDATE progress SET generation = generation + 1";
        Ok(client.batch_execute(sql)?)
    }

    fn committed_frontier(&mut self, client: &mut Client) -> Result<u64, PostgresError> {
        let row = client.query_one("SELECT frontier FROM progress FOR UPDATE", &[])?;
        Ok(row.try_get::<_, i64>(0)? as u64)
    }

    fn write(
        &mut self,
        transaction: &mut Transaction<'_>,
        frontier: u64,
        batch: &Events,
    ) -> Result<Written, PostgresError> {
        self.assigned = batch.0.len() as i64;
        let mut rows = CopyRows::new(2);
        for (key, id) in (self.next_key..).zip(&batch.0) {
            rows.begin();
            rows.int8(*id);
            rows.int8(key);
        }
        let mut written = Written::default();
        written.add("events", rows.finish_into(transaction, COPY)?);
        if self.poison.is_some_and(|id| batch.0.contains(&id)) {
            transaction.batch_execute("SELECT 1 / 0")?;
        }
        if self.breaks > 0 {
            self.breaks -= 1;
            transaction.batch_execute("SELECT pg_terminate_backend(pg_backend_pid())")?;
        }
        let sql = "UPDATE progress SET frontier = $1";
        transaction.execute(sql, &[&(frontier as i64)])?;
        Ok(written)
    }

    fn committed(&mut self) {
        self.next_key += self.assigned;
        self.assigned = 0;
    }

    fn rolled_back(&mut self) {
        self.assigned = 0;
    }
}

fn server(durable: bool) -> PrivatePostgres {
    let server = PrivatePostgres::start(&PrivateOptions { durable, ..PrivateOptions::default() }).unwrap();
    connect(&server.settings())
        .unwrap()
        .batch_execute(
            "CREATE TABLE events (id int8, key int8);
             CREATE TABLE progress (frontier int8, generation int8);
             INSERT INTO progress VALUES (0, 0)",
        )
        .unwrap();
    server
}

fn start(settings: PostgresSettings, writer: EventWriter) -> Committer<Events> {
    Committer::start(settings, CommitterOptions::default(), 0, writer, |_| {}).unwrap()
}

/// Ids and keys are exactly 0, 1, ... `count` - 1: nothing lost, nothing twice, no key wasted.
fn assert_exactly(settings: &PostgresSettings, count: i64) {
    let sql = "SELECT count(*), count(DISTINCT id), count(DISTINCT key), max(id), max(key) FROM events";
    let row = connect(settings).unwrap().query_one(sql, &[]).unwrap();
    let found: Vec<i64> = (0..5).map(|column| row.get(column)).collect();
    assert_eq!(found, [count, count, count, count - 1, count - 1]);
}

#[test]
fn many_small_batches_share_transactions() {
    let server = server(true);
    let commits = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&commits);
    let notify = move |notice: Notice<'_>| match notice {
        Notice::Committed(commit) => seen.lock().unwrap().push(Commit::clone(commit)),
        Notice::Failed(error) => panic!("{error}"),
    };
    let writer = EventWriter::default();
    let options = CommitterOptions::default();
    let committer = Committer::start(server.settings(), options, 0, writer, notify).unwrap();
    let durable = committer.durable();
    let started = Instant::now();
    for frontier in 1..=1_000 {
        let first = (frontier as i64 - 1) * 10;
        committer.submit(frontier, Events((first..first + 10).collect())).unwrap();
        sleep(Duration::from_micros(50));
    }
    let error = committer.submit(1_000, Events(Vec::new())).unwrap_err();
    assert!(matches!(error, PostgresError::FrontierOrder { .. }));
    while durable.load(Ordering::Acquire) < 1_000 {
        sleep(Duration::from_millis(1));
    }
    let took = started.elapsed();
    let statistics = committer.statistics();
    assert_eq!(committer.close().unwrap(), 1_000);
    println!("1,000 batches in {} transactions, {took:?}", statistics.commits);
    assert!(statistics.commits < 500, "{statistics:?}");
    assert_eq!((statistics.batches, statistics.queued_batches), (1_000, 0));
    assert_eq!(statistics.rows["events"], 10_000);
    let commits = commits.lock().unwrap();
    assert_eq!(commits.len() as u64, statistics.commits);
    assert!(commits.windows(2).all(|pair| pair[0].frontier < pair[1].frontier));
    assert_exactly(&server.settings(), 10_000);
}

#[test]
fn merging_stops_at_the_weight_limit() {
    let server = server(false);
    let options = CommitterOptions { max_weight: 100, ..CommitterOptions::default() };
    let largest = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&largest);
    let notify = move |notice: Notice<'_>| {
        if let Notice::Committed(commit) = notice {
            seen.fetch_max(commit.written.rows[0].1, Ordering::Relaxed);
        }
    };
    let writer = EventWriter::default();
    let committer = Committer::start(server.settings(), options, 0, writer, notify).unwrap();
    for frontier in 1..=1_000 {
        let id = frontier as i64 - 1;
        committer.submit(frontier, Events(vec![id])).unwrap();
    }
    committer.close().unwrap();
    assert_eq!(largest.load(Ordering::Relaxed), 100);
    assert_exactly(&server.settings(), 1_000);
}

#[test]
fn kill_and_restart_lose_nothing() {
    let mut server = server(true);
    let settings = server.settings();
    let options = CommitterOptions { max_pause: Duration::from_millis(100), ..CommitterOptions::default() };
    let writer = EventWriter::default();
    let committer = Committer::start(settings.clone(), options, 0, writer, |_| {}).unwrap();
    let durable = committer.durable();
    let mut next = 0;
    let mut last_durable = 0;
    for round in 0..6 {
        let until = Instant::now() + Duration::from_millis(400);
        // The kill falls somewhere in the stream of commits, at another moment in each round.
        let kill_at = Instant::now() + Duration::from_millis(100 + 37 * round);
        let mut killed = false;
        while Instant::now() < until {
            committer.submit(next as u64 + 1, Events(vec![next])).unwrap();
            next += 1;
            let now_durable = durable.load(Ordering::Acquire);
            assert!(now_durable >= last_durable, "durable went back");
            last_durable = now_durable;
            if !killed && Instant::now() >= kill_at {
                server.kill().unwrap();
                killed = true;
            }
            sleep(Duration::from_micros(200));
        }
        assert!(committer.failure().is_none());
        server.restart().unwrap();
        let backlog = next as u64;
        while durable.load(Ordering::Acquire) < backlog {
            assert!(committer.failure().is_none(), "{:?}", committer.failure());
            sleep(Duration::from_millis(1));
        }
        last_durable = backlog;
        let stored: i64 =
            connect(&settings).unwrap().query_one("SELECT frontier FROM progress", &[]).unwrap().get(0);
        assert!(stored as u64 >= last_durable, "durable ran ahead");
    }
    let before_close = committer.statistics();
    assert_eq!(committer.close().unwrap(), next as u64);
    println!("{next} batches, {before_close:?}");
    assert!(before_close.connects >= 6);
    assert_exactly(&settings, next);
}

#[test]
fn a_commit_in_doubt_is_resolved_by_the_progress_row() {
    let server = server(true);
    let settings = server.settings();
    let proxy = Proxy::start(&settings);
    let committer = start(proxy.settings(), EventWriter::default());
    let mut next = 0;
    for _ in 0..5 {
        for fault in [Fault::None, Fault::LoseAnswer, Fault::LoseCommit] {
            proxy.inject(fault);
            committer.submit(next as u64 + 1, Events(vec![next])).unwrap();
            next += 1;
            let deadline = Instant::now() + Duration::from_secs(10);
            while committer.durable().load(Ordering::Acquire) < next as u64 {
                assert!(Instant::now() < deadline, "{:?}", committer.failure());
                sleep(Duration::from_millis(1));
            }
        }
    }
    assert_eq!(proxy.injected(), 10);
    let statistics = committer.statistics();
    assert_eq!((statistics.commits, statistics.connects), (15, 11));
    assert_eq!(statistics.rows["events"], 15);
    committer.close().unwrap();
    assert_exactly(&settings, next);
}

#[test]
fn a_connection_broken_in_mid_transaction_is_retried() {
    let server = server(false);
    let writer = EventWriter { breaks: 3, ..EventWriter::default() };
    let committer = start(server.settings(), writer);
    committer.submit(1, Events(vec![0, 1, 2])).unwrap();
    committer.submit(2, Events(vec![3])).unwrap();
    let statistics = {
        while committer.durable().load(Ordering::Acquire) < 2 {
            sleep(Duration::from_millis(1));
        }
        committer.statistics()
    };
    assert_eq!((statistics.retries, statistics.connects), (3, 4));
    committer.close().unwrap();
    assert_exactly(&server.settings(), 4);
}

/// As after a failover, while the address still leads to the old primary.
#[test]
fn a_server_that_is_read_only_is_waited_for() {
    let server = server(false);
    let settings = server.settings();
    let mut owner = connect(&settings).unwrap();
    let committer = start(settings.clone(), EventWriter::default());
    committer.submit(1, Events(vec![0])).unwrap();
    let begun = Instant::now();
    let wait_for = |done: &dyn Fn() -> bool| {
        while !done() {
            assert!(committer.failure().is_none(), "{:?}", committer.failure());
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", committer.statistics());
            sleep(Duration::from_millis(10));
        }
    };
    wait_for(&|| committer.statistics().commits == 1);
    owner
        .batch_execute(
            "ALTER ROLE CURRENT_USER SET default_transaction_read_only = on;
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        )
        .unwrap();
    committer.submit(2, Events(vec![1])).unwrap();
    wait_for(&|| committer.statistics().retries >= 3);
    owner.batch_execute("ALTER ROLE CURRENT_USER RESET default_transaction_read_only").unwrap();
    assert_eq!(committer.close().unwrap(), 2);
    assert_exactly(&settings, 2);
}

#[test]
fn a_fatal_error_surfaces() {
    let server = server(false);
    let notified = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&notified);
    let notify = move |notice: Notice<'_>| {
        let text = match notice {
            Notice::Committed(commit) => format!("committed {}", commit.frontier),
            Notice::Failed(error) => format!("failed {}", error.is_retryable()),
        };
        seen.lock().unwrap().insert(text);
    };
    let writer = EventWriter { poison: Some(7), ..EventWriter::default() };
    let options = CommitterOptions { max_weight: 1, ..CommitterOptions::default() };
    let committer = Committer::start(server.settings(), options, 0, writer, notify).unwrap();
    for id in 0..10 {
        committer.submit(id as u64 + 1, Events(vec![id])).ok();
    }
    while committer.failure().is_none() {
        sleep(Duration::from_millis(1));
    }
    let failure = committer.failure().unwrap();
    println!("{failure}");
    assert_eq!(failure.code().unwrap().code(), "22012");
    assert_eq!(committer.durable().load(Ordering::Acquire), 7);
    committer.submit(20, Events(Vec::new())).unwrap_err();
    committer.close().unwrap_err();
    assert!(notified.lock().unwrap().contains("failed false"));
    assert_exactly(&server.settings(), 7);
}

#[test]
fn a_database_that_moved_fences() {
    let server = server(false);
    let mut client = connect(&server.settings()).unwrap();
    client.batch_execute("UPDATE progress SET frontier = 5").unwrap();
    let committer = start(server.settings(), EventWriter::default());
    while committer.failure().is_none() {
        sleep(Duration::from_millis(1));
    }
    let failure = committer.close().unwrap_err();
    println!("{failure}");
    assert!(matches!(failure, PostgresError::Fenced(_)));
}

#[test]
fn dropping_the_handle_ends_a_waiting_thread() {
    let mut server = server(false);
    let settings = server.settings();
    server.stop().unwrap();
    let ended = Arc::new(());
    let held = Arc::clone(&ended);
    let writer = EventWriter::default();
    let options = CommitterOptions::default();
    let notify = move |_: Notice<'_>| drop(Arc::clone(&held));
    let committer = Committer::start(settings, options, 0, writer, notify).unwrap();
    committer.submit(1, Events(vec![0])).unwrap();
    drop(committer);
    let deadline = Instant::now() + Duration::from_secs(10);
    while Arc::strong_count(&ended) > 1 {
        assert!(Instant::now() < deadline, "the thread still runs");
        sleep(Duration::from_millis(5));
    }
}
