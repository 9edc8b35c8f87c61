//! `streamflow maintain`: what is old goes and nothing else, whoever else is at work.

use crate::command::{self, Running};
use crate::parts::Parts;
use crate::traffic::DISTURBED;
use postgres::Client;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaSettings, Message, TransactionalProducer};
use streamflow_connectors::postgres::{PostgresSettings, connect};

/// After this it is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);
const WITHIN: Duration = Duration::from_secs(30);

/// The pipeline has ended, or the machine is busy: it need not be fresh.
const STALE: [&str; 4] = ["--warn-behind", "1e9", "--fail-behind", "1e9"];

/// Servers, schema, and `keeper`, who may do nothing but this.
fn start(name: &str) -> Parts {
    start_with(name, &json!({}))
}

/// As [`start`], with `more` in the configuration.
pub fn start_with(name: &str, more: &Value) -> Parts {
    let parts = Parts::start(name, 2, more);
    parts.connect().batch_execute("CREATE ROLE keeper LOGIN IN ROLE streamflow_maintainer").unwrap();
    parts
}

/// What it printed, on both streams, and its exit code.
pub fn maintain(parts: &Parts, options: &[&str]) -> (String, i32) {
    let mut maintain = as_keeper(parts, options);
    let code = maintain.wait().code().unwrap();
    (maintain.printed(), code)
}

/// In a time zone whose days are others than UTC's most of the time.
fn as_keeper(parts: &Parts, options: &[&str]) -> Running {
    let options = [&["--set", "postgres.user=keeper"], options].concat();
    parts.command_with("maintain", &options, Some(("TZ", "Pacific/Kiritimati".to_owned())))
}

/// The lines that say that something was, or would be, removed.
pub fn removals(printed: &str) -> Vec<&str> {
    printed.lines().filter(|line| line.contains("dropped") || line.contains("deleted")).collect()
}

pub fn set_watermark(client: &mut Client, at: &str) {
    client.execute("UPDATE streamflow.progress SET watermark = $1::text::timestamptz", &[&at]).unwrap();
}

/// Partitions for days, with an event at the first and one at the last instant of each.
fn add_days(client: &mut Client, days: &[&str]) {
    for day in days {
        let sql = format!(
            "SELECT bronze.create_partitions('{day}', '{day}'); \
             INSERT INTO bronze.raw_transactions SELECT at, at, 0, 1, 0, 't', '{{}}' FROM unnest(ARRAY[ \
                 timestamptz '{day}T00:00:00Z', timestamptz '{day}T23:59:59.999999Z']) AS at"
        );
        client.batch_execute(&sql).unwrap();
    }
}

/// The days of which there are events, and how many.
fn days(client: &mut Client) -> Vec<String> {
    let sql = "SELECT (ingested_at AT TIME ZONE 'UTC')::date || ' ' || count(*) || ' ' || tableoid::regclass \
         FROM bronze.raw_transactions GROUP BY (ingested_at AT TIME ZONE 'UTC')::date, tableoid ORDER BY 1";
    let rows = client.query(sql, &[]).unwrap();
    rows.iter().map(|row| row.get::<_, String>(0).replace("bronze.raw_transactions_", "")).collect()
}

pub fn count(client: &mut Client, table: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).unwrap().get(0)
}

#[test]
fn days_go_when_their_last_instant_is_old_enough_by_utc() {
    let parts = start("days");
    let mut client = parts.connect();
    let name = parts.postgres.settings().database;
    client.batch_execute(&format!("ALTER DATABASE {name} SET timezone = 'America/Sao_Paulo'")).unwrap();
    add_days(&mut client, &["2025-05-29", "2025-05-30", "2025-05-31", "2025-06-01", "2025-06-02"]);
    let loose = "INSERT INTO bronze.raw_transactions SELECT at, at, 0, 1, 0, 't', '{}' FROM unnest(ARRAY[ \
         timestamptz '2025-05-28T23:59:59Z', '2025-06-03T00:00:00Z']) AS at";
    client.batch_execute(loose).unwrap();

    let (printed, code) = maintain(&parts, &[]);
    assert_eq!((removals(&printed), code), (vec![], 0), "nothing is old without a watermark: {printed}");

    // 29, 30 and 31 days before are 2025-06-01, 2025-05-31 and 2025-05-30.
    set_watermark(&mut client, "2025-06-30T23:59:59.999999Z");
    let (printed, code) = maintain(&parts, &[]);
    assert_eq!(code, 0, "{printed}");
    let first_words: Vec<_> =
        removals(&printed).iter().map(|line| line.split(", ").next().unwrap()).collect();
    assert_eq!(
        first_words,
        [
            "dropped bronze.raw_transactions_20250529: 1 partition",
            "dropped bronze.raw_transactions_20250530: 1 partition",
            "deleted bronze.raw_transactions_default: 1 rows before 2025-05-31T23:59:59Z",
        ]
    );
    assert_eq!(
        days(&mut client),
        ["2025-05-31 2 20250531", "2025-06-01 2 20250601", "2025-06-02 2 20250602", "2025-06-03 1 default"]
    );

    set_watermark(&mut client, "2025-07-01T00:00:00Z");
    let (printed, code) = maintain(&parts, &[]);
    assert_eq!((removals(&printed).len(), code), (1, 0), "{printed}");
    assert_eq!(days(&mut client)[0], "2025-06-01 2 20250601", "a day of 30 days ago to the instant stays");
    let kept = "SELECT streamflow.kept_from('bronze.raw_transactions') = timestamptz '2025-06-01T00:00:00Z'";
    assert!(client.query_one(kept, &[]).unwrap().get::<_, bool>(0));

    // One that was taken out, but not dropped, before a run was interrupted.
    let out = "ALTER TABLE bronze.raw_transactions DETACH PARTITION bronze.raw_transactions_20250601";
    client.batch_execute(out).unwrap();
    set_watermark(&mut client, "2025-07-02T00:00:00Z");
    let (printed, code) = maintain(&parts, &["--set", "maintenance.raw_transactions_days=30"]);
    assert_eq!((removals(&printed).len(), code), (1, 0), "{printed}");
    let there = "SELECT to_regclass('bronze.raw_transactions_20250601') IS NULL";
    assert!(client.query_one(there, &[]).unwrap().get::<_, bool>(0));
}

/// All that a run could change: tables of bronze, rows, the record of removals, statistics.
fn state(client: &mut Client) -> String {
    let sql = "SELECT concat_ws(' | ', \
         (SELECT string_agg(relname || relispartition, ',' ORDER BY relname) FROM pg_class \
             WHERE relnamespace = 'bronze'::regnamespace), \
         (SELECT count(*) FROM bronze.raw_transactions), (SELECT count(*) FROM bronze.raw_fraud_alerts), \
         (SELECT count(*) FROM gold.fraud_alert_history), (SELECT count(*) FROM silver.quality_counts), \
         (SELECT json_agg(r) FROM streamflow.retention AS r), \
         (SELECT count(last_analyze) FROM pg_stat_user_tables))";
    client.query_one(sql, &[]).unwrap().get(0)
}

/// Alert changes 1 to 6, of which the first four are old, and what they came to; old and young counts.
fn add_alerts(client: &mut Client) {
    client
        .batch_execute(
            "INSERT INTO bronze.raw_fraud_alerts \
             SELECT n, 'a' || n, 1, 'raised', 'transaction', 't' || n, 'c', 0.7, \
                 timestamptz '2025-06-30T00:00:00Z' - CASE WHEN n <= 4 THEN interval '91 days' ELSE interval '89 days' END, \
                 json_build_object('transaction_id', 't' || n, 'sequence', 1) FROM generate_series(1, 6) AS n; \
             INSERT INTO gold.fraud_alert_history \
             SELECT alert_id, 1, transaction_id, detected_at, NULL, CASE WHEN number = 1 THEN detected_at END, \
                 '{transaction}', 0.7, '{FR-001}' FROM bronze.raw_fraud_alerts; \
             INSERT INTO silver.transactions (transaction_at, amount_cents, source_offset, revision, customer_key, \
                 store_key, date_key, topic_key, source_partition, score_thousandths, is_fraud, voided, currency, transaction_id) \
             VALUES ('2025-06-29T00:00:00Z', 1, 0, 0, 1, 1, 20250629, 1, 0, 700, true, false, 'BRL', 't3'); \
             INSERT INTO silver.quality_counts SELECT at, 'read', 1, at FROM unnest(ARRAY[ \
                 timestamptz '2025-06-22T23:45:00Z', '2025-06-23T00:00:00Z']) AS at; \
             UPDATE streamflow.progress SET alert_changes = 6, watermark = '2025-06-30T00:00:00Z'",
        )
        .unwrap();
}

/// What the publisher writes once alert changes up to `number` are in Kafka.
fn publish(parts: &Parts, number: i64) {
    let value =
        json!({"alert_number": number, "dead_letter_number": 0, "metrics": {"frontier": 0, "window": null}});
    let settings = KafkaSettings::plaintext(parts.kafka.brokers());
    let producer = TransactionalProducer::open(&settings, &parts.topic("as-publisher"), WITHIN).unwrap();
    producer.fence(WITHIN).unwrap();
    producer.begin().unwrap();
    let key = parts.topic("publisher").into_bytes();
    let message = Message { key, value: Some(value.to_string().into_bytes()), headers: Vec::new() };
    producer.send(&parts.topic("progress"), &message, WITHIN).unwrap();
    producer.commit(WITHIN).unwrap();
}

fn numbers(client: &mut Client) -> Vec<i64> {
    let rows = client.query("SELECT number FROM bronze.raw_fraud_alerts ORDER BY 1", &[]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[test]
fn what_is_unpublished_or_can_still_change_stays() {
    let parts = start("alerts");
    let mut client = parts.connect();
    add_days(&mut client, &["2025-05-01"]);
    add_alerts(&mut client);

    let before = state(&mut client);
    let (printed, code) = maintain(&parts, &["--dry-run"]);
    assert_eq!((state(&mut client), code), (before, 1), "{printed}");
    assert_eq!(removals(&printed).len(), 3, "{printed}");
    assert!(removals(&printed).iter().all(|line| line.starts_with("would be ")), "{printed}");

    let (printed, code) = maintain(&parts, &[]);
    assert!(printed.contains("dropped bronze.raw_transactions_20250501: 1 partition"), "{printed}");
    assert!(
        printed.contains("deleted gold.fraud_alert_history: 3 rows before 2025-04-01T00:00:00Z"),
        "{printed}"
    );
    assert!(
        printed.contains("deleted silver.quality_counts: 1 rows before 2025-06-23T00:00:00Z"),
        "{printed}"
    );
    assert!(
        printed.contains("left for the next run: rows of bronze.raw_fraud_alerts after number 0"),
        "{printed}"
    );
    assert_eq!((numbers(&mut client), code), (vec![1, 2, 3, 4, 5, 6], 1), "nothing is published");
    let kept = client.query("SELECT transaction_id FROM gold.fraud_alert_history ORDER BY 1", &[]).unwrap();
    let kept: Vec<String> = kept.iter().map(|row| row.get(0)).collect();
    assert_eq!(kept, ["t3", "t5", "t6"], "the transaction of t3 is young");

    parts.kafka.create_topic(&parts.topic("progress"), 1, &[("cleanup.policy", "compact")]).unwrap();
    publish(&parts, 3);
    let (printed, code) = maintain(&parts, &[]);
    assert_eq!((numbers(&mut client), code), (vec![4, 5, 6], 1), "{printed}");
    publish(&parts, 6);
    let (printed, code) = maintain(&parts, &[]);
    assert_eq!((numbers(&mut client), code), (vec![5, 6], 0), "{printed}");
    set_watermark(&mut client, "2025-07-30T00:00:00Z");
    let (printed, code) = maintain(&parts, &[]);
    assert_eq!(
        (numbers(&mut client), code),
        (vec![6], 0),
        "the last one says how far numbers are: {printed}"
    );
    let (printed, code) = maintain(&parts, &[]);
    assert_eq!((removals(&printed), code), (vec![], 0), "twice is once: {printed}");
    assert!(printed.contains("analyzed "), "{printed}");
    set_watermark(&mut client, "2125-01-01T00:00:00Z");
    let (printed, _) = maintain(&parts, &["--set", "kafka.brokers=[127.0.0.1:1]"]);
    assert_eq!(
        count(&mut client, "gold.fraud_alert_history"),
        0,
        "ages are those of the clock then: {printed}"
    );
}

#[test]
fn no_two_are_at_work_and_none_on_another_schema() {
    let parts = start("single");
    let mut client = parts.connect();
    client.batch_execute("SELECT pg_advisory_lock(x'5354524d41494e54'::bit(64)::int8)").unwrap();
    assert_eq!(maintain(&parts, &[]), ("another maintenance is at work: nothing done\n".to_owned(), 0));
    client.batch_execute("SELECT pg_advisory_unlock_all()").unwrap();
    client.batch_execute("DELETE FROM streamflow.schema_migrations WHERE number >= 13").unwrap();
    let (printed, code) = maintain(&parts, &[]);
    assert!(printed.contains("lacks migration 013_maintenance: run streamflow migrate"), "{printed}");
    assert_eq!((printed.lines().count(), code), (1, 1));
}

#[test]
fn beside_a_pipeline_under_load_and_a_long_reader_it_gives_way() {
    let parts = start("beside");
    let mut client = parts.connect();
    let mut run = parts.run();
    let rates = DISTURBED.iter().flat_map(|rate| ["--set", *rate]);
    let dense = ["--rate", "300", "--customers", "1000", "--seed", "5"];
    let options: Vec<&str> = dense.into_iter().chain(rates).collect();
    let mut generate = parts.command("generate", &options);
    wait_for_more(&mut client, &mut run, 500);

    let today = chrono::Utc::now().date_naive();
    let old: Vec<String> = (40..45).map(|days| (today - chrono::Days::new(days)).to_string()).collect();
    add_days(&mut client, &old.iter().map(String::as_str).collect::<Vec<_>>());
    let mut reader = parts.connect();
    let mut reading = reader.transaction().unwrap();
    reading
        .execute("SELECT FROM bronze.raw_transactions WHERE ingested_at < now() - interval '1 day'", &[])
        .unwrap();
    let before = read(&mut client);
    let (printed, code) = maintain(&parts, &[]);
    let after = read(&mut client);
    assert_eq!(code, 1, "{printed}");
    assert!(after.frontier > before.frontier && after.events > before.events, "it waited, commits did not");
    assert!(printed.contains("is in use: end long readers") && removals(&printed).is_empty(), "{printed}");
    drop(reading);

    for round in 0..5 {
        let (printed, code) = maintain(&parts, &[]);
        assert_eq!((removals(&printed).len(), code), (if round == 0 { 5 } else { 0 }, 0), "{printed}");
        wait_for_more(&mut client, &mut run, 100);
    }
    generate.terminate();
    let sql = "SELECT sum(events) = (SELECT count(*) FROM bronze.dead_letters) + (SELECT count(*) FROM bronze.raw_transactions) \
         FROM streamflow.books WHERE account NOT IN ('read', 'reference')";
    assert!(client.query_one(sql, &[]).unwrap().get::<_, bool>(0));
    assert!(run.terminate().success(), "{}", run.printed());
    // What was dropped were no events of this pipeline, so silver can still be verified against bronze.
    client.batch_execute("TRUNCATE streamflow.retention").unwrap();
    assert_verified(&parts, &["--from-bronze"], "");

    forget_events(&parts, &mut client);
    let mut again = parts.run();
    wait_for_more(&mut client, &mut again, 0);
    assert!(again.terminate().success(), "{}", again.printed());
    assert_verified(&parts, &[], "fewer rows: maintenance has dropped old days");
}

/// Half of the events, and old counts, are of another month now: they go, and nobody misses them.
fn forget_events(parts: &Parts, client: &mut Client) {
    client
        .batch_execute(
            "UPDATE bronze.raw_transactions SET ingested_at = ingested_at - interval '40 days' WHERE source_offset < 200; \
             INSERT INTO silver.quality_counts SELECT window_start - interval '10 days', measure, events, changed_at \
             FROM silver.quality_counts",
        )
        .unwrap();
    let (printed, code) = maintain(parts, &[]);
    assert_eq!((removals(&printed).len(), code), (2, 0), "{printed}");
}

/// How far the pipeline is.
struct Committed {
    frontier: i64,
    events: i64,
    has_watermark: bool,
}

fn read(client: &mut Client) -> Committed {
    let sql = "SELECT frontier, coalesce((SELECT sum(events) FROM streamflow.books WHERE account = 'read'), 0)::int8, \
         watermark IS NOT NULL FROM streamflow.progress";
    let row = client.query_one(sql, &[]).unwrap();
    Committed { frontier: row.get(0), events: row.get(1), has_watermark: row.get(2) }
}

/// Waits until so many more events are committed and there is a watermark, without which nothing is old: the first
/// events may all be of reference topics.
fn wait_for_more(client: &mut Client, run: &mut Running, more: i64) {
    let (before, begun) = (read(client), Instant::now());
    loop {
        let now = read(client);
        if now.has_watermark && now.frontier > before.frontier && now.events >= before.events + more {
            return;
        }
        run.keep_waiting(begun, PATIENCE, "more is committed");
    }
}

/// Every check passes, or warns, and one of them says `words`.
pub fn assert_verified(parts: &Parts, options: &[&str], words: &str) {
    let (checks, code) = verify(parts, options);
    assert_eq!(code, 0, "{checks:#}");
    assert!(checks.to_string().contains(words), "{checks:#}");
}

/// What `verify` finds, and its exit code.
pub fn verify(parts: &Parts, options: &[&str]) -> (Value, i32) {
    let config = parts.config();
    let mut arguments = vec!["verify", "--config", config.to_str().unwrap(), "--format", "json"];
    arguments.extend(STALE);
    arguments.extend(options);
    let output = command::output(&arguments);
    (serde_json::from_slice(&output.stdout).unwrap(), output.status.code().unwrap())
}

#[test]
fn the_role_removes_nothing_that_is_not_old() {
    let parts = start("keeper");
    let mut owner = parts.connect();
    add_days(&mut owner, &["2025-06-29"]);
    add_alerts(&mut owner);
    let settings = PostgresSettings { user: "keeper".to_owned(), ..parts.postgres.settings() };
    let mut keeper = connect(&settings).unwrap();
    let before = state(&mut owner);
    for (sql, code) in [
        ("SELECT streamflow.detach_partition('raw_transactions_20250629', '2025-06-30')", "22023"),
        ("SELECT streamflow.detach_partition('raw_transactions_20250629', NULL)", "22023"),
        ("SELECT streamflow.drop_partition('raw_transactions_20250629', 'infinity')", "22023"),
        ("SELECT streamflow.delete_old_rows('gold.fraud_alert_history', '2025-06-30', 0, 9)", "22023"),
        ("SELECT streamflow.delete_old_rows('bronze.dead_letters', '2025-06-30', 9, 9)", "22023"),
        ("SELECT streamflow.delete_old_rows('silver.transactions', '2025-06-01', 0, 9)", "22023"),
        ("SELECT streamflow.delete_old_rows('silver.customers', '2025-05-01', 0, 9)", "22023"),
        ("SELECT streamflow.delete_old_transactions('2025-06-01', 0, 9)", "22023"),
        ("SELECT streamflow.delete_old_transactions(NULL, 0, 9)", "22023"),
        ("SELECT streamflow.delete_dead_letters('true', 9)", "42501"),
        ("UPDATE streamflow.removed_transactions SET alert_count = 0", "42501"),
        ("SELECT streamflow.count_old_rows('pg_authid', '2025-06-01', 0)", "22023"),
        ("SELECT streamflow.analyze_table('pg_authid')", "22023"),
        ("SELECT streamflow.note_removal('silver.transactions', 'infinity')", "42501"),
        ("DELETE FROM bronze.raw_fraud_alerts", "42501"),
    ] {
        let error = keeper.batch_execute(sql).unwrap_err();
        assert_eq!(error.code().unwrap().code(), code, "{sql}: {error}");
    }
    // No old partition of that name: nothing happens.
    for name in ["raw_transactions_20250629", "raw_transactions_default", "raw_fraud_alerts", "dead_letters"]
    {
        let sql = "SELECT streamflow.detach_partition($1, '2025-06-01'), streamflow.drop_partition($1, '2025-06-01')";
        keeper.execute(sql, &[&name]).unwrap();
    }
    assert_eq!(state(&mut owner), before);
}
