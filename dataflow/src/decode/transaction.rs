//! Validation of each field.

use super::fields::{Field, Fields};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use streamflow_model::place::parse_degrees;
use streamflow_model::{Cents, Currency, Id, Place, Reason, Source, Transaction, timestamp};

/// The newest schema version whose fields are all known here; of a newer one only the known fields are read.
pub const SCHEMA_VERSION: u32 = 1;

/// A transaction as decoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decoded {
    /// The transaction; shared, because many operators pass it on.
    pub transaction: Arc<Transaction>,
    /// The schema version that the payload states.
    pub schema_version: u32,
}

/// Why an event is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The kind of reason.
    pub reason: Reason,
    /// Each violated field with its limit.
    pub message: String,
    /// The amount is among the violated fields.
    pub invalid_amount: bool,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), invalid_amount: false }
    }
}

/// The transaction that `fields` describe.
pub(super) fn from_fields(fields: &Fields<'_>, source: Source) -> Result<Decoded, Refusal> {
    let mut reader = Reader { fields, missing: false, invalid_amount: false, violations: Vec::new() };
    let id = reader.required_text(Field::TransactionId, "transaction_id", 100);
    let customer = reader.required_text(Field::CustomerId, "customer_id", 100);
    let store = reader.required_text(Field::StoreId, "store_id", 50);
    let product = reader.optional_text(Field::ProductId, "product_id", 50);
    let payment_method = reader.optional_text(Field::PaymentMethod, "payment_method", 30);
    let amount = reader.amount();
    let currency = reader.currency();
    let place = reader.place();
    let event_time = reader.timestamp();
    let schema_version = reader.integer(Field::SchemaVersion, "schema_version").unwrap_or(SCHEMA_VERSION);
    let revision = reader.integer(Field::Revision, "revision").unwrap_or(0);
    let voided = reader.boolean(Field::Voided, "voided");
    match (id, customer, store, amount, event_time) {
        (Some(id), Some(customer), Some(store), Some(amount), Some(event_time))
            if reader.violations.is_empty() =>
        {
            let transaction = Transaction {
                id,
                customer,
                store,
                product,
                payment_method,
                amount,
                currency,
                place,
                event_time,
                revision,
                voided,
                source,
            };
            Ok(Decoded { transaction: Arc::new(transaction), schema_version })
        }
        _ => Err(reader.refusal()),
    }
}

/// Reads fields one by one and collects violations.
struct Reader<'a> {
    fields: &'a Fields<'a>,
    missing: bool,
    invalid_amount: bool,
    violations: Vec<String>,
}

impl Reader<'_> {
    fn refusal(self) -> Refusal {
        let reason = if self.missing { Reason::MissingField } else { Reason::InvalidField };
        let message = self.violations.join("; ");
        Refusal { reason, message, invalid_amount: self.invalid_amount }
    }

    fn violated(&mut self, name: &str, limit: impl std::fmt::Display) {
        self.violations.push(format!("{name}: {limit}"));
    }

    fn present(&mut self, field: Field, name: &str) -> Option<&str> {
        let text = self.fields.get(field);
        if text.is_none() {
            self.missing = true;
            self.violated(name, "is required");
        }
        text
    }

    fn required_text(&mut self, field: Field, name: &str, limit: usize) -> Option<Id> {
        let fields = self.fields;
        self.present(field, name)?;
        self.text(fields.get(field)?, name, 1, limit)
    }

    fn optional_text(&mut self, field: Field, name: &str, limit: usize) -> Option<Id> {
        let text = self.fields.get(field)?;
        self.text(text, name, 0, limit).filter(|text| !text.is_empty())
    }

    fn text(&mut self, json: &str, name: &str, least: usize, most: usize) -> Option<Id> {
        let Some(text) = self.unquoted(json) else {
            self.violated(name, "must be a string");
            return None;
        };
        if !(least..=most).contains(&text.len()) {
            self.violated(name, format_args!("must be {least} to {most} bytes"));
            return None;
        }
        if !self.fields.plain && has_control_characters(&text) {
            self.violated(name, "must have no control characters");
            return None;
        }
        Some(Id::new(text))
    }

    /// The text of a JSON string.
    fn unquoted<'j>(&self, json: &'j str) -> Option<Cow<'j, str>> {
        if self.fields.plain { between_quotes(json).map(Cow::Borrowed) } else { unquote(json) }
    }

    fn amount(&mut self) -> Option<Cents> {
        let fields = self.fields;
        self.present(Field::Amount, "amount")?;
        let json = fields.get(Field::Amount)?;
        // A number or a string between quotes: the text is the same, so no float is involved.
        let is_string = json.as_bytes().first() == Some(&b'"');
        let text = if is_string { self.unquoted(json) } else { Some(Cow::Borrowed(json)) };
        let parsed =
            text.map_or(Err(streamflow_model::money::AmountError::NotDecimal), |text| Cents::parse(&text));
        parsed
            .map_err(|limit| {
                self.invalid_amount = true;
                self.violated("amount", limit);
            })
            .ok()
    }

    fn currency(&mut self) -> Currency {
        let Some(json) = self.fields.get(Field::Currency) else { return Currency::BRL };
        let parsed = self.unquoted(json).and_then(|code| Currency::parse(&code));
        parsed.unwrap_or_else(|| {
            self.violated("currency", "must be 3 letters A to Z");
            Currency::BRL
        })
    }

    fn place(&mut self) -> Option<Place> {
        let latitude = self.fields.get(Field::Latitude);
        let longitude = self.fields.get(Field::Longitude);
        match (latitude, longitude) {
            (None, None) => None,
            (Some(_), None) => {
                self.violated("longitude", "is required with latitude");
                None
            }
            (None, Some(_)) => {
                self.violated("latitude", "is required with longitude");
                None
            }
            (Some(latitude), Some(longitude)) => {
                let latitude = self.degrees(latitude, "latitude", 90)?;
                let longitude = self.degrees(longitude, "longitude", 180)?;
                Some(Place { latitude, longitude })
            }
        }
    }

    /// Degrees in units of 1e-7.
    fn degrees(&mut self, json: &str, name: &str, limit: i32) -> Option<i32> {
        let is_number = json.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        let units = if is_number { parse_degrees(json, limit) } else { None };
        if units.is_none() {
            self.violated(name, format_args!("must be a number from -{limit} to {limit}"));
        }
        units
    }

    fn timestamp(&mut self) -> Option<i64> {
        let fields = self.fields;
        self.present(Field::Timestamp, "timestamp")?;
        let parsed = self.unquoted(fields.get(Field::Timestamp)?).and_then(|text| timestamp::parse(&text));
        if parsed.is_none() {
            self.violated("timestamp", "must be RFC 3339 with an offset, of the years 1 to 9999");
        }
        parsed
    }

    fn integer(&mut self, field: Field, name: &str) -> Option<u32> {
        let json = self.fields.get(field)?;
        let parsed =
            if json.starts_with(|first: char| first.is_ascii_digit()) { json.parse().ok() } else { None };
        if parsed.is_none() {
            self.violated(name, format_args!("must be an integer from 0 to {}", u32::MAX));
        }
        parsed
    }

    fn boolean(&mut self, field: Field, name: &str) -> bool {
        match self.fields.get(field) {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                self.violated(name, "must be true or false");
                false
            }
        }
    }
}

fn has_control_characters(text: &str) -> bool {
    let plain = |byte: &u8| (0x20..0x7f).contains(byte);
    // Nearly always plain ASCII, which is recognized without decoding it.
    !text.as_bytes().iter().all(plain) && text.chars().any(char::is_control)
}

/// What is between the quotes of a JSON string.
fn between_quotes(json: &str) -> Option<&str> {
    match json.as_bytes() {
        [b'"', .., b'"'] => json.get(1..json.len() - 1),
        _ => None,
    }
}

/// The text of a JSON string; `None` where the JSON is no string or its escapes are no text.
fn unquote(json: &str) -> Option<Cow<'_, str>> {
    let inner = between_quotes(json)?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_some() {
        return serde_json::from_str::<String>(json).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}
