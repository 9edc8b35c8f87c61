//! Decoding never panics, accepts nothing that is no JSON object, and agrees with the oracle's on every
//! payload. `STREAMFLOW_FUZZ_SECONDS` sets how long each test looks for a counter-example.

use crate::dice::Dice;
use crate::payload::{Draft, PLACES, write, write_invalid, write_malformed};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use streamflow_dataflow::decode::Event;
use streamflow_model::{PartitionId, Record, Source, Transaction};
use streamflow_oracle::{Decoded, decode};

fn fuzz(payload: impl Fn(&mut Dice) -> Vec<u8>) {
    let seconds = std::env::var("STREAMFLOW_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let deadline = Instant::now() + Duration::from_secs(seconds.unwrap_or(2));
    let mut seed = 0;
    while Instant::now() < deadline {
        for _ in 0..100 {
            seed += 1;
            check(&payload(&mut Dice::new(seed)), seed);
        }
    }
}

/// The outcome on which both must agree.
fn check(payload: &[u8], seed: u64) {
    let shown = || String::from_utf8_lossy(payload).into_owned();
    let record = Record {
        source: Source::new(PartitionId::FIRST, 0),
        appended_at: None,
        key: None,
        payload: Some(payload.to_vec().into()),
        full_length: payload.len() as u64,
    };
    let Event { record, decoded: graph } = Event::from(record);
    if graph.is_ok() {
        let json = record.payload.as_deref().unwrap();
        let object = serde_json::from_slice::<BTreeMap<String, &RawValue>>(json);
        assert!(object.is_ok(), "seed {seed}: {object:?}: {:?}", shown());
    }
    let graph = graph.map(|decoded| plain(&decoded.transaction, decoded.schema_version));
    let graph = graph.map_err(|refusal| (refusal.reason.as_str(), refusal.invalid_amount));
    let oracle = decode(Some(payload)).map(to_the_unit);
    let oracle = oracle.map_err(|refusal| (refusal.reason, refusal.invalid_amount));
    assert_eq!(graph, oracle, "seed {seed}: {:?}", shown());
}

fn plain(transaction: &Transaction, schema_version: u32) -> Decoded {
    let text = |id: &streamflow_model::Id| id.to_string();
    Decoded {
        transaction_id: text(&transaction.id),
        customer_id: text(&transaction.customer),
        store_id: text(&transaction.store),
        product_id: transaction.product.as_ref().map(text),
        payment_method: transaction.payment_method.as_ref().map(text),
        cents: transaction.amount.0,
        currency: transaction.currency.to_string(),
        place: transaction.place.map(|place| (place.latitude_degrees(), place.longitude_degrees())),
        event_time: transaction.event_time,
        schema_version,
        revision: transaction.revision,
        voided: transaction.voided,
    }
}

/// Places to seven decimals, as the graph keeps them.
fn to_the_unit(decoded: Decoded) -> Decoded {
    let unit = |degrees: f64| (degrees * 1e7).round() / 1e7;
    let place = decoded.place.map(|place| (unit(place.0) + 0.0, unit(place.1) + 0.0));
    Decoded { place, ..decoded }
}

fn draft(dice: &mut Dice) -> Draft {
    Draft {
        id: format!("t-{:x}", dice.between(0, i64::MAX)),
        customer: (*dice.pick(&["c-1", "José", "客户", r"a\u0041\n"])).to_owned(),
        store: "s-1".to_owned(),
        product: dice.chance(50).then(|| "p-1".to_owned()),
        payment_method: dice.chance(50).then(|| "pix".to_owned()),
        cents: dice.between(1, 99_999_999),
        currency: if dice.chance(50) { Some("USD") } else { None },
        place: if dice.chance(50) { Some(*dice.pick(&PLACES)) } else { None },
        event_time: dice.between(0, 4_000_000_000_000_000),
        schema_version: dice.between(0, 2) as u32,
        revision: dice.between(0, 3) as u32,
        voided: dice.chance(10),
    }
}

#[test]
fn written_payloads_are_read_alike() {
    fuzz(|dice| {
        let draft = draft(dice);
        match dice.below(3) {
            0 => write(&draft, dice),
            1 => write_invalid(&draft, dice),
            _ => write_malformed(&draft, dice).unwrap_or_default(),
        }
    });
}

#[test]
fn mutated_payloads_are_read_alike() {
    const TOKENS: [&[u8]; 24] = [
        b"\"",
        b"\\",
        b"\\u00",
        b"\\ud800",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"null",
        b"true",
        b"-",
        b"0",
        b"1e9",
        b".",
        b"E",
        b"\x00",
        b"\x1f",
        b"\n",
        b"\xff",
        b"\xc3\xa9",
        b"\xed\xa0\x80",
        b"transaction_id",
    ];
    fuzz(|dice| {
        let draft = draft(dice);
        let mut payload = write(&draft, dice);
        for _ in 0..dice.between(1, 4) {
            let place = dice.below(payload.len() + 1);
            let end = (place + dice.below(6)).min(payload.len());
            match dice.below(4) {
                0 => drop(payload.drain(place..end)),
                1 => payload.insert(place, dice.below(256) as u8),
                2 => drop(payload.splice(place..end, dice.pick(&TOKENS).iter().copied())),
                _ => {
                    let copy = payload[place..end].to_vec();
                    let target = dice.below(payload.len() + 1);
                    payload.splice(target..target, copy);
                }
            }
        }
        payload
    });
}

#[test]
fn arbitrary_bytes_are_read_alike() {
    fuzz(|dice| {
        let all = dice.chance(50);
        let byte =
            |dice: &mut Dice| if all { dice.below(256) as u8 } else { *dice.pick(br#"{}[]":,\u0-9e. tfn"#) };
        (0..dice.below(40)).map(|_| byte(dice)).collect()
    });
}

#[test]
fn depth_does_no_harm() {
    let object = r#"{"transaction_id": "t", "customer_id": "c", "store_id": "s", "amount": 1, "timestamp": "2026-02-01T00:00:00Z", "x": "#;
    for depth in [10, 127, 128, 129, 1000, 30_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let depth = depth.min(60_000 / open.len());
            let payload = format!("{object}{}0{}}}", open.repeat(depth), close.repeat(depth));
            if payload.len() <= 64 * 1024 {
                check(payload.as_bytes(), depth as u64);
            }
            check(format!("{object}{}", open.repeat(depth)).as_bytes(), depth as u64);
        }
    }
}
