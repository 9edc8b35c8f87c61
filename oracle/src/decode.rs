//! From the bytes of a record to a transaction, or to the reason why it is none.

use crate::instant;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A transaction as its payload describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// `transaction_id`.
    pub transaction_id: String,
    /// `customer_id`.
    pub customer_id: String,
    /// `store_id`.
    pub store_id: String,
    /// `product_id`, if given and not empty.
    pub product_id: Option<String>,
    /// `payment_method`, if given and not empty.
    pub payment_method: Option<String>,
    /// Amount in cents.
    pub cents: i64,
    /// `currency`.
    pub currency: String,
    /// Latitude and longitude in degrees.
    pub place: Option<(f64, f64)>,
    /// Event time, microseconds since 1970.
    pub event_time: i64,
    /// `schema_version`.
    pub schema_version: u32,
    /// `revision`.
    pub revision: u32,
    /// `voided`.
    pub voided: bool,
}

impl Decoded {
    /// Whether it corrects or voids.
    pub(crate) fn amends(&self) -> bool {
        self.voided || self.revision > 0
    }
}

/// Why a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason's name.
    pub reason: &'static str,
    /// The amount is among the violated fields.
    pub invalid_amount: bool,
}

impl Refusal {
    pub(crate) fn new(reason: &'static str) -> Self {
        Self { reason, invalid_amount: false }
    }
}

/// Payloads above this many bytes are too large.
pub(crate) const PAYLOAD_LIMIT: usize = 64 * 1024;

/// The transaction in a payload. With several violations, a missing field determines the reason.
pub fn decode(payload: Option<&[u8]>) -> Result<Decoded, Refusal> {
    let payload = payload.ok_or(Refusal::new("malformed_json"))?;
    if payload.len() > PAYLOAD_LIMIT {
        return Err(Refusal::new("too_large"));
    }
    // A schema registry's frame: 0, the schema's id in four bytes, the value.
    let payload = match payload {
        [0, _, _, _, _, json @ ..] if json.trim_ascii_start().starts_with(b"{") => json,
        [0, _, _, _, _, ..] | [b'O', b'b', b'j', 1, ..] => return Err(Refusal::new("unsupported_format")),
        payload => payload,
    };
    let fields: BTreeMap<String, &RawValue> =
        serde_json::from_slice(payload).map_err(|_| Refusal::new("malformed_json"))?;
    if fields.values().any(|value| levels(value.get()) + 1 > MAX_LEVELS) {
        return Err(Refusal::new("malformed_json"));
    }
    let object = Object(fields);
    let required = ["transaction_id", "customer_id", "store_id", "amount", "timestamp"];
    let missing = required.iter().any(|name| object.get(name).is_none());
    object.transaction().ok_or(Refusal {
        reason: if missing { "missing_field" } else { "invalid_field" },
        invalid_amount: object.get("amount").is_some_and(|raw| amount(raw).is_none()),
    })
}

/// A payload's fields as JSON texts.
struct Object<'a>(BTreeMap<String, &'a RawValue>);

impl Object<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|raw| raw.get()).filter(|raw| *raw != "null")
    }

    /// `None` where a field is missing or violates its limit.
    fn transaction(&self) -> Option<Decoded> {
        Some(Decoded {
            transaction_id: text(self.get("transaction_id")?, 1, 100)?,
            customer_id: text(self.get("customer_id")?, 1, 100)?,
            store_id: text(self.get("store_id")?, 1, 50)?,
            product_id: self.optional_text("product_id", 50)?,
            payment_method: self.optional_text("payment_method", 30)?,
            cents: amount(self.get("amount")?)?,
            currency: self.get("currency").map_or(Some("BRL".to_owned()), currency)?,
            place: self.place()?,
            event_time: instant::parse(&string(self.get("timestamp")?)?)?,
            schema_version: self.get("schema_version").map_or(Some(1), |raw| raw.parse().ok())?,
            revision: self.get("revision").map_or(Some(0), |raw| raw.parse().ok())?,
            voided: self.get("voided").map_or(Some(false), |raw| raw.parse().ok())?,
        })
    }

    /// An empty text counts as absent.
    fn optional_text(&self, name: &str, most: usize) -> Option<Option<String>> {
        let text = self.get(name).map_or(Some(String::new()), |raw| text(raw, 0, most))?;
        Some((!text.is_empty()).then_some(text))
    }

    fn place(&self) -> Option<Option<(f64, f64)>> {
        match (self.get("latitude"), self.get("longitude")) {
            (None, None) => Some(None),
            (latitude, longitude) => Some(Some((degrees(latitude?, 90.0)?, degrees(longitude?, 180.0)?))),
        }
    }
}

/// Levels of arrays and objects that a payload may have, itself included.
const MAX_LEVELS: usize = 127;

/// The levels of arrays and objects in a JSON text.
fn levels(json: &str) -> usize {
    let unescaped = json.replace(r"\\", "").replace(r#"\""#, "");
    let outside_strings = unescaped.split('"').step_by(2).flat_map(str::chars);
    let steps = outside_strings.map(|letter| match letter {
        '[' | '{' => 1i32,
        ']' | '}' => -1,
        _ => 0,
    });
    let mut open = 0;
    let heights = steps.map(|step| {
        open += step;
        open
    });
    usize::try_from(heights.max().unwrap_or(0)).unwrap_or(0)
}

fn string(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

pub(crate) fn bounded(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn text(raw: &str, least: usize, most: usize) -> Option<String> {
    string(raw).filter(|text| bounded(text, least, most))
}

fn currency(raw: &str) -> Option<String> {
    string(raw).filter(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
}

fn degrees(raw: &str, limit: f64) -> Option<f64> {
    let number: f64 = if is_number(raw) { raw.parse().ok()? } else { return None };
    (number.is_finite() && number.abs() <= limit).then_some(number)
}

/// Whether a text is a number in JSON's grammar, nothing around it.
fn is_number(text: &str) -> bool {
    let numeric = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    text.bytes().all(numeric) && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// Cents of an amount, which is above zero.
fn amount(raw: &str) -> Option<i64> {
    money(raw).filter(|cents| *cents > 0)
}

/// Cents of a number or of a string that holds one.
pub(crate) fn money(raw: &str) -> Option<i64> {
    let text = if raw.starts_with('"') { string(raw)? } else { raw.to_owned() };
    cents(&text)
}

/// Cents of a decimal: not below zero, at most 2 decimals that are not zero, at most 12 digits.
fn cents(text: &str) -> Option<i64> {
    if !is_number(text) {
        return None;
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{decimals}");
    let without_end = digits.trim_end_matches('0');
    let significant = without_end.trim_start_matches(['-', '0']);
    if significant.is_empty() || text.starts_with('-') {
        return significant.is_empty().then_some(0);
    }
    let cut = digits.len() - without_end.len();
    let scale = (decimals.len() as i64 - cut as i64).checked_sub(exponent.parse().ok()?)?;
    let zeros = usize::try_from((-scale).max(0)).ok()?;
    if scale > 2 || significant.len().checked_add(zeros)? > 12 {
        return None;
    }
    let factor = 10i64.checked_pow(u32::try_from(2 - scale).ok()?)?;
    significant.parse::<i64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_without_a_float() {
        for (text, expected) in [
            ("454.66", Some(45_466)),
            ("0.05", Some(5)),
            ("1e2", Some(10_000)),
            ("150e-1", Some(1500)),
            ("999999999999", Some(99_999_999_999_900)),
            ("1234567890123", None),
            ("10000000000.00", Some(1_000_000_000_000)),
            ("10000000000.01", None),
            ("100.0000", Some(10_000)),
            ("10e-3", Some(1)),
            ("0.00", Some(0)),
            ("-0", Some(0)),
            ("1.234", None),
            ("-1", None),
            ("01", None),
            ("1e99999999999999999999", None),
        ] {
            assert_eq!(cents(text), expected, "{text}");
        }
    }

    #[test]
    fn a_missing_field_comes_before_an_invalid_one() {
        let refusal = decode(Some(br#"{"amount": "0"}"#)).unwrap_err();
        assert_eq!(refusal, Refusal { reason: "missing_field", invalid_amount: true });
        assert_eq!(decode(Some(b"[]")).unwrap_err().reason, "malformed_json");
        assert_eq!(decode(None).unwrap_err().reason, "malformed_json");
    }
}
