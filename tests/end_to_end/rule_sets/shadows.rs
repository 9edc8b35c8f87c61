//! Shadow sets, and what a change of the rules is predicted to do: the prediction, the shadow set's alerts and
//! what activation changes are one and the same, under load, and across a kill.

use super::{PATIENCE, World};
use crate::exactness;
use crate::traffic::DISTURBED;
use postgres::Client;
use serde_json::{Value, json};
use std::time::Instant;

/// A document with other thresholds, weights and rules than the configuration's: some alerts are gained, some lost,
/// many move.
fn candidate(world: &World) -> Value {
    let mut document = world.in_force();
    document["author"] = json!("ana");
    document["note"] = json!("bursts count more");
    document["combination"] = json!("noisy_or");
    document["alert_threshold"] = json!(0.35);
    document["rules"][0]["weight"] = json!(0.2);
    document["rules"][1]["weight"] = json!(0.9);
    document["rules"].as_array_mut().unwrap().push(json!({
        "id": "second-in-a-minute", "kind": "expression", "weight": 0.5,
        "parameters": {"when": "count_within(\"1m\") >= 1 && amount > 200.0", "score": "0.8"},
    }));
    document
}

/// The alerts of the live set and of `night` differ nowhere, at whatever frontier they are looked at.
fn check_alike(client: &mut Client) {
    let sql = "SELECT count(*) FROM (SELECT transaction_id, fraud_score, rules_triggered FROM gold.fact_fraud_alerts) AS live \
         FULL JOIN (SELECT transaction_id, fraud_score, rules_triggered FROM gold.shadow_alerts WHERE rule_set = 'night') \
             AS shadow USING (transaction_id, fraud_score, rules_triggered) \
         WHERE live IS NULL OR shadow IS NULL";
    assert_eq!(client.query_one(sql, &[]).unwrap().get::<_, i64>(0), 0);
}

fn number(client: &mut Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).unwrap().get(0)
}

const SHADOW_ALERTS: &str = "SELECT count(*) FROM gold.shadow_alerts WHERE rule_set = 'night'";

impl World {
    /// What `streamflow rules diff` reports.
    fn diff(&self, arguments: &[&str]) -> Value {
        let config = self.parts.config();
        let begin = ["rules", "--config", config.to_str().unwrap(), "diff"];
        let output = crate::command::output(&[&begin, arguments, &["--format", "json"]].concat());
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaint}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Waits until nothing that is in Kafka is left to commit.
    fn catch_up(&mut self) {
        let (mut client, begun) = (self.parts.connect(), Instant::now());
        while !exactness::is_caught_up(&self.parts, &mut client) || exactness::pending(&mut client) > 0 {
            self.run.keep_waiting(begun, PATIENCE, "everything is committed");
        }
    }
}

#[test]
fn activation_changes_what_was_predicted() {
    let mut world = World::start("shadows");
    let mut client = world.parts.connect();
    let rates = DISTURBED.iter().flat_map(|rate| ["--set", *rate]);
    let options = ["--rate", "400", "--customers", "3000", "--seed", "7"];
    let options: Vec<&str> = options.into_iter().chain(rates).collect();
    let mut generate = world.parts.command("generate", &options);
    world.wait_for("SELECT count(*) > 2000 FROM silver.transactions");

    // What only FR-001 finds, the candidate does not.
    world.pay_at_last("large", "900.00");

    // Beside the live set, under load.
    let document = candidate(&world);
    let file = world.write("night.json", &document);
    assert_eq!(
        world.succeed(&["put", &file, "--as", "shadow:night"]),
        "version 2 is in force as shadow:night\n"
    );
    assert_eq!(world.in_force()["version"], 1);
    assert!(number(&mut client, SHADOW_ALERTS) > 0);
    world.wait_for("SELECT count(*) > 4000 FROM silver.transactions");
    assert!(generate.terminate().success(), "{}", generate.printed());
    world.catch_up();
    world.verify();

    // What it would change, by a replay of the same history.
    let labels = world.parts.path("labels.jsonl");
    let fraud = ["large-0", "large-5", "unknown"].map(|id| format!("{{\"transaction_id\": \"{id}\"}}\n"));
    std::fs::write(&labels, fraud.concat()).unwrap();
    let page = world.parts.path("diff.html");
    let labelled =
        ["--since", "365d", "--labels", labels.to_str().unwrap(), "--html", page.to_str().unwrap()];
    let report = world.diff(&[&[file.as_str()], labelled.as_slice()].concat());
    let [total, predicted] = ["total", "on_activation"].map(|counts| &report[counts]);
    assert_eq!(total, predicted, "everything is within the horizon");
    let alerts = "SELECT count(*) FROM gold.fact_fraud_alerts";
    assert_eq!(total["live"], number(&mut client, alerts));
    assert_eq!(total["candidate"], number(&mut client, SHADOW_ALERTS));
    let [gained, lost, moved] = ["gained", "lost", "moved"].map(|kind| predicted[kind].as_u64().unwrap());
    assert!(gained > 0 && lost > 0 && moved > 0, "{total} {}", report["by_rule"]);
    assert_eq!(report["examples"]["gained"].as_array().unwrap().len() as u64, gained.min(20));
    let labels = &report["labels"];
    assert_eq!([&labels["fraud"], &labels["live"]["right"], &labels["candidate"]["right"]], [2, 1, 0]);
    assert_eq!([&labels["live"]["recall"], &labels["candidate"]["recall"]], [0.5, 0.0]);
    check_groups(&report);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains(&format!("{gained} gained")) && page.contains("<svg"), "{page}");

    // Exactly that is what activation does.
    assert_eq!(
        world.succeed(&["activate", "night", "--author", "eva"]),
        format!("version 3 is in force: {gained} alerts raised, {moved} revised, {lost} withdrawn\n")
    );
    check_alike(&mut client);
    assert_eq!(number(&mut client, alerts), number(&mut client, SHADOW_ALERTS));
    world.verify();
    let again = world.diff(&[&file, "--since", "365d"]);
    assert_eq!([&again["total"]["gained"], &again["total"]["lost"], &again["total"]["moved"]], [0, 0, 0]);

    kill_in_a_rollback(&mut world, &mut client, &options, [lost, moved, gained]);

    // It is gone when it has no rules, also after a restart.
    assert_eq!(
        world.succeed(&["remove", "night", "--author", "eva"]),
        "version 5 is in force as shadow:night\n"
    );
    assert_eq!(number(&mut client, SHADOW_ALERTS), 0);
    assert!(world.run.terminate().success(), "{}", world.run.printed());
    world.run = world.parts.run();
    world.pay("z");
    assert_eq!(number(&mut client, SHADOW_ALERTS), 0);
    let (printed, code) = world.rules(&["activate", "night", "--author", "eva"]);
    assert_eq!((printed.as_str(), code), ("streamflow: shadow:night has no rules: it was removed\n", 1));
    world.verify();
    assert!(world.run.terminate().success(), "{}", world.run.printed());
}

/// Groups add up to the whole, but for rules, of which an alert has several.
fn check_groups(report: &Value) {
    for groups in ["by_day", "by_category"] {
        for counts in ["live", "candidate", "gained", "lost", "moved"] {
            let sum: u64 =
                report[groups].as_object().unwrap().values().map(|of| of[counts].as_u64().unwrap()).sum();
            assert_eq!(sum, report["total"][counts].as_u64().unwrap(), "{groups} {counts}");
        }
    }
    assert!(report["by_rule"]["second-in-a-minute"]["gained"].as_u64().unwrap() > 0, "{report:#}");
    assert_eq!(report["by_rule"]["second-in-a-minute"]["live"], 0);
}

/// The process dies while it takes the rules back; nothing of that shows, and the shadow set goes on.
fn kill_in_a_rollback(
    world: &mut World,
    client: &mut Client,
    options: &[&str],
    [raised, revised, withdrawn]: [u64; 3],
) {
    assert_eq!(
        world.succeed(&["rollback", "1", "--author", "eva", "--wait", "0"]),
        "in Kafka; the pipeline has not read it within 0 s, and will when it runs\n"
    );
    world.run.kill();
    world.run = world.parts.run();
    world.wait_for("SELECT count(*) = 4 FROM gold.rule_versions");
    let sql =
        "SELECT alerts_raised, alerts_revised, alerts_withdrawn FROM gold.rule_versions WHERE version = 4";
    let row = client.query_one(sql, &[]).unwrap();
    let changed: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
    assert_eq!(changed.map(|count| count as u64), [raised, revised, withdrawn]);

    let mut generate = world.parts.command("generate", options);
    world.wait_for("SELECT count(*) > 5000 FROM silver.transactions");
    assert!(generate.terminate().success(), "{}", generate.printed());
    world.catch_up();
    assert!(number(client, SHADOW_ALERTS) > 0);
    world.verify();
    exactness::check_published(&world.parts);
}
