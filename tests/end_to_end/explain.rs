//! `streamflow explain`: each change of an alert with its true cause, version of the rules and events; what was
//! known before each of them; and changes of the transaction that give the other verdict, where one step less
//! does not.

use crate::command::{self, Running};
use crate::parts::Parts;
use chrono::{DateTime, Duration as Span, SecondsFormat, Utc};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// After this it is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// Between two payments of a customer.
const STEP: Span = Span::minutes(7);

struct World {
    parts: Parts,
    run: Running,
    /// When the first payment of each customer was.
    begin: DateTime<Utc>,
}

impl World {
    fn start() -> Self {
        // Of what is sent within minutes, the time of day says nothing.
        let rules = json!({"rules": {"unusual_hour": {"minimum_history": 1_000_000}}});
        let parts = Parts::start("explain", 2, &rules);
        let run = parts.run();
        Self { parts, run, begin: Utc::now() - Span::minutes(45) }
    }

    /// Sends a payment of a customer, so many steps and seconds after its first.
    fn pay(&mut self, customer: &str, id: &str, (steps, seconds): (i32, i64), amount: &str, more: &Value) {
        let at = self.begin + STEP * steps + Span::seconds(seconds);
        let mut event = json!({
            "transaction_id": id, "customer_id": customer, "store_id": "s", "amount": amount, "timestamp": at.to_rfc3339(),
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.write("transactions", &format!("{customer}\t{event}\n"));
    }

    /// Five payments of 100.00.
    fn pay_five(&mut self, customer: &str) {
        for step in 0..5 {
            self.pay(customer, &format!("{customer}-{step}"), (step, 0), "100.00", &json!({}));
        }
        self.wait_for(&format!(
            "SELECT count(*) = 5 FROM silver.transactions WHERE transaction_id ~ '^{customer}-[0-4]$'"
        ));
    }

    fn write(&self, topic: &str, lines: &str) {
        self.parts.kafka.write(&self.parts.topic(topic), None, lines.as_bytes()).unwrap();
    }

    fn wait_for(&mut self, sql: &str) {
        let (mut client, begun) = (self.parts.connect(), Instant::now());
        while !client.query_one(sql, &[]).unwrap().get::<_, bool>(0) {
            self.run.keep_waiting(begun, PATIENCE, sql);
        }
    }

    fn wait_for_changes(&mut self, changes: usize) {
        self.wait_for(&format!(
            "SELECT count(*) >= {changes} FROM bronze.raw_fraud_alerts WHERE transaction_id = 'k-5'"
        ));
    }

    /// What a command prints, on both streams, and its exit code.
    fn command(&self, arguments: &[&str]) -> (String, i32) {
        let config = self.parts.config();
        let config = ["--config", config.to_str().unwrap()];
        let output = command::output(&[&arguments[..1], &config[..], &arguments[1..]].concat());
        let printed = [output.stdout, output.stderr].concat();
        (String::from_utf8(printed).unwrap(), output.status.code().unwrap())
    }

    fn succeed(&self, arguments: &[&str]) -> String {
        let (printed, code) = self.command(arguments);
        assert_eq!(code, 0, "{arguments:?}: {printed}");
        printed
    }

    fn explain(&self, id: &str, more: &[&str]) -> Value {
        let printed = self.succeed(&[&["explain", id, "--format", "json"], more].concat());
        serde_json::from_str(&printed).unwrap()
    }

    /// As known at the instant of a change, so many milliseconds later.
    fn explain_at(&self, change: &Value, later: i64) -> Value {
        self.explain("k-5", &["--known-at", &at(change, later)])
    }

    fn put_threshold(&self, threshold: f64, more: &[&str]) {
        let mut document: Value = serde_json::from_str(&self.succeed(&["rules", "show"])).unwrap();
        document["author"] = json!("ana");
        document["note"] = json!(format!("at {threshold}"));
        document["alert_threshold"] = json!(threshold);
        let path = self.parts.path("rules.json");
        std::fs::write(&path, document.to_string()).unwrap();
        self.succeed(&[&["rules", "put", path.to_str().unwrap()], more].concat());
    }

    /// Where in Kafka the event with a transaction's revision is.
    fn position(&self, id: &str, revision: u64) -> Value {
        let is_it = |event: &Value| {
            event["transaction_id"] == id && event["revision"].as_u64().unwrap_or_default() == revision
        };
        let records = self.parts.consume("transactions");
        let found = records.iter().find(|record| is_it(&record.json())).unwrap();
        json!([self.parts.topic("transactions"), found.partition, found.offset])
    }

    /// The verdict on a sixth payment of another customer with the same five before.
    fn is_alerted(&mut self, customer: &str, seconds: i64, amount: &str) -> bool {
        let id = format!("{customer}-5");
        self.pay(customer, &id, (5, seconds), amount, &json!({}));
        self.wait_for(&format!("SELECT count(*) = 1 FROM silver.transactions WHERE transaction_id = '{id}'"));
        let sql = "SELECT is_fraud FROM silver.transactions WHERE transaction_id = $1";
        self.parts.connect().query_one(sql, &[&id]).unwrap().get(0)
    }
}

fn at(change: &Value, later: i64) -> String {
    let at = DateTime::parse_from_rfc3339(change["detected_at"].as_str().unwrap()).unwrap();
    (at + Span::milliseconds(later)).to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn position(event: &Value) -> Value {
    json!([event["topic"], event["partition"], event["offset"]])
}

/// What happens to an alert.
struct Happening {
    what: &'static str,
    why: &'static str,
    score: &'static str,
    /// The event behind it: of which transaction in which revision.
    event: Option<(&'static str, u64)>,
    /// Of the rules.
    version: u64,
}

const fn happening(
    what: &'static str,
    why: &'static str,
    score: &'static str,
    event: Option<(&'static str, u64)>,
    version: u64,
) -> Happening {
    Happening { what, why, score, event, version }
}

/// The life of the alert.
const LIFE: [Happening; 8] = [
    happening("raised", "transaction", "1.000", Some(("k-5", 0)), 1),
    happening("revised", "correction", "0.700", Some(("k-5", 1)), 1),
    happening("withdrawn", "late_event", "0.700", Some(("k-late", 0)), 1),
    happening("raised", "void", "0.700", Some(("k-late", 1)), 1),
    happening("withdrawn", "rule_change", "0.700", None, 3),
    happening("raised", "rule_change", "0.700", None, 4),
    happening("revised", "list_change", "0.775", None, 4),
    happening("withdrawn", "void", "0.775", Some(("k-5", 2)), 4),
];

/// Makes that happen.
fn live(world: &mut World) {
    world.pay_five("k");
    world.pay("k", "k-5", (5, 0), "500.00", &json!({}));
    world.wait_for_changes(1);
    // Version 2, by which nothing is alerted.
    world.put_threshold(0.1, &["--as", "shadow:night"]);
    world.pay("k", "k-5", (5, 0), "360.00", &json!({"revision": 1}));
    world.wait_for_changes(2);
    world.pay("k", "k-late", (4, 60), "5000.00", &json!({}));
    world.wait_for_changes(3);
    world.pay("k", "k-late", (4, 60), "5000.00", &json!({"revision": 1, "voided": true}));
    world.wait_for_changes(4);
    // 0.700 is what it scores.
    world.put_threshold(0.701, &[]);
    world.wait_for_changes(5);
    world.put_threshold(0.7, &[]);
    world.wait_for_changes(6);
    world.write("blacklist", "customer:k\t{\"reason\":\"chargebacks\"}\n");
    world.wait_for_changes(7);
    world.pay("k", "k-5", (5, 0), "360.00", &json!({"revision": 2, "voided": true}));
    world.wait_for_changes(8);
}

fn check_changes(world: &World, changes: &[Value]) {
    assert_eq!(changes.len(), LIFE.len(), "{changes:#?}");
    for (number, (change, happening)) in (1..).zip(changes.iter().zip(LIFE)) {
        let Happening { what, why, score, event, version } = happening;
        let said = [&change["change"], &change["cause"], &change["fraud_score"]];
        assert_eq!(said, [what, why, score], "{change:#}");
        assert_eq!(
            (&change["sequence"], &change["rules_version"]["version"]),
            (&json!(number), &json!(version))
        );
        let expected: Vec<Value> = event.iter().map(|(id, revision)| world.position(id, *revision)).collect();
        let events: Vec<Value> = change["events"].as_array().unwrap().iter().map(position).collect();
        assert_eq!(events, expected, "{change:#}");
        let listed = change["list_changes"].as_array().unwrap();
        assert_eq!(listed.len(), usize::from(why == "list_change"), "{change:#}");
    }
    assert_eq!(changes[4]["rules_version"]["author"], "ana");
    assert_eq!(changes[4]["rules_version"]["note"], "at 0.701");
    assert_eq!(changes[6]["list_changes"][0]["reason"], "chargebacks");
    assert_eq!(changes[0]["rule_details"]["FR-001"]["mean"], "100.00");
}

/// Just before each change the verdict is that of the change before, and the rules give it in what was known then.
fn check_what_was_known(world: &World, changes: &[Value]) {
    for (change, next) in changes.iter().zip(changes[1..].iter().map(Some).chain([None])) {
        let then = match next {
            Some(next) => world.explain_at(next, -1),
            None => world.explain("k-5", &[]),
        };
        let is_fraud = change["change"] != "withdrawn";
        assert_eq!(then["verdict"]["recorded"]["is_fraud"], is_fraud, "{then:#}");
        assert_eq!(then["verdict"]["evaluated"]["is_fraud"], is_fraud, "{then:#}");
        assert_eq!(then["verdict"]["agree"], true, "{then:#}");
        assert_eq!(then["notes"], json!([]), "{then:#}");
        if is_fraud {
            assert_eq!(then["verdict"]["evaluated"]["fraud_score"], change["fraud_score"], "{then:#}");
        }
        let known = then["changes"].as_array().unwrap().len() as u64;
        assert_eq!(known, change["sequence"].as_u64().unwrap());
    }
    let (printed, code) = world.command(&["explain", "k-5", "--known-at", &at(&changes[0], -1)]);
    assert_eq!((code, printed.lines().count()), (1, 1), "{printed}");
    assert!(printed.contains("was not known at"), "{printed}");
}

fn check_context(world: &World, changes: &[Value]) {
    let first = world.explain_at(&changes[0], 0);
    let context = &first["context"];
    assert_eq!((&context["count"], &context["mean_amount"]), (&json!(5), &json!("100.00")));
    assert_eq!(
        (&first["transaction"]["amount"], &first["transaction"]["revision"]),
        (&json!("500.00"), &json!(0))
    );
    let recent = context["recent"].as_array().unwrap();
    assert_eq!(recent.len(), 5, "{context:#}");
    for (number, earlier) in (0..).zip(recent) {
        assert_eq!(position(earlier), world.position(&format!("k-{number}"), 0));
    }
    // The late payment was known in between only.
    let means =
        [1, 2, 3].map(|change| world.explain_at(&changes[change], 0)["context"]["mean_amount"].clone());
    assert_eq!(means, [json!("100.00"), json!("916.67"), json!("100.00")]);
    let listing = &world.explain_at(&changes[6], 0)["context"]["listing"];
    assert_eq!(listing["reason"], "chargebacks");
}

/// What SQL says alone is what the command says.
fn check_sql(world: &World) {
    let said = world.explain("k-5", &[]);
    let mut client = world.parts.connect();
    client.batch_execute("SET ROLE streamflow_reader").unwrap();
    let explain = |client: &mut postgres::Client, sql: &str| -> Value {
        let text: Option<String> = client.query_one(sql, &[]).unwrap().get(0);
        serde_json::from_str(&text.unwrap_or("null".to_owned())).unwrap()
    };
    let sql = explain(&mut client, "SELECT gold.explain('k-5')::text");
    for part in ["transaction_id", "known_at", "transaction", "events", "changes"] {
        assert_eq!(sql[part], said[part], "{part}");
    }
    assert_eq!(sql["verdict"]["is_fraud"], said["verdict"]["recorded"]["is_fraud"]);
    assert_eq!(sql["verdict"]["fraud_score"], said["verdict"]["recorded"]["fraud_score"]);
    let revisions: Vec<u64> =
        sql["events"].as_array().unwrap().iter().map(|event| event["revision"].as_u64().unwrap()).collect();
    assert_eq!(revisions, [0, 1, 2]);
    assert_eq!(explain(&mut client, "SELECT gold.explain('nobody')::text"), Value::Null);
    assert!(
        client.query("SELECT * FROM bronze.raw_transactions", &[]).is_err(),
        "it lends no more than it shows"
    );
}

/// Each flip, applied to a payment of another customer with the same history, is one; one step less is none.
fn check_flips(world: &mut World, changes: &[Value]) {
    let flips = world.explain_at(&changes[0], 0)["flips"].clone();
    let expected = json!({"value": "359.99", "by": "140.01", "is_fraud": false, "fraud_score": "0.700", "is_proven": true});
    assert_eq!((&flips["amount"]["down"], &flips["amount"]["up"]), (&expected, &Value::Null));
    // At the time of the fifth, which still precedes it, four others are as many as it takes; a second before,
    // too few.
    let time = &flips["time"]["down"];
    assert_eq!(
        [&time["by"], &time["is_fraud"], &time["is_proven"]],
        [&json!("421 s"), &json!(false), &json!(true)]
    );
    assert_eq!(flips["threshold"]["up"], Value::Null);
    for customer in ["m", "n", "o", "p"] {
        world.pay_five(customer);
    }
    let outcomes = [("m", 0, "359.99"), ("n", 0, "360.00"), ("o", -421, "500.00"), ("p", -420, "500.00")];
    let outcomes = outcomes.map(|(customer, seconds, amount)| world.is_alerted(customer, seconds, amount));
    assert_eq!(outcomes, [false, true, false, true]);

    // The fifth change is that the threshold was set so; at 0.7 it was alerted.
    let flips = world.explain_at(&changes[1], 0)["flips"].clone();
    assert_eq!(flips["threshold"]["up"]["value"], "0.701");
    assert_eq!(flips["amount"]["down"]["value"], "359.99");

    // Not alerted because of the late payment.
    let flips = world.explain_at(&changes[2], 0)["flips"].clone();
    assert_eq!(flips["amount"]["up"]["value"], "3300.00");
    assert_eq!(flips["amount"]["up"]["is_proven"], true);
    assert_eq!(flips["amount"]["down"], Value::Null);
    for (customer, amount, is_alerted) in [("q", "3300.00", true), ("r", "3299.99", false)] {
        world.pay_five(customer);
        world.pay(customer, &format!("{customer}-late"), (4, 60), "5000.00", &json!({}));
        assert_eq!(world.is_alerted(customer, 0, amount), is_alerted, "{amount}");
    }
}

#[test]
fn each_change_is_explained_as_it_was_and_each_flip_is_one() {
    let mut world = World::start();
    live(&mut world);
    let explanation = world.explain("k-5", &[]);
    assert_eq!(explanation["flips"], Value::Null, "it is voided");
    let changes = explanation["changes"].as_array().unwrap();
    check_changes(&world, changes);
    check_what_was_known(&world, changes);
    check_context(&world, changes);
    check_sql(&world);
    check_flips(&mut world, changes);

    let said = world.succeed(&["explain", "k-5", "--known-at", &at(&changes[1], 0)]);
    for sentence in [
        "k-5 is a payment of 360.00 BRL by k at s, ",
        "It is alerted: its score is 0.700, alerts begin at 0.700, under version 1 of the rules by configuration.",
        "FR-001 scores 0.700, weight 0.300: 360.00 against a mean of 100.00 of 5",
        "  2 revised ",
        " because it or an earlier transaction was corrected, with score 0.700",
        "amount: 359.99, which is 0.01 less, is not alerted",
        "threshold: 0.701, which is 0.001 higher, is not alerted",
    ] {
        assert!(said.contains(sentence), "{sentence}:\n{said}");
    }
    let (printed, code) = world.command(&["explain", "nobody"]);
    assert_eq!((code, printed.lines().count()), (1, 1), "{printed}");
    assert!(printed.contains("there is no transaction nobody"), "{printed}");
    assert!(world.run.terminate().success(), "{}", world.run.printed());
}
