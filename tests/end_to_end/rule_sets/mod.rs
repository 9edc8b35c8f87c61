//! `streamflow rules`: a version that is put while the pipeline runs changes what lies within the horizon, at
//! once and exactly, and can be taken back.

mod shadows;

use crate::command::{self, Running};
use crate::parts::Parts;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// After this it is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(240);

struct World {
    parts: Parts,
    run: Running,
}

impl World {
    fn start(name: &str) -> Self {
        let parts = Parts::start(name, 2, &json!({}));
        let run = parts.run();
        Self { parts, run }
    }

    /// What `streamflow rules` prints, on both streams, and its exit code.
    fn rules(&self, arguments: &[&str]) -> (String, i32) {
        let config = self.parts.config();
        let begin = ["rules", "--config", config.to_str().unwrap()];
        let output = command::output(&[&begin, arguments].concat());
        let printed = [output.stdout, output.stderr].concat();
        (String::from_utf8(printed).unwrap(), output.status.code().unwrap())
    }

    /// As [`World::rules`], where it must succeed.
    fn succeed(&self, arguments: &[&str]) -> String {
        let (printed, code) = self.rules(arguments);
        assert_eq!(code, 0, "{arguments:?}: {printed}");
        printed
    }

    /// The document in force.
    fn in_force(&self) -> Value {
        serde_json::from_str(&self.succeed(&["show"])).unwrap()
    }

    fn write(&self, name: &str, document: &Value) -> String {
        let path: PathBuf = self.parts.path(name);
        std::fs::write(&path, document.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Five payments of 100.00 and one of 350.00: FR-001 scores 0.667, less than the threshold.
    fn pay(&mut self, customer: &str) {
        self.pay_at_last(customer, "350.00");
    }

    /// Five payments of 100.00 and another one.
    fn pay_at_last(&mut self, customer: &str, last: &str) {
        let payment = |number: i64| {
            let at = chrono::Utc::now() - chrono::Duration::minutes(40 - 7 * number);
            let amount = if number == 5 { last } else { "100.00" };
            let event = json!({
                "transaction_id": format!("{customer}-{number}"), "customer_id": customer, "store_id": "s",
                "amount": amount, "timestamp": at.to_rfc3339(), "payment_method": "pix",
            });
            format!("{customer}\t{event}\n")
        };
        let lines: String = (0..6).map(payment).collect();
        self.parts.kafka.write(&self.parts.topic("transactions"), None, lines.as_bytes()).unwrap();
        let sql =
            format!("SELECT count(*) = 6 FROM silver.transactions WHERE transaction_id LIKE '{customer}-%'");
        self.wait_for(&sql);
    }

    fn wait_for(&mut self, sql: &str) {
        let (mut client, begun) = (self.parts.connect(), Instant::now());
        while !client.query_one(sql, &[]).unwrap().get::<_, bool>(0) {
            self.run.keep_waiting(begun, PATIENCE, sql);
        }
    }

    /// The changes of alerts, in order: what, why, of which transaction.
    fn alert_changes(&self) -> Vec<(String, String, String)> {
        let sql = "SELECT change, cause, transaction_id FROM bronze.raw_fraud_alerts ORDER BY number";
        let rows = self.parts.connect().query(sql, &[]).unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    }

    fn verify(&self) {
        let mut verify =
            self.parts.command("verify", &["--from-bronze", "--warn-behind", "1e9", "--fail-behind", "1e9"]);
        assert!(verify.wait().success(), "{}", verify.printed());
    }
}

fn change(what: &str, why: &str, of: &str) -> (String, String, String) {
    (what.to_owned(), why.to_owned(), of.to_owned())
}

#[test]
fn a_version_that_is_put_applies_at_once_and_can_be_taken_back() {
    let mut world = World::start("rule-sets");
    world.pay("a");
    let mut document = world.in_force();
    assert_eq!((&document["version"], &document["author"]), (&json!(1), &json!("configuration")));

    document["author"] = json!("ana");
    document["note"] = json!("catch more");
    document["alert_threshold"] = json!(0.6);
    let file = world.write("lower.json", &document);
    assert!(world.succeed(&["check", &file]).ends_with("lower.json: 6 rules, 5 of them on\n"));
    assert_eq!(
        world.succeed(&["put", &file]),
        "version 2 is in force: 1 alerts raised, 0 revised, 0 withdrawn\n"
    );
    assert_eq!(world.alert_changes(), [change("raised", "rule_change", "a-5")]);
    world.pay("b");
    assert_eq!(world.alert_changes()[1..], [change("raised", "transaction", "b-5")]);
    world.verify();

    // A rule of one's own, beside the others of its kind, for one payment method.
    let second = json!({
        "id": "pix.large", "kind": "high_value", "weight": 1, "action": "block",
        "segment": {"payment_methods": ["pix"], "amount_from": "300.00"}, "parameters": {"multiple": 2},
    });
    let written = json!({
        "id": "burst", "kind": "expression", "weight": 0.2,
        "parameters": {
            "when": "count_within(\"60m\") >= 5 && payment_method == 'pix'", "score": "amount / 350",
            "reason": "{amount} after {count_within(\"1h\")} others",
        },
    });
    document["rules"].as_array_mut().unwrap().extend([second, written]);
    document["combination"] = json!("noisy_or");
    document["note"] = json!("large pix");
    let file = world.write("own.json", &document);
    assert_eq!(
        world.succeed(&["put", &file]),
        "version 3 is in force: 0 alerts raised, 2 revised, 0 withdrawn\n"
    );
    let own = "SELECT bool_and(rules_triggered = '{FR-001,burst,pix.large}' AND fraud_score = 1 \
         AND rule_details -> 'burst' ->> 'reason' = '350 after 5 others') FROM gold.fact_fraud_alerts";
    world.wait_for(own);
    world.verify();

    // Everything is as it was before.
    assert_eq!(
        world.succeed(&["rollback", "1", "--author", "eva"]),
        "version 4 is in force: 0 alerts raised, 0 revised, 2 withdrawn\n"
    );
    let mut first: Value = serde_json::from_str(&world.succeed(&["show", "1"])).unwrap();
    let mut last = world.in_force();
    assert_eq!((&last["author"], &last["note"]), (&json!("eva"), &json!("rollback to version 1")));
    for document in [&mut first, &mut last] {
        document.as_object_mut().unwrap().retain(|key, _| key == "rules" || key == "alert_threshold");
    }
    assert_eq!(first, last);
    world.verify();
    let listed = world.succeed(&["list"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 5, "{listed}");
    assert!(
        lines[2].ends_with("ana: catch more") && lines[4].ends_with("eva: rollback to version 1"),
        "{listed}"
    );

    // The configuration was only the first version.
    assert!(world.run.terminate().success(), "{}", world.run.printed());
    world.run = world.parts.command("run", &["--set", "rules.alert_threshold=0.5"]);
    world.pay("c");
    assert_eq!(world.in_force()["version"], 4);
    assert_eq!(world.alert_changes().len(), 6);
    world.verify();
    assert!(world.run.terminate().success(), "{}", world.run.printed());
}

#[test]
fn a_wrong_document_is_refused_before_it_is_put_and_a_dead_letter_where_somebody_puts_it_himself() {
    let mut world = World::start("rule-sets-wrong");
    world.pay("a");
    let good = world.in_force();
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut document = good.clone();
        document["author"] = json!("ana");
        change(&mut document);
        document
    };
    let cases = [
        (wrong(&|document| document["author"] = json!("configuration")), "author = configuration: "),
        (
            wrong(&|document| document["rules"][1]["parameters"]["window_seconds"] = json!(7200)),
            "rule FR-002: looks 7200 s back",
        ),
        (
            wrong(&|document| document["rules"][0]["weight"] = json!(2)),
            "rule FR-001: weight = 2.000: must be 0.000 to 1.000",
        ),
        (
            wrong(&|document| document["rules"][0]["kind"] = json!("magic")),
            "rule FR-001: kind = magic: must be ",
        ),
        (wrong(&|document| document["rules"][0]["id"] = json!("FR-002")), "rule FR-002: id: stands twice"),
        (
            wrong(&|document| {
                document["rules"][0] = json!({
                    "id": "mine", "kind": "expression", "weight": 1, "parameters": {"when": "amont > 5", "score": "1"},
                });
            }),
            "rule mine: parameters: when: column 1: unknown name amont; known are amount, ",
        ),
        (json!([]), "invalid"),
    ];
    let mut lines = Vec::new();
    for (document, problem) in &cases {
        let file = world.write("wrong.json", document);
        for command in ["check", "put"] {
            let (printed, code) = world.rules(&[command, &file]);
            assert_eq!((code, printed.lines().count()), (1, 1), "{printed}");
            assert!(printed.contains(problem), "{printed} must contain {problem}");
        }
        lines.extend(format!("live\t{document}\n").bytes());
    }
    lines.extend(b"dead\t{}\n");
    world.parts.kafka.write(&world.parts.topic("rules"), None, &lines).unwrap();
    world.wait_for("SELECT count(*) = 8 FROM bronze.dead_letters");
    let reasons = "SELECT count(*) = 8 FROM bronze.dead_letters WHERE reason IN ('invalid_field', 'malformed_json') \
         AND source_topic LIKE '%rules' AND message <> ''";
    world.wait_for(reasons);
    assert_eq!(world.in_force(), good);
    world.pay("b");
    world.verify();
    assert!(world.run.terminate().success(), "{}", world.run.printed());
}

#[test]
fn a_topic_of_rules_has_one_partition() {
    let parts = Parts::start("rule-sets-order", 1, &json!({}));
    parts
        .kafka
        .create_topic(&parts.topic("rules"), 2, &[("message.timestamp.type", "LogAppendTime")])
        .unwrap();
    let mut run = parts.run();
    assert_eq!(run.wait().code(), Some(1));
    assert!(run.printed().contains("2 partitions: must be 1"), "{}", run.printed());
}
