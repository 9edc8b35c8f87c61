//! The raw fields of an event: JSON texts by name, nothing interpreted yet.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// The fields that the graph knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `transaction_id`
    TransactionId,
    /// `customer_id`
    CustomerId,
    /// `store_id`
    StoreId,
    /// `product_id`
    ProductId,
    /// `amount`
    Amount,
    /// `currency`
    Currency,
    /// `payment_method`
    PaymentMethod,
    /// `latitude`
    Latitude,
    /// `longitude`
    Longitude,
    /// `timestamp`
    Timestamp,
    /// `schema_version`
    SchemaVersion,
    /// `revision`
    Revision,
    /// `voided`
    Voided,
}

const FIELDS: usize = 13;

impl Field {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "transaction_id" => Self::TransactionId,
            "customer_id" => Self::CustomerId,
            "store_id" => Self::StoreId,
            "product_id" => Self::ProductId,
            "amount" => Self::Amount,
            "currency" => Self::Currency,
            "payment_method" => Self::PaymentMethod,
            "latitude" => Self::Latitude,
            "longitude" => Self::Longitude,
            "timestamp" => Self::Timestamp,
            "schema_version" => Self::SchemaVersion,
            "revision" => Self::Revision,
            "voided" => Self::Voided,
            _ => return None,
        })
    }
}

/// The JSON text of each known field that is present; of a name that occurs twice, the last one.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    texts: [Option<Cow<'a, str>>; FIELDS],
    /// It is known that the payload has no byte but the printable ones of ASCII, and no backslash.
    pub(super) plain: bool,
}

impl<'a> Fields<'a> {
    /// No fields yet.
    pub(super) fn new(plain: bool) -> Self {
        Self { plain, ..Self::default() }
    }

    pub(super) fn set(&mut self, field: Field, text: Cow<'a, str>) {
        self.texts[field as usize] = Some(text);
    }

    /// The field's JSON text; `None` where it is absent or null.
    pub fn get(&self, field: Field) -> Option<&str> {
        self.texts[field as usize].as_deref().filter(|text| *text != "null")
    }
}

/// A JSON value of some parser that keeps its text.
pub trait RawJson<'de>: Deserialize<'de> {
    /// The value's JSON text.
    fn text(self) -> Cow<'de, str>;
}

impl<'de> RawJson<'de> for sonic_rs::LazyValue<'de> {
    fn text(self) -> Cow<'de, str> {
        self.as_raw_cow()
    }
}

/// Levels of arrays and objects that a payload may have, the outermost included: as many as other parsers
/// read. The parser recurses for each level, so a payload of brackets would exhaust the stack.
const MAX_DEPTH: usize = 127;

/// The fields of one JSON object, nothing before or behind it but white space.
///
/// The error says what is wrong and where, without quoting the payload.
pub fn parse(payload: &[u8]) -> Result<Fields<'_>, String> {
    let parsed = sonic_rs::from_str::<FieldsOf<'_, sonic_rs::LazyValue<'_>>>(text(payload)?);
    parsed.map(|parsed| parsed.fields).map_err(|error| no_object(error.line(), error.column()))
}

/// The payload as text, unless it would exhaust or mislead a parser.
pub(super) fn text(payload: &[u8]) -> Result<&str, String> {
    // Whoever writes the mark does not see it.
    if payload.starts_with(b"\xef\xbb\xbf") {
        return Err("it begins with a byte-order mark, which JSON does not have".to_owned());
    }
    if is_too_deep(payload) {
        return Err(format!("nested more than {MAX_DEPTH} levels deep"));
    }
    if has_malformed_escape(payload) {
        return Err("\\u without four hexadecimal digits".to_owned());
    }
    std::str::from_utf8(payload).map_err(|error| format!("no UTF-8 from byte {}", error.valid_up_to()))
}

pub(super) fn no_object(line: usize, column: usize) -> String {
    format!("line {line} column {column}: no JSON object")
}

fn is_too_deep(payload: &[u8]) -> bool {
    // Nearly always there are not that many brackets, and counting them is quick.
    let opening = payload.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    opening > MAX_DEPTH && depth(payload) > MAX_DEPTH
}

/// The most brackets that are open at once outside of strings.
fn depth(payload: &[u8]) -> usize {
    let (mut open, mut most) = (0usize, 0);
    let mut bytes = payload.iter();
    let mut in_string = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if in_string => {
                bytes.next();
            }
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                open += 1;
                most = most.max(open);
            }
            b']' | b'}' if !in_string => open = open.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// Whether some `\u` is not followed by four hexadecimal digits, which the parser does not check in values
/// that it skips.
fn has_malformed_escape(payload: &[u8]) -> bool {
    if !payload.contains(&b'\\') {
        return false;
    }
    let mut rest = payload;
    while let Some(index) = rest.iter().position(|byte| *byte == b'\\') {
        let escape = &rest[index + 1..];
        if let [b'u', digits @ ..] = escape
            && !digits.get(..4).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        {
            return true;
        }
        rest = escape.get(1..).unwrap_or_default();
    }
    false
}

/// [`Fields`] as any serde parser with a raw value type reads them.
pub struct FieldsOf<'a, R> {
    /// The fields.
    pub fields: Fields<'a>,
    raw: PhantomData<R>,
}

impl<'de, R: RawJson<'de>> Deserialize<'de> for FieldsOf<'de, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = deserializer.deserialize_map(FieldsVisitor::<R>(PhantomData))?;
        Ok(Self { fields, raw: PhantomData })
    }
}

struct FieldsVisitor<R>(PhantomData<R>);

impl<'de, R: RawJson<'de>> Visitor<'de> for FieldsVisitor<R> {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        while let Some(Name(name)) = map.next_key()? {
            match Field::named(&name) {
                Some(field) => fields.set(field, map.next_value::<R>()?.text()),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

/// A name, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_limited_and_brackets_in_strings_do_not_count() {
        let nested = |levels: usize| format!("{{\"x\": {}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_err());
        assert!(parse("[".repeat(60_000).as_bytes()).is_err());
        let text = format!(r#"{{"x": "{}\"[", "y": [[], {{}}]}}"#, "[".repeat(1000));
        assert!(parse(text.as_bytes()).is_ok());
    }

    #[test]
    fn escapes_need_their_digits_everywhere() {
        for (text, good) in
            [(r"\u00e9", true), (r"\\u", true), (r"\u00g1", false), (r"\u12", false), (r#"\u"abc"#, false)]
        {
            assert_eq!(parse(format!(r#"{{"x": "{text}"}}"#).as_bytes()).is_ok(), good, "{text}");
        }
    }
}
