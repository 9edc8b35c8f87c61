//! Migrations: once each, in order, by one process at a time, and never silently different.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::thread;
use std::time::Duration;

use streamflow_connectors::postgres::migrate::outstanding;
use streamflow_connectors::postgres::{
    Migration, PostgresError, PostgresSettings, PrivateOptions, PrivatePostgres, connect, migrate,
};

const FIRST: Migration = Migration {
    number: 1,
    name: "tables",
    sql: "CREATE TABLE streamflow.a (x int);\nCREATE TABLE streamflow.b (x int);",
};
const SECOND: Migration =
    Migration { number: 2, name: "slow", sql: "SELECT pg_sleep(0.3); INSERT INTO streamflow.a VALUES (1)" };
const BROKEN: Migration =
    Migration { number: 3, name: "broken", sql: "INSERT INTO streamflow.a VALUES (2);\nSELECT nonsense;" };

fn numbers(settings: &PostgresSettings, migrations: &[Migration]) -> Result<Vec<i32>, PostgresError> {
    let applied = migrate(&mut connect(settings)?, migrations)?;
    Ok(applied.iter().map(|migration| migration.number).collect())
}

fn refusal(settings: &PostgresSettings, migrations: &[Migration]) -> String {
    let error = numbers(settings, migrations).err().unwrap();
    assert!(matches!(error, PostgresError::Migrations(_)), "{error}");
    println!("{error}");
    let text = error.to_string();
    assert!(!text.contains('\n'));
    text
}

#[test]
fn applies_once_and_refuses_what_does_not_fit() {
    let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
    let settings = server.settings();
    let mut client = connect(&settings).unwrap();
    let both = [FIRST, SECOND];
    assert_eq!(outstanding(&mut client, &both).unwrap().len(), 2);
    assert_eq!(numbers(&settings, &[FIRST]).unwrap(), [1]);
    assert_eq!(outstanding(&mut client, &both).unwrap()[0].number, 2);
    assert_eq!(numbers(&settings, &both).unwrap(), [2]);
    assert_eq!(numbers(&settings, &both).unwrap(), [] as [i32; 0]);

    let text = refusal(&settings, &[FIRST, SECOND, BROKEN]);
    assert!(text.contains("003_broken line 2"), "{text}");
    let edited = Migration { sql: "CREATE TABLE streamflow.c (x int)", ..FIRST };
    assert!(refusal(&settings, &[edited, SECOND]).contains("001_tables differs"));
    assert!(refusal(&settings, &[FIRST]).contains("deploy a newer one"));
    assert!(refusal(&settings, &[FIRST, BROKEN]).contains("003_broken found"));
    client.batch_execute("DELETE FROM streamflow.schema_migrations WHERE number = 1").unwrap();
    assert!(refusal(&settings, &both).contains("001_tables is missing"));

    let rows: i64 = client.query_one("SELECT count(*) FROM streamflow.a", &[]).unwrap().get(0);
    assert_eq!(rows, 1, "a failed migration leaves nothing");
}

#[test]
fn two_processes_at_once_apply_once() {
    let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
    let settings = server.settings();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let settings = settings.clone();
            thread::spawn(move || numbers(&settings, &[FIRST, SECOND]).unwrap())
        })
        .collect();
    let mut applied: Vec<i32> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    applied.sort_unstable();
    assert_eq!(applied, [1, 2]);
}

#[test]
fn a_migration_that_waits_for_a_lock_lets_readers_pass() {
    const THIRD: Migration =
        Migration { number: 3, name: "wide", sql: "ALTER TABLE streamflow.a ADD COLUMN y int" };
    let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
    // Far more than a reader may wait, and far less than for the end of the transaction, which is in this test.
    let settings = PostgresSettings { statement_timeout_ms: 60_000, ..server.settings() };
    assert_eq!(numbers(&settings, &[FIRST, SECOND]).unwrap(), [1, 2]);
    let mut holder = connect(&settings).unwrap();
    let mut held = holder.transaction().unwrap();
    held.batch_execute("SELECT * FROM streamflow.a").unwrap();
    let migrating = {
        let settings = settings.clone();
        thread::spawn(move || {
            let mut client = connect(&settings).unwrap();
            migrate(&mut client, &[FIRST, SECOND, THIRD]).unwrap();
            client.query_one("SHOW statement_timeout", &[]).unwrap().get::<_, String>(0)
        })
    };
    let mut reader = connect(&settings).unwrap();
    let queues = "SELECT count(*) FROM pg_locks WHERE relation = 'streamflow.a'::regclass AND NOT granted";
    for _ in 0..2 {
        while reader.query_one(queues, &[]).unwrap().get::<_, i64>(0) == 0 {
            assert!(!migrating.is_finished());
            thread::sleep(Duration::from_millis(10));
        }
        // Queues behind the migration, which is still not done when it has read.
        reader.batch_execute("SELECT * FROM streamflow.a").unwrap();
        assert!(!migrating.is_finished());
    }
    held.commit().unwrap();
    assert_eq!(migrating.join().unwrap(), "1min", "the session is as it was");
    reader.batch_execute("SELECT y FROM streamflow.a").unwrap();
}
