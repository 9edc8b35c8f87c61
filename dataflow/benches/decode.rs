//! How fast are events decoded, and by which JSON parser? `cargo bench -p streamflow-dataflow --bench decode`
//!
//! Both parsers walk the same fields; what differs is the raw value type.

// What the macros of the library make needs no comment.
#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::hint::black_box;
use streamflow_dataflow::decode::decode_payload;
use streamflow_dataflow::decode::fields::{FieldsOf, RawJson};
use streamflow_model::{PartitionId, Source};

const EVENTS: usize = 20_000;

/// Serde's own parser, for comparison.
#[derive(serde::Deserialize)]
struct SerdeRaw<'a>(#[serde(borrow)] &'a RawValue);

impl<'de> RawJson<'de> for SerdeRaw<'de> {
    fn text(self) -> Cow<'de, str> {
        Cow::Borrowed(self.0.get())
    }
}

fn events() -> Vec<Vec<u8>> {
    let event = |number: usize| {
        format!(
            r#"{{"transaction_id":"txn-{number:016x}","customer_id":"cust-{:012x}","store_id":"store-{:08x}","product_id":"prod-{:04}","amount":"{}.{:02}","currency":"BRL","payment_method":"credit_card","latitude":-23.55052,"longitude":-46.63331,"timestamp":"2026-02-01T02:{:02}:{:02}.250-03:00","schema_version":1,"revision":0,"voided":false}}"#,
            number * 7919,
            number % 200,
            number % 500,
            number % 900 + 1,
            number % 100,
            number / 60 % 60,
            number % 60,
        )
        .into_bytes()
    };
    (0..EVENTS).map(event).collect()
}

fn decode(criterion: &mut Criterion) {
    let events = events();
    let source = Source::new(PartitionId::FIRST, 0);
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("whole", |bencher| {
        bencher.iter(|| {
            for event in &events {
                drop(black_box(decode_payload(event, source)));
            }
        });
    });
    group.bench_function("fields by sonic-rs", |bencher| {
        bencher.iter(|| {
            for event in &events {
                black_box(sonic_rs::from_slice::<FieldsOf<'_, sonic_rs::LazyValue<'_>>>(event).is_ok());
            }
        });
    });
    group.bench_function("fields by serde_json", |bencher| {
        bencher.iter(|| {
            for event in &events {
                black_box(serde_json::from_slice::<FieldsOf<'_, SerdeRaw<'_>>>(event).is_ok());
            }
        });
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
