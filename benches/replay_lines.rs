//! Is replay's own line writer worth it? `cargo bench --bench replay_lines`
//!
//! The line of `silver/clean_transactions.jsonl` by our writer and by two serializers of the same row: no
//! string is allocated for them, and all write the same bytes. Medians of alternating rounds.
#![allow(clippy::unwrap_used, dead_code)]

#[path = "../src/replay/line.rs"]
mod line;
#[path = "../src/replay/rows.rs"]
mod rows;

use serde::{Serialize, Serializer};
use std::fmt::Display;
use std::hint::black_box;
use std::time::Instant;
use streamflow_dataflow::decode::decode_payload;
use streamflow_dataflow::score::{Settled, Verdict};
use streamflow_model::{Cents, PartitionId, Score, Source};

const LINES: usize = 20_000;
const ROUNDS: usize = 21;
const TOPIC: &str = "traffic.jsonl";

#[derive(Serialize)]
struct Row<'a> {
    transaction_id: &'a str,
    customer_id: &'a str,
    store_id: &'a str,
    product_id: Option<&'a str>,
    #[serde(serialize_with = "shown")]
    amount: Cents,
    currency: &'a str,
    payment_method: Option<&'a str>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    #[serde(serialize_with = "instant")]
    transaction_at: i64,
    #[serde(serialize_with = "shown")]
    fraud_score: Score,
    #[serde(serialize_with = "ids")]
    rules_triggered: &'a Verdict,
    is_fraud: bool,
    voided: bool,
    revision: u32,
    source_topic: &'a str,
    source_partition: u16,
    source_offset: u64,
}

fn shown<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// By the writer's own function, so that the serializers alone are compared.
fn instant<S: Serializer>(micros: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(std::str::from_utf8(&line::instant(*micros)).unwrap_or_default())
}

fn ids<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(verdict.hits.iter().map(|hit| hit.rule))
}

impl<'a> Row<'a> {
    fn new(settled: &'a Settled) -> Self {
        let Settled { transaction, verdict, .. } = settled;
        Self {
            transaction_id: &transaction.id,
            customer_id: &transaction.customer,
            store_id: &transaction.store,
            product_id: transaction.product.as_deref(),
            amount: transaction.amount,
            currency: transaction.currency.as_str(),
            payment_method: transaction.payment_method.as_deref(),
            latitude: transaction.place.map(|place| place.latitude_degrees()),
            longitude: transaction.place.map(|place| place.longitude_degrees()),
            transaction_at: transaction.event_time,
            fraud_score: verdict.score,
            rules_triggered: verdict,
            is_fraud: verdict.alert,
            voided: transaction.voided,
            revision: transaction.revision,
            source_topic: TOPIC,
            source_partition: transaction.source.partition().partition(),
            source_offset: transaction.source.offset(),
        }
    }
}

fn settled(number: usize) -> Settled {
    let payload = format!(
        r#"{{"transaction_id":"txn-{number:016x}","customer_id":"cust-{:012x}","store_id":"store-{:08x}","product_id":"prod-{:04}","amount":"{}.{:02}","payment_method":"credit_card","latitude":-23.55052,"longitude":-46.63331,"timestamp":"2026-02-01T02:{:02}:{:02}.250-03:00"}}"#,
        number * 7919,
        number % 200,
        number % 500,
        number % 900 + 1,
        number % 100,
        number / 60 % 60,
        number % 60,
    );
    let decoded = decode_payload(payload.as_bytes(), Source::new(PartitionId::FIRST, number as u64)).unwrap();
    let verdict = Verdict::default();
    Settled { transaction: decoded.transaction.as_ref().clone(), verdict, alert_changes: 0 }
}

/// What is written, and nanoseconds a line.
fn round(rows: &[Settled], write: impl Fn(&mut Vec<u8>, &Settled)) -> (Vec<u8>, f64) {
    let mut file = Vec::with_capacity(LINES * 600);
    let started = Instant::now();
    for row in rows {
        write(&mut file, black_box(row));
    }
    let nanoseconds = started.elapsed().as_secs_f64() * 1e9 / LINES as f64;
    (file, nanoseconds)
}

fn main() {
    let rows: Vec<Settled> = (0..LINES).map(settled).collect();
    let mut rounds = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let (ours, time) = round(&rows, |file, row| rows::write_clean_transaction(file, row, TOPIC));
        rounds[0].push(time);
        let (serde, time) = round(&rows, |file, row| {
            serde_json::to_writer(&mut *file, &Row::new(row)).unwrap();
            file.push(b'\n');
        });
        rounds[1].push(time);
        let (sonic, time) = round(&rows, |file, row| {
            sonic_rs::to_writer(&mut *file, &Row::new(row)).unwrap();
            file.push(b'\n');
        });
        rounds[2].push(time);
        assert!(ours == serde && ours == sonic, "they differ");
    }
    for (name, mut times) in ["replay's writer", "serde_json", "sonic-rs"].iter().zip(rounds) {
        times.sort_by(f64::total_cmp);
        println!("{name:<16} {:>6.0} ns a line (median of {ROUNDS})", times[ROUNDS / 2]);
    }
}
