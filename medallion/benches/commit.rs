//! What does a worker pay to prepare a commit? `cargo bench -p streamflow-medallion --bench commit`
//!
//! Changes as they leave the graph, merged by key: events as received, which are encoded as rows at once; scored
//! transactions, which the committer encodes; and the encoder alone, on a row as wide as a transaction's.

// What the macros of the library make needs no comment.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use streamflow_connectors::postgres::{CopyRows, Fields};
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::decode::decode_payload;
use streamflow_dataflow::score::{Scored, ShownVerdict};
use streamflow_medallion::{Changes, Topics};
use streamflow_model::{PartitionId, Received, Source, Transaction};

const EVENTS: u64 = 10_000;
/// Ingest time, ms since 1970.
const TIME: u64 = 1_769_943_600_000;

struct Event {
    received: Received,
    scored: Scored,
}

fn event(number: u64) -> Event {
    let payload = format!(
        r#"{{"transaction_id":"txn-{number:016x}","customer_id":"cust-{:012x}","store_id":"store-{:08x}","product_id":"prod-{:04}","amount":"{}.50","currency":"BRL","payment_method":"credit_card","latitude":-23.55052,"longitude":-46.63331,"timestamp":"2026-02-01T12:00:00Z","schema_version":1,"revision":0,"voided":false}}"#,
        number % 1000,
        number % 200,
        number % 500,
        number % 900 + 1,
    );
    let source = Source::new(PartitionId::FIRST, number);
    let decoded = decode_payload(payload.as_bytes(), source).unwrap();
    let received = Received {
        source,
        record_time: Some(decoded.transaction.event_time),
        final_before: None,
        event_time: decoded.transaction.event_time,
        schema_version: decoded.schema_version,
        payload: payload.into_bytes().into(),
    };
    let verdict = ShownVerdict::default();
    let scored =
        Scored { transaction: decoded.transaction, verdict, first_in_minute: true, alert_changes: 0 };
    Event { received, scored }
}

/// A row with the fields of `silver.transactions`, but for keys, which are read from dimensions.
fn encode(rows: &mut CopyRows, transaction: &Transaction) {
    rows.begin();
    rows.instant(transaction.event_time);
    rows.int8(transaction.amount.0);
    rows.count(transaction.source.offset());
    rows.int8(i64::from(transaction.revision));
    (0..4).for_each(|key| rows.int4(key));
    rows.nullable(transaction.place.map(|place| place.latitude), Fields::int4);
    rows.nullable(transaction.place.map(|place| place.longitude), Fields::int4);
    (0..3).for_each(|number| rows.int2(number));
    rows.null();
    rows.boolean(false);
    rows.boolean(transaction.voided);
    rows.text(transaction.currency.as_str());
    rows.nullable(transaction.payment_method.as_deref(), |rows, text| rows.text(text));
    rows.null();
    rows.text(&transaction.id);
}

fn commit(criterion: &mut Criterion) {
    let events: Vec<Event> = (0..EVENTS).map(event).collect();
    let topics = Arc::new(Topics::new(["transactions.raw"]));
    let mut group = criterion.benchmark_group("commit");
    group.throughput(Throughput::Elements(EVENTS));
    let received = || events.iter().map(|event| ViewChange::Received(event.received.clone())).collect();
    let scored = || events.iter().map(|event| ViewChange::Scored(event.scored.clone(), 1)).collect();
    let cases: [(&str, &dyn Fn() -> Vec<ViewChange>); 2] = [("received", &received), ("scored", &scored)];
    for (name, changes) in cases {
        group.bench_function(name, |bencher| {
            let push = |changes: Vec<ViewChange>| {
                let mut batch = Changes::new(Arc::clone(&topics));
                changes.into_iter().for_each(|change| batch.push(TIME, change));
                batch
            };
            bencher.iter_batched(changes, push, BatchSize::LargeInput);
        });
    }
    group.bench_function("encode", |bencher| {
        let mut rows = CopyRows::new(20);
        bencher.iter(|| {
            rows.clear();
            events.iter().for_each(|event| encode(&mut rows, &event.scored.transaction));
            black_box(rows.bytes())
        });
    });
    group.finish();
}

criterion_group!(benches, commit);
criterion_main!(benches);
