//! Any JSON object: its fields by name, not interpreted yet. For topics with few records.

use super::{Refusal, fields, no_object};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use streamflow_model::Reason;

/// The JSON text of each field; of a name that occurs twice, the last one.
#[derive(Debug)]
pub struct Object<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Object<'a> {
    /// The fields of one JSON object, nothing before or behind it but white space.
    ///
    /// # Errors
    /// [`Reason::MalformedJson`], saying what is wrong and where, without quoting the payload;
    /// [`Reason::UnsupportedFormat`].
    pub fn parse(payload: &'a [u8]) -> Result<Self, Refusal> {
        let text = fields::text(payload).map_err(|error| no_object(payload, error))?;
        let object = serde_json::from_str(text).map(Self);
        object.map_err(|error| no_object(payload, fields::no_object(error.line(), error.column())))
    }

    /// A field's JSON text; `None` where it is absent or null.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|raw| raw.get()).filter(|text| *text != "null")
    }

    /// A field that is a string; `None` where it is absent or null.
    ///
    /// # Errors
    /// [`Reason::InvalidField`] where it is something else.
    pub fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        let text = self.get(name).map(serde_json::from_str).transpose();
        text.map_err(|_| Refusal::new(Reason::InvalidField, format!("{name}: must be a string")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_has_fields() {
        for payload in ["", "null", "[]", r#"["x"]"#, r#"{"x": 1}{}"#, r#"{"x": "\u12"}"#] {
            assert_eq!(
                Object::parse(payload.as_bytes()).unwrap_err().reason,
                Reason::MalformedJson,
                "{payload}"
            );
        }
        let deep = format!(r#"{{"x": {}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        assert!(Object::parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn a_text_is_a_string_or_absent() {
        let object =
            Object::parse(br#"{"a": "1", "a": "\u00e9", "b": null, "c": 1, "d": "\ud800"}"#).unwrap();
        assert_eq!(object.text("a").unwrap().as_deref(), Some("é"));
        assert_eq!((object.text("b").unwrap(), object.text("x").unwrap()), (None, None));
        for name in ["c", "d"] {
            let refusal = object.text(name).unwrap_err();
            assert_eq!(
                (refusal.reason, refusal.message),
                (Reason::InvalidField, format!("{name}: must be a string"))
            );
        }
    }
}
