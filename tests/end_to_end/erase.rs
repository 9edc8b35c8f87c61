//! `streamflow erase`: nothing in the database tells any more who a customer was, and every table is still what the
//! events give.

use crate::command::{self, Running};
use crate::parts::Parts;
use chrono::{DateTime, Duration as Span, Utc};
use postgres::Client;
use serde_json::{Value, json};
use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// The pipeline has ended: it need not be fresh.
const STALE: [&str; 5] = ["--from-bronze", "--warn-behind", "1e9", "--fail-behind", "1e9"];

/// Seconds in which events can be late. All are half as old when they are sent.
const HORIZON: i64 = 60;

/// Whom a pair of payments shows to travel impossibly, who is listed, and whom others mention.
const TRAVELLER: &str = "cust-victim-1";
/// Who stays in one place.
const RESIDENT: &str = "cust-victim-2";
/// Whose id stands in many other texts.
const SHORT: &str = "c";
/// Whose id begins as that of another.
const OTHER: &str = "cust-victim-10";

/// What must not be found, as a word.
const PERSONAL: [&str; 7] = [
    TRAVELLER,
    RESIDENT,
    "Maria Souza Lima",
    "maria.souza@example.com",
    "Rita Alves Costa",
    "rita@example.com",
    "Vila dos Anjos",
];

struct World {
    parts: Parts,
    client: Client,
    at: DateTime<Utc>,
}

impl World {
    fn start() -> Self {
        let more = json!({
            "workers": 2, "correction_horizon_seconds": HORIZON, "pipeline": {"idle_allowance_seconds": 5},
        });
        let parts = Parts::start("erase", 2, &more);
        let mut client = parts.connect();
        client.batch_execute("CREATE ROLE eraser LOGIN IN ROLE streamflow_writer").unwrap();
        Self { parts, client, at: Utc::now() - Span::seconds(HORIZON / 2) }
    }

    /// A payment of a customer, some seconds after the first, with further fields.
    fn payment(&self, id: &str, customer: &str, seconds: i64, more: &Value) -> String {
        let mut event = json!({
            "transaction_id": id, "customer_id": customer, "store_id": "store-1", "amount": "10.00",
            "timestamp": (self.at + Span::seconds(seconds)).to_rfc3339(),
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("{customer}\t{event}\n")
    }

    fn write(&self, topic: &str, lines: impl AsRef<[u8]>) {
        self.parts.kafka.write(&self.parts.topic(topic), None, lines).unwrap();
    }

    fn send_dimensions(&self) {
        let customer = |id: &str, name: &str, email: &str| {
            format!(
                "{id}\t{}\n",
                json!({"customer_id": id, "name": name, "email": email, "city": "Vila dos Anjos"})
            )
        };
        let customers = [
            customer(TRAVELLER, "Maria Souza Lima", "maria.souza@example.com"),
            customer(RESIDENT, "Rita Alves Costa", "rita@example.com"),
        ];
        self.write("customers", customers.concat());
        let entry = |kind: &str, id: &str, reason: &str| {
            format!("{kind}:{id}\t{}\n", json!({"entity": kind, "id": id, "reason": reason}))
        };
        let list = [
            entry("customer", TRAVELLER, "Maria Souza Lima does not pay"),
            entry("store", "store-2", &format!("run by {RESIDENT}")),
            entry("store", "store-3", "complaints"),
        ];
        self.write("blacklist", list.concat());
    }

    fn send_payments(&self) {
        let sao_paulo = json!({"latitude": -23.55052, "longitude": -46.63331});
        let manaus = json!({"latitude": -3.11903, "longitude": -60.02173});
        let with = |place: &Value, more: Value| {
            let mut fields = place.as_object().unwrap().clone();
            fields.extend(more.as_object().unwrap().clone());
            Value::Object(fields)
        };
        let first =
            with(&sao_paulo, json!({"email": "maria.souza@example.com", "note": "\0 Maria Souza Lima"}));
        let first = self.payment("a-1", TRAVELLER, 0, &first);
        let escaped = self.payment("a-3", TRAVELLER, 3, &json!({"product_id": "p"}));
        let events = [
            first.clone(),
            first,
            self.payment("a-2", TRAVELLER, 1, &manaus),
            self.payment("a-2", TRAVELLER, 1, &with(&manaus, json!({"amount": "77.00", "revision": 1}))),
            escaped.replace("\"cust-", "\"\\u0063ust-"),
            self.payment("a-3", TRAVELLER, 3, &json!({"voided": true, "revision": 1})),
            self.payment("b-1", RESIDENT, 0, &with(&sao_paulo, json!({"name": "Rita Alves Costa"}))),
            self.payment("b-2", RESIDENT, 1, &with(&sao_paulo, json!({"payment_method": "pix"}))),
            self.payment("c-1", SHORT, 0, &json!({"note": "c", "store_id": "store-3"})),
            self.payment("o-1", OTHER, 0, &json!({"friend": {"of": [TRAVELLER]}, "store_id": "store-2"})),
            self.payment("o-2", OTHER, 1, &json!({"friend": OTHER, "grade": "c", "store_id": "store-3"})),
            // Refused.
            self.payment("a-4", TRAVELLER, 4, &json!({"amount": "0"})),
            self.payment("o-3", OTHER, 4, &json!({"amount": "0", "to": "maria.souza@example.com"})),
            self.payment("o-4", OTHER, 4, &json!({"amount": "0"})),
            format!("{RESIDENT}\tno JSON\n"),
        ];
        self.write("transactions", events.concat());
        self.write("transactions", [TRAVELLER.as_bytes(), b"\tcust-victim-1 \xff\n"].concat());
    }

    fn count(&mut self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).unwrap().get(0)
    }

    /// Waits until all is committed, decided and published.
    fn settle(&mut self, run: &mut Running) {
        self.parts.wait_for_all(run, PATIENCE);
        let begun = Instant::now();
        while self.parts.consume("alerts").len() as i64
            != self.count("SELECT alert_changes FROM streamflow.progress")
            || self.parts.consume("dead_letters").len() as i64
                != self.count("SELECT dead_letters FROM streamflow.progress")
            || self.count("SELECT count(*) FROM streamflow.pending_events") > 0
        {
            run.keep_waiting(begun, PATIENCE, "all is published");
        }
    }

    /// Waits until nothing that was sent can change any more.
    fn await_finality(&mut self, run: &mut Running) {
        let sql = format!(
            "SELECT count(*) FROM streamflow.progress \
             WHERE watermark > (SELECT max(transaction_at) FROM silver.transactions) + interval '{HORIZON} s'"
        );
        let begun = Instant::now();
        while self.count(&sql) == 0 {
            run.keep_waiting(begun, PATIENCE, "all is final");
        }
    }

    /// Runs it as one who may write, and returns what it printed.
    fn erase(&self, options: &[&str], success: bool) -> String {
        let options = [&["--set", "postgres.user=eraser"], options].concat();
        let mut erase = self.parts.command("erase", &options);
        assert_eq!(erase.wait().success(), success, "{}", erase.printed());
        let printed = erase.printed();
        PERSONAL.iter().for_each(|word| assert!(!printed.contains(word), "{printed}"));
        printed
    }

    fn verify(&self) {
        let mut verify = self.parts.command("verify", &STALE);
        assert!(verify.wait().success(), "{}", verify.printed());
    }

    /// All that must be the same afterwards.
    fn facts(&mut self) -> Vec<String> {
        let tables = [
            "gold.fact_transactions",
            "gold.customer_totals",
            "gold.agg_hourly_sales",
            "gold.store_performance",
            "gold.rule_performance",
            "gold.realtime_metrics",
            "gold.fraud_alert_history",
            "streamflow.books",
            "(SELECT transaction_id, customer_key, fraud_score, rules_triggered FROM gold.fact_fraud_alerts)",
            "(SELECT id, reason, full_length, source_offset FROM bronze.dead_letters)",
            "(SELECT source_partition, source_offset, event_time FROM bronze.raw_transactions)",
        ];
        let mut facts = Vec::new();
        for table in tables {
            let sql =
                format!("SELECT coalesce(string_agg(t::text, '; ' ORDER BY t::text), '') FROM {table} AS t");
            facts.push(self.client.query_one(&sql, &[]).unwrap().get(0));
        }
        facts
    }

    /// The words of `PERSONAL` in a plain dump of the database.
    fn found_in_dump(&self) -> Vec<&'static str> {
        let command = self.parts.postgres.psql_command().replacen("psql", "pg_dump", 1);
        let dump = Command::new("sh").args(["-c", &command]).output().unwrap();
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        let text = String::from_utf8(dump.stdout).unwrap();
        assert!(text.contains(OTHER) && text.contains("a-1"), "the dump has no rows");
        let is_word =
            |word: &str| text.match_indices(word).any(|(at, _)| !text[at + word.len()..].starts_with('0'));
        PERSONAL.into_iter().filter(|word| is_word(word)).collect()
    }
}

#[test]
fn nothing_in_the_database_tells_who_it_was() {
    let mut world = World::start();
    world.send_dimensions();
    let mut run = world.parts.run();
    let begun = Instant::now();
    while world.count("SELECT count(*) FROM silver.blacklist") < 3 {
        run.keep_waiting(begun, PATIENCE, "the list is read");
    }
    world.send_payments();
    world.settle(&mut run);
    check_refusals(&mut world);
    world.await_finality(&mut run);
    let customers = ["--customer", TRAVELLER, "--customer", RESIDENT];
    let planned = world.erase(&customers, false);
    assert!(planned.contains("would erase 2 of 2 customers: 9 events"), "{planned}");
    let running = world.erase(&[&customers[..], &["--yes"]].concat(), false);
    assert!(running.contains("a pipeline runs on this database"), "{running}");
    assert!(run.terminate().success(), "{}", run.printed());
    world.verify();
    assert_eq!(world.found_in_dump(), PERSONAL);

    let facts = world.facts();
    check_erasure(&mut world);
    assert_eq!(world.facts(), facts);
    assert_eq!(world.found_in_dump(), [""; 0]);
    world.verify();
    check_rows(&mut world);
    check_resumed(&mut world);
}

/// Nothing that can still change, and nothing that is no id.
fn check_refusals(world: &mut World) {
    let long = ["--set", "correction_horizon_seconds=86400", "--set", "identity_retention_seconds=86400"];
    let unfinished = world.erase(&[&["--customer", TRAVELLER][..], &long].concat(), false);
    let finished_at = (world.at + Span::seconds(3) + Span::days(1)).format("%FT%TZ").to_string();
    let expected = format!(
        "customer 1 has a transaction that is not final: it will be once the watermark is after {finished_at}"
    );
    assert!(unfinished.contains(&expected), "{unfinished}");
    for wrong in [&["--customer", ""][..], &["--customer", "a\nb"], &[]] {
        let config = world.parts.config();
        let output = command::output(&[&["erase", "--config", config.to_str().unwrap()][..], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(world.count("SELECT count(*) FROM streamflow.erasures"), 0);
}

/// By a file that is no argument; nobody's erasure leaves no trace.
fn check_erasure(world: &mut World) {
    let none = world.erase(&["--customer", "nobody-there", "--yes"], true);
    assert!(none.contains("erased 0 of 1 customers"), "{none}");
    assert_eq!(world.count("SELECT count(*) FROM streamflow.erasures"), 0);
    let ids = world.parts.path("ids");
    std::fs::write(&ids, format!("\u{feff}{TRAVELLER}\r\n\n{RESIDENT}\n{SHORT}\n{RESIDENT}")).unwrap();
    let config = world.parts.config();
    let arguments = ["erase", "--config", config.to_str().unwrap(), "--customer-file", "-", "--yes"];
    let arguments = [&arguments[..], &["--set", "postgres.user=eraser"]].concat();
    let printed = command::succeed_with_input(&arguments, File::open(&ids).unwrap());
    let expected = "erased 3 of 3 customers: 10 events rewritten";
    assert!(printed.contains(expected), "{printed}");
}

/// What stays says what it said, without them.
fn check_rows(world: &mut World) {
    let sql = "SELECT count(*) FROM streamflow.erasures AS e \
         JOIN gold.dim_customer AS d ON d.customer_id = e.pseudonym AND d.inferred AND d.name IS NULL";
    assert_eq!(world.count(sql), 3);
    assert_eq!(world.count("SELECT count(*) FROM silver.customers"), 0);
    let letters = "SELECT count(*) FROM bronze.dead_letters WHERE erased_at IS NOT NULL AND key IS NULL AND payload IS NULL";
    assert_eq!(world.count(letters), 4);
    assert_eq!(world.count("SELECT count(*) FROM bronze.dead_letters WHERE erased_at IS NULL"), 1);
    let places = "SELECT count(*) FROM silver.transactions WHERE transaction_id IN ('b-1', 'b-2') AND (latitude, longitude) = (0, 0)";
    assert_eq!(world.count(places), 2);
    let turned = "SELECT count(*) FROM silver.transactions \
         WHERE transaction_id = 'a-1' AND latitude = -235505200 AND longitude <> -466333100";
    assert_eq!(world.count(turned), 1);
    let fields = "SELECT count(*) FROM bronze.raw_transactions WHERE payload::json ->> 'friend' IS NOT NULL";
    assert_eq!(world.count(fields), 1, "only the other's own id stays in an unknown field");
    let reasons = "SELECT count(*) FROM silver.blacklist WHERE reason = 'complaints' OR reason IS NULL";
    assert_eq!(world.count(reasons), 3);
    let mut resubmit = world.parts.command("resubmit", &["--reason", "invalid_field", "--dry-run"]);
    assert!(resubmit.wait().success(), "{}", resubmit.printed());
    assert!(resubmit.printed().contains(" 1 "), "{}", resubmit.printed());
}

/// The pipeline goes on; who comes back is new, and a correction of what was erased is refused.
fn check_resumed(world: &mut World) {
    world.at = Utc::now();
    let events = [
        world.payment("a-9", TRAVELLER, 0, &json!({"latitude": 1.5, "longitude": 2.5})),
        world.payment("a-2", TRAVELLER, 0, &json!({"revision": 2})),
        world.payment("o-9", OTHER, 0, &json!({"store_id": "store-2"})),
    ];
    world.write("transactions", events.concat());
    let mut run = world.parts.run();
    world.settle(&mut run);
    assert!(run.terminate().success(), "{}", run.printed());
    world.verify();
    let refused = "SELECT count(*) FROM bronze.dead_letters WHERE reason = 'conflicting_identity'";
    assert_eq!(world.count(refused), 1);
    let customers = "SELECT count(*) FROM gold.dim_customer WHERE customer_id = 'cust-victim-1'";
    assert_eq!(world.count(customers), 1);
}
