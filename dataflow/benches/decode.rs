//! How fast are events decoded, and by which JSON parser? `cargo bench -p streamflow-dataflow --bench decode`
//!
//! Both parsers walk the same fields; what differs is the raw value type. Medians of alternating rounds.

use serde_json::value::RawValue;
use std::borrow::Cow;
use std::hint::black_box;
use std::time::Instant;
use streamflow_dataflow::decode::decode_payload;
use streamflow_dataflow::decode::fields::{FieldsOf, RawJson};
use streamflow_model::{PartitionId, Source};

const EVENTS: usize = 20_000;
const ROUNDS: usize = 21;

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

/// Nanoseconds an event.
fn round(events: &[Vec<u8>], decode: impl Fn(&[u8])) -> f64 {
    let started = Instant::now();
    events.iter().for_each(|event| decode(event));
    started.elapsed().as_secs_f64() * 1e9 / EVENTS as f64
}

fn main() {
    let events = events();
    let source = Source::new(PartitionId::FIRST, 0);
    let mut rounds = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        rounds[0].push(round(&events, |event| drop(black_box(decode_payload(event, source)))));
        rounds[1].push(round(&events, |event| {
            black_box(sonic_rs::from_slice::<FieldsOf<'_, sonic_rs::LazyValue<'_>>>(event).is_ok());
        }));
        rounds[2].push(round(&events, |event| {
            black_box(serde_json::from_slice::<FieldsOf<'_, SerdeRaw<'_>>>(event).is_ok());
        }));
    }
    for (name, mut times) in
        ["decode, whole", "fields by sonic-rs", "fields by serde_json"].iter().zip(rounds)
    {
        times.sort_by(f64::total_cmp);
        println!("{name:<22} {:>6.0} ns an event (median of {ROUNDS})", times[ROUNDS / 2]);
    }
}
