//! The JSON forms of a replay's files.

use crate::command;
use crate::results::{lines, payload};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory in which a few events are replayed.
struct Stage {
    directory: TempDir,
    lines: Vec<u8>,
}

impl Stage {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), lines: Vec::new() }
    }

    fn input(&self) -> PathBuf {
        self.directory.path().join("events.jsonl")
    }

    fn line(&mut self, bytes: impl AsRef<[u8]>) {
        self.lines.extend_from_slice(bytes.as_ref());
        self.lines.push(b'\n');
    }

    /// A payment of customer c at `time` of a day in March 2026, UTC.
    fn payment(&mut self, id: &str, day: u32, time: &str, amount: &str, more: &Value) {
        let mut event = json!({
            "transaction_id": id, "customer_id": "c", "store_id": "s", "amount": amount,
            "timestamp": format!("2026-03-{day:02}T{time}Z"),
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.line(event.to_string());
    }

    /// Five payments of 100.00 at 10:00 on five days, and one of 500.00 on the sixth: the specification's
    /// example.
    fn high_value(&mut self) {
        for day in 1..=5 {
            self.payment(&format!("t{day}"), day, "10:00:00", "100.00", &json!({}));
        }
        self.payment("t6", 6, "10:00:00", "500.00", &json!({}));
    }

    fn replay(&self) -> PathBuf {
        std::fs::write(self.input(), &self.lines).unwrap();
        let out = self.directory.path().join("out");
        let (input, results) = (self.input(), out.to_str().unwrap());
        let files = ["replay", input.to_str().unwrap(), "--out", results];
        command::succeed(&[files.as_slice(), &["--most-dead-letters", "1"]].concat());
        out
    }
}

fn rows(out: &Path, name: &str) -> Vec<Value> {
    lines(&out.join(name))
}

#[test]
fn an_alert() {
    let mut stage = Stage::new();
    stage.high_value();
    let out = stage.replay();
    let details = json!({"FR-001": {"score": 1.0, "amount": "500.00", "mean": "100.00", "count": 5}});
    let alert = json!({
        "transaction_id": "t6", "customer_id": "c", "fraud_score": "1.000", "rules_triggered": ["FR-001"],
        "rule_details": details,
    });
    assert_eq!(rows(&out, "alerts.jsonl"), [alert]);
    let change = json!({
        "alert_id": "alert-t6", "sequence": 1, "change": "raised", "cause": "transaction",
        "transaction_id": "t6", "customer_id": "c", "store_id": "s", "fraud_score": "1.000",
        "rules_triggered": ["FR-001"], "rule_details": details, "transaction_amount": "500.00", "currency": "BRL",
        "transaction_at": "2026-03-06T10:00:00.000000Z",
        "source": {"topic": stage.input(), "partition": 0, "offset": 5},
    });
    assert_eq!(rows(&out, "alert_changes.jsonl"), [change]);
}

#[test]
fn an_alert_that_changes() {
    let mut stage = Stage::new();
    stage.high_value();
    // An epoch is a batch of 4096 lines: what happens within one is told as one change. Empty lines are no
    // events.
    let next_epoch = |stage: &mut Stage| (0..4096).for_each(|_| stage.line(""));
    next_epoch(&mut stage);
    stage.payment("t6", 6, "10:00:00", "370.00", &json!({"revision": 1}));
    next_epoch(&mut stage);
    stage.payment("t6", 6, "10:00:00", "370.00", &json!({"revision": 2, "voided": true}));
    let out = stage.replay();
    assert_eq!(rows(&out, "alerts.jsonl"), [json!(null); 0]);
    let told: Vec<Value> = rows(&out, "alert_changes.jsonl")
        .into_iter()
        .map(|change| json!([change["sequence"], change["change"], change["cause"], change["fraud_score"]]))
        .collect();
    let expected = [
        json!([1, "raised", "transaction", "1.000"]),
        json!([2, "revised", "correction", "0.733"]),
        json!([3, "withdrawn", "void", "0.733"]),
    ];
    assert_eq!(told, expected);
}

#[test]
fn dead_letters() {
    let mut stage = Stage::new();
    stage.line(r#"{"transaction_id": "é"#);
    stage.line(b"{\"transaction_id\": \"\xff\"}");
    stage.payment("no-amount", 1, "10:00:00", "0", &json!({}));
    let long = vec![b'x'; 70_000];
    stage.line(&long);
    // Cut within a character: what is left is no UTF-8.
    let mut wide = vec![b'x'; 64 * 1024 - 1];
    wide.extend_from_slice("éé".as_bytes());
    stage.line(&wide);
    stage.payment("later", 2, "10:00:00", "1", &json!({}));
    stage.payment("early", 2, "08:59:59.999999", "1", &json!({}));
    let letters = rows(&stage.replay(), "dead_letters.jsonl");
    let reasons: Vec<_> = letters.iter().map(|letter| letter["reason"].as_str().unwrap()).collect();
    assert_eq!(
        reasons,
        ["malformed_json", "malformed_json", "invalid_field", "too_large", "too_large", "too_late"]
    );
    let keys = [
        "full_length",
        "message",
        "offset",
        "partition",
        "payload",
        "payload_base64",
        "reason",
        "topic",
        "truncated",
    ];
    for letter in &letters {
        assert_eq!(letter.as_object().unwrap().keys().collect::<Vec<_>>(), keys);
        assert_eq!((&letter["topic"], &letter["partition"]), (&json!(stage.input()), &json!(0)));
        assert!(!letter["message"].as_str().unwrap().is_empty());
    }
    let of = |name: &str| letters.iter().map(|letter| letter[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("offset"), [0, 1, 2, 3, 4, 6].map(Value::from));
    assert_eq!(of("truncated"), [false, false, false, true, true, false].map(Value::from));
    assert_eq!(letters[0]["payload"], r#"{"transaction_id": "é"#);
    assert_eq!(letters[0]["payload_base64"], Value::Null);
    assert_eq!(letters[1]["payload"], Value::Null);
    assert_eq!(payload(&letters[1]), b"{\"transaction_id\": \"\xff\"}");
    let message = letters[2]["message"].as_str().unwrap();
    assert!(message.contains("amount"), "{message}");
    assert_eq!((payload(&letters[3]).len(), &letters[3]["full_length"]), (65_536, &json!(70_000)));
    assert!(letters[3]["payload"].is_string());
    assert_eq!((payload(&letters[4]), &letters[4]["full_length"]), (wide[..65_536].to_vec(), &json!(65_539)));
}

#[test]
fn the_books() {
    let mut stage = Stage::new();
    stage.payment("a", 1, "10:00:00", "1", &json!({}));
    stage.payment("a", 1, "10:00:00", "1", &json!({}));
    stage.payment("a", 1, "10:00:00", "2", &json!({"revision": 2}));
    stage.payment("a", 1, "10:00:00", "3", &json!({"revision": 1}));
    stage.payment("b", 1, "10:00:00", "1", &json!({}));
    stage.payment("b", 1, "10:00:00", "1", &json!({"revision": 1, "voided": true}));
    stage.payment("b", 1, "10:00:00", "1", &json!({"customer_id": "d", "revision": 3}));
    stage.line("no JSON");
    let out = stage.replay();
    let books: Value = serde_json::from_slice(&std::fs::read(out.join("books.json")).unwrap()).unwrap();
    let nothing = json!({"read": 0, "accepted": 0, "accounts": {}, "dead_letters": {}});
    let expected = json!({
        "transactions": {
            "read": 8, "accepted": 4,
            "accounts": {"new": 2, "correcting": 1, "voiding": 1, "duplicate": 1, "superseded": 1},
            "dead_letters": {"conflicting_identity": 1, "malformed_json": 1},
        },
        "customers": nothing, "stores": nothing, "products": nothing, "blacklist": nothing,
    });
    assert_eq!(books, expected);
}
