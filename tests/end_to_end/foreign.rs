//! Events of a producer that is none of ours: kcat writes them, key and value by tab and line.

use serde_json::{Value, json};

/// Minutes before now, as RFC 3339.
fn minutes_ago(minutes: f64) -> String {
    let at = chrono::Utc::now() - chrono::Duration::milliseconds((minutes * 60_000.0) as i64);
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// Lines for kcat.
#[derive(Default)]
pub struct Batch {
    /// Key, tab, value, line by line.
    pub bytes: Vec<u8>,
    /// How many.
    pub events: i64,
}

impl Batch {
    fn raw(&mut self, value: impl AsRef<[u8]>) {
        self.keyed("foreign-raw", value);
    }

    /// An event with its key.
    pub fn keyed(&mut self, key: &str, value: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(key.as_bytes());
        self.bytes.push(b'\t');
        self.bytes.extend_from_slice(value.as_ref());
        self.bytes.push(b'\n');
        self.events += 1;
    }

    /// An acceptable event, changed by `more`; null takes a field away.
    fn event(&mut self, id: &str, minutes: f64, more: &Value) {
        let customer = more["customer_id"].as_str().unwrap_or("foreign-customer").to_owned();
        let mut event = json!({
            "transaction_id": format!("foreign-{id}"), "customer_id": customer, "store_id": "foreign-store",
            "amount": "10.00", "timestamp": minutes_ago(minutes),
        });
        let fields = event.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        fields.retain(|_, value| !value.is_null());
        self.keyed(&customer, event.to_string());
    }
}

/// Ordinary events of 40 customers, copies, late ones, and a burst: nine payments within nine minutes, whose
/// ninth scores 0.8.
pub fn ordinary() -> Batch {
    let mut batch = Batch::default();
    for number in 0..200 {
        let customer = format!("foreign-{}", number % 40);
        let late = if number % 7 == 0 { 45.0 } else { 1.0 };
        batch.event(
            &format!("plain-{number}"),
            late,
            &json!({"customer_id": customer, "payment_method": "pix"}),
        );
    }
    batch.event("number", 1.0, &json!({"amount": 12.5, "schema_version": 2, "note": {"kept": [1, null]}}));
    batch.event("placed", 1.0, &json!({"latitude": -23.55052, "longitude": -46.63331, "product_id": "é"}));
    batch.event("corrected", 30.0, &json!({}));
    batch.event("voided", 30.0, &json!({}));
    for number in 1..=9 {
        let customer = json!({"customer_id": "foreign-burst"});
        batch.event(&format!("burst-{number}"), 12.0 - f64::from(number), &customer);
    }
    batch
}

/// Copies, corrections and voids of what [`ordinary`] wrote; without its third payment the burst's ninth
/// scores 0.6.
pub fn changes() -> Batch {
    let mut batch = Batch::default();
    for number in 0..20 {
        let customer = format!("foreign-{}", number % 40);
        batch.event(&format!("plain-{number}"), 1.0, &json!({"customer_id": customer}));
    }
    batch.event("corrected", 30.0, &json!({"revision": 2, "amount": "20.00"}));
    batch.event("corrected", 30.0, &json!({"revision": 1, "amount": "15.00"}));
    batch.event("voided", 30.0, &json!({"revision": 1, "voided": true}));
    batch.event("burst-3", 9.0, &json!({"customer_id": "foreign-burst", "revision": 1, "voided": true}));
    batch
}

/// What [`changes`] adds to the accounts of events that are kept.
pub const DUPLICATES: i64 = 20;

/// Events that cannot be accepted. [`REFUSED`] says how many there are of each reason.
pub fn refused() -> Batch {
    let mut batch = Batch::default();
    let text = |length: usize| "x".repeat(length);
    for (number, more) in [
        json!({"amount": "-1.00"}),
        json!({"amount": "0.00"}),
        json!({"amount": "1.005"}),
        json!({"amount": "1234567890123"}),
        json!({"currency": "brl"}),
        json!({"latitude": 1.5}),
        json!({"latitude": 90.5, "longitude": 0}),
        json!({"timestamp": "2026-02-01T02:00:18"}),
        json!({"store_id": text(51)}),
        json!({"product_id": text(51)}),
        json!({"payment_method": text(31)}),
        json!({"transaction_id": ""}),
        json!({"transaction_id": "foreign\u{7}"}),
        json!({"revision": -1}),
        json!({"voided": "yes"}),
    ]
    .into_iter()
    .enumerate()
    {
        batch.event(&format!("invalid-{number}"), 1.0, &more);
    }
    for field in ["transaction_id", "customer_id", "store_id", "amount", "timestamp"] {
        batch.event("missing", 1.0, &json!({field: null}));
    }
    batch.event("large", 1.0, &json!({"note": text(64 * 1024)}));
    batch.event("future", -10.0, &json!({}));
    batch.event("old", 70.0, &json!({}));
    batch.event("plain-1", 1.0, &json!({"customer_id": "foreign-thief"}));
    batch.raw("{\"transaction_id\": ");
    batch.raw("null");
    batch.raw("[1, 2]");
    batch.raw(b"{\"transaction_id\": \"\xff\xfe\"}");
    batch.raw("");
    batch
}

/// Dead letters by reason that [`refused`] leads to.
pub const REFUSED: [(&str, i64); 7] = [
    ("conflicting_identity", 1),
    ("future_timestamp", 1),
    ("invalid_field", 15),
    ("malformed_json", 5),
    ("missing_field", 5),
    ("too_large", 1),
    ("too_late", 1),
];
