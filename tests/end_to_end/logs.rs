//! Log lines for machines: each says which commit, hydration or publication it belongs to.

use crate::command::Running;
use crate::foreign;
use crate::parts::Parts;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Waits for the line with this message.
fn line(run: &mut Running, message: &str) -> Value {
    let begun = Instant::now();
    loop {
        for line in run.printed().split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let line: Value = serde_json::from_str(line).unwrap();
            if line["fields"]["message"] == message {
                return line;
            }
        }
        run.keep_waiting(begun, PATIENCE, message);
    }
}

/// The fields of the span of this name around a line.
fn span<'a>(line: &'a Value, name: &str) -> &'a Value {
    let spans = line["spans"].as_array().unwrap();
    spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("no {name} in {line:#}"))
}

#[test]
fn lines_carry_what_they_belong_to() {
    let parts = Parts::start("logs", 1, &json!({}));
    let levels = || Some(("RUST_LOG", "info,streamflow=debug".to_owned()));
    let mut run = parts.command_with("run", &["--log-format", "json"], levels());
    let first = line(&mut run, "the first commit since the start");
    assert_eq!(span(&first, "lease")["generation"], 1);
    assert_eq!(first["fields"]["frontier"], span(&first, "commit")["frontier"]);
    let changes = foreign::ordinary();
    parts.kafka.write(&parts.topic("transactions"), None, &changes.bytes).unwrap();
    let acknowledged = line(&mut run, "acknowledged");
    assert_eq!(span(&acknowledged, "publishing")["generation"], 1);
    assert!(span(&acknowledged, "publishing")["records"].as_u64().unwrap() > 0);
    assert!(run.terminate().success(), "{}", run.printed());
    let mut again = parts.command_with("run", &["--log-format", "json"], levels());
    let restored = line(&mut again, "state restored");
    let hydration = span(&restored, "hydration");
    assert!(hydration["rows"].as_u64().unwrap() >= changes.events.unsigned_abs() / 2, "{hydration}");
    assert!(hydration["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(span(&line(&mut again, "the first commit since the start"), "lease")["generation"], 2);
}

/// The parameters of statements hold what customers' records do.
#[test]
fn no_level_shows_what_customers_are_called() {
    let parts = Parts::start("logs-private", 1, &json!({}));
    let levels = Some(("RUST_LOG", "trace".to_owned()));
    let mut run = parts.command_with("run", &["--log-format", "json"], levels);
    let customer = r#"c-1	{"customer_id": "c-1", "name": "Zenobia Quarles", "email": "zenobia@example.org", "updated_at": "2026-01-01T00:00:00Z"}"#;
    parts.kafka.write(&parts.topic("customers"), None, format!("{customer}\n")).unwrap();
    let (mut client, begun) = (parts.connect(), Instant::now());
    let named = "SELECT count(*) FROM gold.dim_customer WHERE name = 'Zenobia Quarles'";
    while client.query_one(named, &[]).unwrap().get::<_, i64>(0) == 0 {
        run.keep_waiting(begun, PATIENCE, "the customer is stored");
    }
    let first = run.printed();
    assert!(first.contains("DEBUG") && first.contains("commit"), "nothing is logged at this level");
    assert!(run.terminate().success());
    let printed = run.printed();
    for private in ["Zenobia", "zenobia@"] {
        let line = printed.lines().find(|line| line.contains(private));
        assert_eq!(line, None);
    }
}

#[test]
fn an_outage_is_a_line_and_not_a_flood() {
    let mut parts = Parts::start("logs-outage", 1, &json!({}));
    let mut run = parts.command_with("run", &["--log-format", "json"], None);
    line(&mut run, "the first commit since the start");
    parts.postgres.kill().unwrap();
    let waits = line(&mut run, "commits wait; retrying");
    assert!(span(&waits, "commit")["frontier"].as_u64().unwrap() > 0);
    assert_eq!(span(&waits, "lease")["generation"], 1);
    parts.kafka.kill().unwrap();
    line(&mut run, "publishing waits; retrying");
    parts.postgres.restart().unwrap();
    parts.kafka.restart().unwrap();
    line(&mut run, "commits go on");
    line(&mut run, "publishing goes on");
    let printed = run.printed();
    let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |message: &str| lines.iter().filter(|line| line["fields"]["message"] == message).count();
    assert_eq!((said("commits wait; retrying"), said("commits go on")), (1, 1), "{printed}");
    assert_eq!((said("publishing waits; retrying"), said("publishing goes on")), (1, 1), "{printed}");
    check_interruptions(&lines);
    assert!(run.terminate().success(), "{}", run.printed());
}

/// Each reader tells of each kind of interruption at once, and not again within a minute.
fn check_interruptions(lines: &[Value]) {
    let mut told: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for line in lines {
        let fields = &line["fields"];
        let (Some(topic), Some(cause)) = (fields["topic"].as_str(), fields["cause"].as_str()) else {
            continue;
        };
        let at = chrono::DateTime::parse_from_rfc3339(line["timestamp"].as_str().unwrap()).unwrap();
        if let Some(before) = told.insert((topic, cause), at.timestamp()) {
            assert!(at.timestamp() - before >= 59, "{line:#}");
        }
    }
    assert!(told.len() >= 5, "each of five topics has its reader: {told:?}");
}
