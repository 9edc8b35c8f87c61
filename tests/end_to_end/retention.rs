//! Retention of dead letters and of transactions: what is old goes, and everything else is as if it were still there,
//! for those who read, for verdicts, and for a pipeline that starts again.

use crate::command::Running;
use crate::exactness;
use crate::maintain::{assert_verified, count, maintain, removals, set_watermark, start_with, verify};
use crate::parts::Parts;
use postgres::Client;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::Producer;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(240);

const LETTERS: [&str; 2] = ["--set", "maintenance.dead_letters_days=30"];

/// Runs the pipeline until everything is committed, decided and published.
fn catch_up(parts: &Parts) {
    let mut client = parts.connect();
    let mut run = parts.run();
    parts.wait_for_all(&mut run, PATIENCE);
    let begun = Instant::now();
    while exactness::pending(&mut client) > 0 || !has_watermark(&mut client) || !is_published(parts) {
        run.keep_waiting(begun, PATIENCE, "all is decided and published");
    }
    assert!(run.terminate().success(), "{}", run.printed());
}

fn has_watermark(client: &mut Client) -> bool {
    client.query_one("SELECT watermark IS NOT NULL FROM streamflow.progress", &[]).unwrap().get(0)
}

/// Kafka deletes what is as old as the rows are made here.
fn forget_published(parts: &Parts, topic: &str, partitions: u16) {
    let topic = parts.topic(topic);
    for partition in 0..partitions {
        let end = parts.end(&topic, partition);
        parts.kafka.delete_records(&topic, i32::from(partition), end as i64).unwrap();
    }
}

fn is_published(parts: &Parts) -> bool {
    let mut publisher: Running = parts.command("publisher", &[]);
    let shown = publisher.wait().success();
    shown && publisher.printed().lines().skip(1).all(|line| line.split_whitespace().last() == Some("0"))
}

/// Each damage is found, and nothing once it is undone.
fn assert_found(parts: &Parts, client: &mut Client, damages: &[(&str, &str)]) {
    for (damage, undo) in damages {
        client.batch_execute(damage).unwrap();
        let (checks, code) = verify(parts, &[]);
        assert_eq!(code, 1, "{damage}: {checks:#}");
        client.batch_execute(undo).unwrap();
        assert_verified(parts, &[], "");
    }
}

#[test]
fn dead_letters_go_when_they_are_published_and_stay_counted() {
    let parts = start_with("letters", &json!({}));
    let mut client = parts.connect();
    let send = |letters: usize, events: usize| {
        let malformed = (0..letters).map(|number| format!("c\t{{\"malformed {number}"));
        let now = chrono::Utc::now().to_rfc3339();
        let event = |number| {
            let event = json!({"transaction_id": format!("{letters}-{number}"), "customer_id": "c", "store_id": "s",
                               "amount": "1.00", "timestamp": now});
            format!("c\t{event}")
        };
        let lines: Vec<String> = malformed.chain((0..events).map(event)).collect();
        parts.kafka.write(&parts.topic("transactions"), None, lines.join("\n")).unwrap();
    };
    send(40, 60);
    catch_up(&parts);
    assert_eq!(count(&mut client, "bronze.dead_letters"), 40);
    client
        .batch_execute(
            "UPDATE bronze.dead_letters SET ingested_at = ingested_at - interval '40 days' WHERE id <= 30",
        )
        .unwrap();
    forget_published(&parts, "dead_letters", 1);

    let (printed, code) = maintain(&parts, &[]);
    assert_eq!((removals(&printed), code), (vec![], 0), "they are kept for ever: {printed}");
    let (printed, code) = maintain(&parts, &[&LETTERS[..], &["--dry-run"]].concat());
    assert!(code == 0 && printed.contains("would be deleted: bronze.dead_letters: 30 rows"), "{printed}");
    assert_eq!(count(&mut client, "bronze.dead_letters"), 40);
    let unpublished = [&LETTERS[..], &["--set", "publisher.transactional_id=another"]].concat();
    let (printed, code) = maintain(&parts, &unpublished);
    assert!(
        code == 1 && printed.contains("left for the next run: rows of bronze.dead_letters after number 0"),
        "{printed}"
    );
    let (printed, code) = maintain(&parts, &LETTERS);
    assert!(code == 0 && printed.contains("deleted bronze.dead_letters: 30 rows"), "{printed}");
    assert_eq!(count(&mut client, "bronze.dead_letters"), 10);
    assert_verified(&parts, &["--from-bronze"], "");
    assert_found(
        &parts,
        &mut client,
        &[
            (
                "CREATE TEMP TABLE lost AS SELECT * FROM bronze.dead_letters WHERE id = 35; \
                 DELETE FROM bronze.dead_letters WHERE id = 35",
                "INSERT INTO bronze.dead_letters SELECT * FROM lost",
            ),
            (
                "UPDATE streamflow.removed_dead_letters SET events = events - 1",
                "UPDATE streamflow.removed_dead_letters SET events = events + 1",
            ),
        ],
    );

    send(5, 50);
    catch_up(&parts);
    client
        .batch_execute("UPDATE bronze.dead_letters SET ingested_at = ingested_at - interval '40 days'")
        .unwrap();
    forget_published(&parts, "dead_letters", 1);
    let (printed, code) = maintain(&parts, &LETTERS);
    assert_eq!(
        (count(&mut client, "bronze.dead_letters"), code),
        (1, 0),
        "the last one says how far numbers are: {printed}"
    );
    send(3, 50);
    catch_up(&parts);
    assert_eq!(count(&mut client, "bronze.dead_letters"), 4);
    assert_verified(&parts, &["--from-bronze"], "");
}

/// Transactions may be 31 days old, and can be amended for five.
fn settings() -> Value {
    json!({
        "correction_retention_days": 5,
        // Partitions need not wait for each other: payments are rare.
        "pipeline": {"idle_allowance_seconds": 1, "alignment_seconds": 604_800},
        "maintenance": {"transactions_days": 31, "alert_history_days": 30},
    })
}

const DAY: i64 = 86_400;
/// The payments before maintenance last so many days, up to the begin of the test.
const BEFORE: i64 = 60;
/// Payments a day.
const PAYMENTS: i64 = 40;
const CUSTOMERS: i64 = 12;

/// Payloads, each with when it is appended, seconds after `begin`.
struct Events {
    begin: chrono::DateTime<chrono::Utc>,
}

impl Events {
    fn time(&self, seconds: i64) -> String {
        (self.begin + chrono::Duration::seconds(seconds)).to_rfc3339()
    }

    /// Payments that were small at first. Two customers stay away from the twentieth day on.
    fn payment(&self, number: i64) -> (i64, Value) {
        let at = number * DAY / PAYMENTS;
        let (day, amount) = (at / DAY, if at < 31 * DAY { "20.00" } else { "200.00" });
        let amount = if number % 97 == 5 { "1900.00" } else { amount };
        let customer = (number * 7 + day) % if day < 20 { CUSTOMERS + 2 } else { CUSTOMERS };
        let currency = if number % 11 == 0 { "USD" } else { "BRL" };
        let payment = json!({
            "transaction_id": format!("t-{number}"), "customer_id": format!("c-{customer}"),
            "store_id": format!("s-{}", number % 3), "payment_method": "pix", "amount": amount, "currency": currency,
            "timestamp": self.time(at), "latitude": -23.5, "longitude": -46.6,
        });
        (at, payment)
    }

    fn payments(&self) -> Vec<(i64, Value)> {
        (0..BEFORE * PAYMENTS).map(|number| self.payment(number)).collect()
    }

    /// What all customers pay after maintenance, also those who have stayed away.
    fn new_payments(&self) -> Vec<(i64, Value)> {
        let payment = |customer: i64| {
            let at = BEFORE * DAY + customer;
            let (_, mut payment) = self.payment(0);
            payment["transaction_id"] = json!(format!("new-{customer}"));
            payment["customer_id"] = json!(format!("c-{customer}"));
            payment["amount"] = json!("500.00");
            payment["timestamp"] = json!(self.time(at));
            (at, payment)
        };
        (0..CUSTOMERS + 2).map(payment).collect()
    }

    /// A new version of a payment, appended after maintenance.
    fn amended(&self, number: i64, change: &Value) -> (i64, Value) {
        let (_, mut payment) = self.payment(number);
        payment["revision"] = json!(1);
        payment.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        (BEFORE * DAY, payment)
    }

    /// Corrections and voids of final transactions of the last days before maintenance, which come after it.
    fn amendments(&self) -> Vec<(i64, Value)> {
        let numbers = ((BEFORE - 4) * PAYMENTS..BEFORE * PAYMENTS - 2).step_by(3);
        let amendment = |number: i64| {
            let change = match number % 4 {
                0 => json!({"voided": true}),
                1 => json!({"amount": "500.00"}),
                2 => json!({"amount": "5.00", "store_id": "s-0"}),
                _ => json!({"timestamp": self.time((BEFORE - 20) * DAY + number)}),
            };
            self.amended(number, &change)
        };
        numbers.map(amendment).collect()
    }

    /// Amendments that need what is gone: of a transaction that was removed, and of a young one that would lie among
    /// them.
    fn refused(&self) -> Vec<(i64, Value)> {
        let young = (BEFORE - 2) * PAYMENTS + 1;
        vec![
            self.amended(3, &json!({"voided": true})),
            self.amended(4, &json!({"amount": "7.00"})),
            self.amended(young, &json!({"revision": 2, "timestamp": self.time(10 * DAY)})),
        ]
    }

    fn send(&self, parts: &Parts, events: &[(i64, Value)]) {
        let topic = parts.topic("transactions");
        let fill = |producer: &Producer| {
            for (appended, payload) in events {
                let time = (self.begin + chrono::Duration::seconds(*appended)).timestamp_millis();
                let key = payload["customer_id"].as_str().unwrap();
                producer
                    .send(&topic, key.as_bytes(), Some(payload.to_string().as_bytes()), Some(time))
                    .unwrap();
            }
        };
        parts.fill_with_the_past(&topic, &[("retention.ms", "-1")], fill);
    }
}

/// Alerts of the first days were raised when their transactions came.
const AGED: &str = "CREATE TEMP TABLE aged AS SELECT transaction_id FROM silver.transactions \
         WHERE transaction_at < (SELECT min(transaction_at) FROM silver.transactions) + interval '20 days'; \
     UPDATE gold.fraud_alert_history SET raised_at = raised_at - interval '200 days', \
         revised_at = revised_at - interval '200 days', withdrawn_at = withdrawn_at - interval '200 days' \
     WHERE transaction_id IN (TABLE aged); \
     UPDATE gold.fact_fraud_alerts SET detected_at = detected_at - interval '200 days', \
         revised_at = revised_at - interval '200 days' WHERE transaction_id IN (TABLE aged); \
     UPDATE bronze.raw_fraud_alerts SET detected_at = detected_at - interval '200 days' \
     WHERE transaction_id IN (TABLE aged)";

/// What both pipelines must have alike: everything in gold, and what is left in silver.
const ALIKE: [&str; 7] = [
    "SELECT (customer_id, currency, transaction_count, total_amount, avg_amount, first_seen, last_seen, hour_mean, hour_std, \
         alert_count)::text FROM gold.customer_profile ORDER BY 1",
    "SELECT (date_key, total_txns, total_alerts, top_rule, avg_score)::text FROM gold.agg_daily_fraud ORDER BY 1",
    "SELECT (hour_timestamp, store_id, currency, transaction_count, total_amount, fraud_count, distinct_customers)::text \
         FROM gold.agg_hourly_sales JOIN gold.dim_store USING (store_key) ORDER BY 1",
    "SELECT (date_key, store_id, currency, transaction_count, total_amount, alert_count)::text \
         FROM gold.store_performance JOIN gold.dim_store USING (store_key) ORDER BY 1",
    "SELECT (date_key, rule_id, hits, alerts, alerts_alone, avg_score)::text FROM gold.rule_performance ORDER BY 1",
    "SELECT (transaction_id, customer_id, amount, currency, transaction_at, fraud_score, rules_triggered, is_fraud, voided, \
         revision)::text FROM silver.clean_transactions WHERE transaction_at >= $1 ORDER BY 1",
    "SELECT (transaction_id, fraud_score, rules_triggered, rule_details::jsonb, transaction_amount)::text \
         FROM gold.fact_fraud_alerts WHERE transaction_at >= $1 ORDER BY 1",
];

fn assert_alike(kept: &mut Client, maintained: &mut Client) {
    let from = "SELECT streamflow.kept_from('silver.transactions')";
    let from: chrono::DateTime<chrono::Utc> = maintained.query_one(from, &[]).unwrap().get(0);
    for sql in ALIKE {
        let sql = if sql.contains("$1") {
            sql.to_owned()
        } else {
            format!("SELECT * FROM ({sql}) AS t WHERE $1::timestamptz IS NOT NULL")
        };
        let rows = |client: &mut Client| -> Vec<String> {
            client.query(&sql, &[&from]).unwrap().iter().map(|row| row.get(0)).collect()
        };
        let (expected, found) = (rows(kept), rows(maintained));
        assert!(expected.len() > 3, "{sql}: {expected:?}");
        assert_eq!(found, expected, "{sql}");
    }
}

#[test]
fn transactions_go_and_all_else_is_as_if_they_were_there() {
    let events = Events { begin: chrono::Utc::now() - chrono::Duration::days(BEFORE) };
    let (all, parts) = (Parts::start("kept", 2, &settings()), start_with("removed", &settings()));
    let mut client = parts.connect();
    for parts in [&all, &parts] {
        events.send(parts, &events.payments());
        catch_up(parts);
    }
    client.batch_execute(AGED).unwrap();
    forget_published(&parts, "alerts", 3);
    let (before, alerts) =
        (count(&mut client, "silver.transactions"), count(&mut client, "gold.fact_fraud_alerts"));
    assert_verified(&parts, &["--from-bronze"], "");
    let (printed, code) = maintain(&parts, &["--dry-run"]);
    assert!(code == 0 && printed.contains("would be deleted: silver.transactions: "), "{printed}");
    let (printed, code) = maintain(&parts, &[]);
    assert!(code == 0 && printed.contains("deleted silver.transactions: "), "{printed}");
    let gone = before - count(&mut client, "silver.transactions");
    assert!(gone > 20 * PAYMENTS && gone < 29 * PAYMENTS, "{gone} of {before}: {printed}");
    assert!(count(&mut client, "gold.fact_fraud_alerts") < alerts, "alerts go along");
    let told = "(SELECT FROM silver.transactions WHERE transaction_at < streamflow.kept_from('silver.transactions')) AS told";
    assert!(count(&mut client, told) > 0, "those of which the history tells stay");
    assert_verified(&parts, &["--from-bronze"], "old transactions were removed from silver");
    assert_found(
        &parts,
        &mut client,
        &[
            (
                "UPDATE streamflow.removed_transactions SET alert_count = alert_count + 1 WHERE customer_key = 3",
                "UPDATE streamflow.removed_transactions SET alert_count = alert_count - 1 WHERE customer_key = 3",
            ),
            (
                "CREATE TEMP TABLE lost AS SELECT * FROM silver.transactions WHERE NOT is_fraud ORDER BY transaction_at LIMIT 1; \
                 DELETE FROM silver.transactions AS t USING lost WHERE t.transaction_id = lost.transaction_id",
                "INSERT INTO silver.transactions SELECT * FROM lost",
            ),
            (
                "UPDATE gold.store_performance SET transaction_count = transaction_count + 1 WHERE date_key = \
                     (SELECT max(date_key) FROM gold.store_performance)",
                "UPDATE gold.store_performance SET transaction_count = transaction_count - 1 WHERE date_key = \
                     (SELECT max(date_key) FROM gold.store_performance)",
            ),
        ],
    );

    let new = [events.new_payments(), events.amendments()].concat();
    events.send(&all, &new);
    catch_up(&all);
    exactness::verify(&all);
    events.send(&parts, &[new, events.refused()].concat());
    catch_up(&parts);
    let sql = "SELECT bronze.payload_jsonb(payload) ->> 'transaction_id' || ' ' || reason || ': ' || message \
         FROM bronze.dead_letters ORDER BY 1";
    let letters: Vec<String> = client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(letters.len(), 3, "{letters:#?}");
    assert!(letters.iter().all(|letter| letter.contains(" too_late: timestamp ")), "{letters:#?}");
    let removed = letters.iter().filter(|letter| letter.ends_with("before which transactions are removed"));
    assert_eq!(removed.count(), 2, "{letters:#?}");
    assert_alike(&mut all.connect(), &mut client);
    assert_verified(&parts, &[], "");
    for _ in 0..2 {
        let (printed, code) = maintain(&parts, &[]);
        assert_eq!(code, 0, "{printed}");
        catch_up(&parts);
        assert_verified(&parts, &[], "");
    }
    assert_alike(&mut all.connect(), &mut client);
}

#[test]
fn a_transaction_that_a_waiting_event_can_mean_stays() {
    let parts = start_with("meant", &json!({"correction_retention_days": 1}));
    let mut client = parts.connect();
    client
        .batch_execute(
            "UPDATE streamflow.progress SET time_zone = 'America/Sao_Paulo'; \
             INSERT INTO gold.dim_customer VALUES (1, 'c', NULL, NULL, NULL, NULL, NULL, NULL, true); \
             INSERT INTO silver.transactions (transaction_at, amount_cents, source_offset, revision, customer_key, store_key, \
                 date_key, topic_key, source_partition, score_thousandths, is_fraud, voided, currency, transaction_id) \
             SELECT at, 250, 0, 0, 1, 1, 20250529, 1, 0, 0, false, at < '2025-03-01', 'BRL', at::text FROM unnest(ARRAY[ \
                 timestamptz '2025-02-01T12:00:00Z', '2025-04-01T12:00:00Z', '2025-05-29T02:59:59.999999Z', \
                 '2025-05-29T03:00:00Z']) AS at; \
             INSERT INTO streamflow.pending_events SELECT 0, false, at, at, at, at, '2025-04-01T12:00:00Z', 0, 0, 't', NULL, '' \
             FROM (SELECT timestamptz '2025-06-01T00:00:00Z' AS at) AS event",
        )
        .unwrap();
    set_watermark(&mut client, "2025-06-30T12:00:00Z");
    let days = ["--set", "maintenance.transactions_days=32"];
    let (printed, code) = maintain(&parts, &days);
    assert_eq!((count(&mut client, "silver.transactions"), code), (3, 0), "{printed}");
    assert_eq!(count(&mut client, "streamflow.removed_transactions"), 0, "what is voided is in no sum");
    client.batch_execute("DELETE FROM streamflow.pending_events").unwrap();
    let (printed, code) = maintain(&parts, &days);
    assert_eq!((count(&mut client, "silver.transactions"), code), (1, 0), "whole local days go: {printed}");
    let sums = "SELECT (first_seen = '2025-04-01T12:00:00Z', last_seen = '2025-05-29T02:59:59.999999Z', transaction_count, \
         minute_sum, minute_square_sum, alert_count, customer_key, currency, amount_cents)::text \
         FROM streamflow.removed_transactions";
    // Nine o'clock, and the last minute of the day.
    let (morning, midnight) = (9 * 60, 23 * 60 + 59);
    let squares = morning * morning + midnight * midnight;
    let expected = format!("(t,t,2,{},{squares},0,1,BRL,500)", morning + midnight);
    assert_eq!(client.query_one(sums, &[]).unwrap().get::<_, String>(0), expected);
}
