//! `streamflow resubmit`: dead letters become transactions, once; whatever happens in between, the tables are
//! what the events give.

use crate::command::{self, Running};
use crate::consumer::Consumed;
use crate::parts::Parts;
use postgres::Client;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaSettings, Producer};
use streamflow_dataflow::rules::RuleSet;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

const HEADER: &str = "streamflow-resubmission";

/// Events whose amount is wrong.
const INVALID: i64 = 40;

struct World {
    parts: Parts,
    client: Client,
    run: Running,
    directory: tempfile::TempDir,
}

fn event(id: &str, customer: &str, minutes: i64, more: &Value) -> String {
    let at = (chrono::Utc::now() - chrono::Duration::minutes(minutes)).to_rfc3339();
    let mut event = json!({"transaction_id": id, "customer_id": customer, "store_id": "store", "amount": "10.00",
        "timestamp": at});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event.to_string()
}

/// Keys and values of events.
#[derive(Default)]
struct Batch(Vec<(String, Vec<u8>)>);

impl Batch {
    fn keyed(&mut self, key: &str, value: impl AsRef<[u8]>) {
        self.0.push((key.to_owned(), value.as_ref().to_vec()));
    }

    fn events(&self) -> i64 {
        self.0.len() as i64
    }
}

/// Wrong amounts, an event cut off, one that is no UTF-8, one too long, one too late.
fn refused() -> Batch {
    let mut batch = Batch::default();
    for number in 0..INVALID {
        let customer = format!("customer-{}", number % 7);
        let wrong = json!({"amount": "-10.00"});
        batch.keyed(&customer, event(&format!("invalid-{number}"), &customer, 5, &wrong));
    }
    batch.keyed("customer-1", "{\"transaction_id\": \"cut-off\", ");
    batch.keyed("customer-1", b"{\"transaction_id\": \"\xff\"}");
    let long = json!({"note": "x".repeat(70_000)});
    batch.keyed("customer-2", event("long", "customer-2", 5, &long));
    batch.keyed("customer-3", event("late", "customer-3", 90, &json!({})));
    batch
}

impl World {
    fn start() -> Self {
        let parts = Parts::start("resubmitted", 3, &json!({"workers": 2}));
        let (client, run) = (parts.connect(), parts.run());
        Self { parts, client, run, directory: tempfile::tempdir().unwrap() }
    }

    /// As producers of the topic write, which put a key where others do.
    fn write(&self, topic: &str, batch: &Batch) {
        let producer = Producer::open(&KafkaSettings::plaintext(self.parts.kafka.brokers())).unwrap();
        let topic = self.parts.topic(topic);
        for (key, value) in &batch.0 {
            producer.send(&topic, key.as_bytes(), Some(value), None).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn resubmit(&self, options: &[&str]) -> Output {
        let config = self.parts.config();
        let mut arguments = vec!["resubmit", "--config", config.to_str().unwrap()];
        arguments.extend(options);
        command::output(&arguments)
    }

    /// Must end with `code`; returns what was printed, and what was complained of.
    fn told(&self, code: i32, options: &[&str]) -> (String, String) {
        let output = self.resubmit(options);
        let [printed, told] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(output.status.code(), Some(code), "{options:?}: {printed}{told}");
        let complaints = told.lines().filter(|line| line.starts_with("streamflow: "));
        (printed, complaints.collect::<Vec<_>>().join("\n"))
    }

    fn count(&mut self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).unwrap().get(0)
    }

    fn marked(&mut self) -> i64 {
        self.count("SELECT count(*) FROM bronze.dead_letters WHERE resubmitted_at IS NOT NULL")
    }

    fn letters(&mut self) -> i64 {
        self.count("SELECT count(*) FROM bronze.dead_letters")
    }

    /// Waits until all records of the topic are committed; returns them.
    fn settle(&mut self) -> Vec<Consumed> {
        let records = self.parts.consume("transactions");
        let topic = self.parts.topic("transactions");
        let sql = format!(
            "SELECT coalesce((SELECT sum(events) FROM streamflow.books WHERE account = 'read' AND topic = '{topic}'), \
                 0)::int8"
        );
        let begun = Instant::now();
        while self.count(&sql) < records.len() as i64 {
            self.run.keep_waiting(begun, PATIENCE, "all is committed");
        }
        records
    }
}

#[test]
fn dead_letters_become_transactions() {
    let mut world = World::start();
    let batch = refused();
    world.write("transactions", &batch);
    world.write("customers", &Batch(vec![("customer-1".to_owned(), b"[]".to_vec())]));
    world.settle();
    wait_for_letters(&mut world, batch.events() + 1);
    nothing_is_sent(&mut world, batch.events());
    rewritten_events_are_accepted(&mut world);
    what_was_cut_off_needs_a_rewrite(&mut world);
    a_late_event_stays_late(&mut world);
    interrupted_before_the_marks(&mut world);
    world.settle();
    let comparisons = streamflow_verification::all(&mut world.client, &RuleSet::default()).unwrap();
    let differing: Vec<_> = comparisons.iter().filter(|comparison| comparison.differing > 0).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    let config = world.parts.config();
    let table = command::succeed(&["verify", "--config", config.to_str().unwrap()]);
    assert!(table.contains(" 0 failed, 0 could not be made"), "{table}");
}

fn wait_for_letters(world: &mut World, letters: i64) {
    let begun = Instant::now();
    while world.letters() < letters {
        assert!(begun.elapsed() < PATIENCE, "stuck:\n{}", world.run.printed());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A dry run, wrong arguments, and a user without the right.
fn nothing_is_sent(world: &mut World, events: i64) {
    let (printed, complaints) = world.told(1, &["--all", "--dry-run"]);
    assert!(printed.contains(&format!("{INVALID}  invalid_field")), "{printed}");
    assert!(
        printed.ends_with(&format!("{} dead letters would be sent, 2 cannot be\n", events - 1)),
        "{printed}"
    );
    assert!(complaints.contains("only the first 64 KiB are kept; use --rewrite"), "{complaints}");
    assert!(complaints.contains("customers, which is no topic of transactions"), "{complaints}");
    for options in [&[][..], &["--all", "--reason", "too_late"], &["--reason", "bad"], &["--since", "today"]]
    {
        assert_eq!(world.resubmit(options).status.code(), Some(2), "{options:?}");
    }
    let rights = "CREATE ROLE looker LOGIN IN ROLE streamflow_maintainer";
    world.client.batch_execute(rights).unwrap();
    let (_, complaints) = world.told(1, &["--all", "--set", "postgres.user=looker"]);
    assert!(complaints.contains("may not mark dead letters"), "{complaints}");
    let tomorrow = (chrono::Utc::now() + chrono::Duration::days(1)).to_rfc3339();
    let (printed, _) = world.told(0, &["--since", &tomorrow]);
    assert_eq!(printed, "0 dead letters sent, 0 cannot be\n");
    assert_eq!(world.parts.consume("transactions").len() as i64, events);
    assert_eq!(world.marked(), 0);
}

/// Exported, edited, sent with a small page first; each to the partition of its key, with its header.
fn rewritten_events_are_accepted(world: &mut World) {
    let (exported, edited) = (world.path("exported.jsonl"), world.path("edited.jsonl"));
    let exported = exported.to_str().unwrap();
    let (printed, _) = world.told(0, &["--reason", "invalid_field", "--export", exported]);
    assert!(printed.starts_with(&format!("{INVALID} dead letters written")), "{printed}");
    world.told(1, &["--reason", "invalid_field", "--export", exported]);
    let text = std::fs::read_to_string(exported).unwrap();
    std::fs::write(&edited, text.replace("-10.00", "10.00")).unwrap();
    let edited = edited.to_str().unwrap();

    let (printed, _) = world.told(0, &["--rewrite", edited, "--dry-run"]);
    assert!(printed.contains(&format!("{INVALID} dead letters would be sent")), "{printed}");
    let (printed, _) = world.told(1, &["--all", "--rewrite", edited, "--dry-run"]);
    assert!(printed.contains(&format!("{} dead letters would be sent", INVALID + 3)), "{printed}");
    let lock = "SELECT pg_advisory_lock(x'53545252455355'::int8)";
    world.client.batch_execute(lock).unwrap();
    let (_, complaints) = world.told(1, &["--rewrite", edited]);
    assert!(complaints.contains("another `streamflow resubmit` is at work"), "{complaints}");
    world.client.batch_execute("SELECT pg_advisory_unlock_all()").unwrap();
    let (printed, _) = world.told(0, &["--rewrite", edited, "--limit", "3"]);
    assert!(printed.contains("3 dead letters sent") && printed.contains("37 lines of the file"), "{printed}");
    assert_eq!(world.marked(), 3);
    let (printed, _) = world.told(0, &["--rewrite", edited]);
    assert!(printed.contains("37 dead letters sent"), "{printed}");
    assert_eq!(world.marked(), INVALID);
    let (printed, _) = world.told(0, &["--rewrite", edited]);
    assert!(printed.contains("0 dead letters sent"), "{printed}");

    let records = world.settle();
    let accepted =
        "SELECT count(*) FROM gold.fact_transactions WHERE transaction_id LIKE 'invalid-%' AND amount = 10";
    assert_eq!(world.count(accepted), INVALID);
    let again: Vec<&Consumed> = records.iter().filter(|record| !record.headers.is_empty()).collect();
    assert_eq!(again.len() as i64, INVALID);
    for record in again {
        let [(name, id)] = &record.headers[..] else { panic!("{record:?}") };
        assert_eq!(name, HEADER);
        let letter = format!(
            "SELECT payload FROM bronze.dead_letters WHERE id = {} AND source_partition = {} AND key = '{}'",
            std::str::from_utf8(id).unwrap(),
            record.partition,
            std::str::from_utf8(&record.key).unwrap()
        );
        let payload: String = world.client.query_one(&letter, &[]).unwrap().get(0);
        assert_eq!(record.value.as_deref().unwrap(), payload.replace("-10.00", "10.00").as_bytes());
    }
}

fn what_was_cut_off_needs_a_rewrite(world: &mut World) {
    let id = world.count("SELECT id FROM bronze.dead_letters WHERE reason = 'too_large'").to_string();
    let (printed, complaints) = world.told(1, &["--id", &id]);
    assert!(printed.contains("0 dead letters sent, 1 cannot be"), "{printed}");
    assert_eq!(complaints.lines().count(), 1, "{complaints}");
    let file = world.path("long.jsonl");
    let file = file.to_str().unwrap();
    world.told(0, &["--id", &id, "--export", file]);
    let (_, complaints) = world.told(1, &["--id", &id, "--rewrite", file]);
    assert!(complaints.contains("line 1") && complaints.contains("has no payload"), "{complaints}");
    let short: Value = serde_json::from_str(&event("long", "customer-2", 5, &json!({}))).unwrap();
    std::fs::write(file, json!({"id": id.parse::<i64>().unwrap(), "payload": short}).to_string()).unwrap();
    let (printed, _) = world.told(0, &["--id", &id, "--rewrite", file]);
    assert!(printed.contains("1 dead letters sent"), "{printed}");
    world.settle();
    assert_eq!(world.count("SELECT count(*) FROM gold.fact_transactions WHERE transaction_id = 'long'"), 1);
}

/// One that is refused again is another dead letter, and is not sent for ever.
fn a_late_event_stays_late(world: &mut World) {
    let late = "SELECT count(*) FROM bronze.dead_letters WHERE reason = 'too_late'";
    let (printed, _) = world.told(0, &["--reason", "too_late"]);
    assert!(printed.contains("1 dead letters sent"), "{printed}");
    world.settle();
    assert_eq!(world.count(late), 2);
    let unmarked = "SELECT count(*) FROM bronze.dead_letters WHERE reason = 'too_late' AND resubmitted_at IS NULL \
         AND id = (SELECT dead_letters FROM streamflow.progress)";
    assert_eq!(world.count(unmarked), 1, "the new one has a number of its own and no mark");
    let malformed = world.told(1, &["--reason", "malformed_json"]).0;
    assert!(malformed.contains("2 dead letters sent"), "{malformed}");
    let records = world.settle();
    let bytes: Vec<_> = records.iter().filter(|record| !record.headers.is_empty()).collect();
    assert!(bytes.iter().any(|record| record.value.as_deref() == Some(b"{\"transaction_id\": \"\xff\"}")));
}

/// PostgreSQL refuses the marks after Kafka has the events: the next call sends copies, which are duplicates.
fn interrupted_before_the_marks(world: &mut World) {
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'the disk is on fire'; END $$; \
         CREATE TRIGGER refuse BEFORE UPDATE ON bronze.dead_letters EXECUTE FUNCTION refuse()";
    let mut batch = Batch::default();
    for number in 0..5 {
        let wrong = event(&format!("torn-{number}"), "customer-4", 5, &json!({"amount": "0.00"}));
        batch.keyed("customer-4", wrong);
    }
    let before = world.letters();
    world.write("transactions", &batch);
    world.settle();
    wait_for_letters(world, before + 5);
    let file = world.path("torn.jsonl");
    let file = file.to_str().unwrap();
    world.told(0, &["--reason", "invalid_field", "--export", file]);
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, text.replace("0.00", "7.00")).unwrap();
    let marked = world.marked();
    world.client.batch_execute(refuse).unwrap();
    let (_, complaints) = world.told(1, &["--rewrite", file]);
    assert!(complaints.contains("5 dead letters were sent and could not be marked"), "{complaints}");
    world.client.batch_execute("DROP TRIGGER refuse ON bronze.dead_letters").unwrap();
    world.settle();
    assert_eq!(world.marked(), marked);
    let (printed, _) = world.told(0, &["--rewrite", file]);
    assert!(printed.contains("5 dead letters sent"), "{printed}");
    world.settle();
    assert_eq!(world.marked(), marked + 5);
    let duplicates = "SELECT events FROM streamflow.books WHERE account = 'duplicate'";
    assert_eq!(world.count(duplicates), 5);
    let torn =
        "SELECT count(*) FROM gold.fact_transactions WHERE transaction_id LIKE 'torn-%' AND amount = 7";
    assert_eq!(world.count(torn), 5);
}
