//! A fast parser for the form of nearly all events: one object of strings without escapes, numbers and
//! literals.
//!
//! Everything else - nesting, escapes, errors - is left to the general parser, which also reports what is
//! wrong.

use super::fields::{Field, Fields};
use std::borrow::Cow;
use streamflow_model::decimal::is_number;

/// The fields of a payload of that form; `None` for any other, valid or not.
pub(super) fn parse(payload: &[u8]) -> Option<Fields<'_>> {
    if has_escapes_or_control_characters(payload) {
        return None;
    }
    let mut rest = Rest(std::str::from_utf8(payload).ok()?);
    let mut fields = Fields::default();
    rest.take(b'{')?;
    loop {
        let name = rest.string()?;
        rest.take(b':')?;
        let value = rest.value()?;
        if let Some(field) = Field::named(&name[1..name.len() - 1]) {
            fields.set(field, Cow::Borrowed(value));
        }
        match rest.next()? {
            b',' => {}
            b'}' => return rest.is_blank().then_some(fields),
            _ => return None,
        }
    }
}

fn has_escapes_or_control_characters(payload: &[u8]) -> bool {
    // Without an early end this takes 32 bytes at a time.
    payload.iter().fold(false, |found, byte| found | (*byte < 0x20) | (*byte == b'\\'))
}

/// What has not been read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// The next byte that is no space.
    fn next(&mut self) -> Option<u8> {
        let bytes = self.0.as_bytes();
        let index = bytes.iter().position(|byte| *byte != b' ')?;
        let byte = bytes[index];
        self.0 = self.0.get(index + 1..)?;
        Some(byte)
    }

    fn take(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.skip_spaces();
        let bytes = self.0.as_bytes();
        if bytes.first() != Some(&b'"') {
            return None;
        }
        let end = memchr::memchr(b'"', &bytes[1..])? + 2;
        self.cut(end)
    }

    fn value(&mut self) -> Option<&'a str> {
        self.skip_spaces();
        let bytes = self.0.as_bytes();
        match bytes.first()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => {
                let end = bytes.iter().position(|byte| matches!(byte, b',' | b'}' | b' '))?;
                self.cut(end).filter(|text| is_number(text.as_bytes()))
            }
            _ => ["true", "false", "null"]
                .into_iter()
                .find(|literal| self.0.starts_with(literal))
                .and_then(|literal| self.cut(literal.len())),
        }
    }

    fn cut(&mut self, end: usize) -> Option<&'a str> {
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        Some(text)
    }

    fn skip_spaces(&mut self) {
        while let Some(rest) = self.0.strip_prefix(' ') {
            self.0 = rest;
        }
    }

    fn is_blank(&self) -> bool {
        self.0.bytes().all(|byte| byte == b' ')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_objects_are_read() {
        let payload = br#" { "amount" : "1.50","x":-0.5e+3, "revision":7 ,"voided":true,"latitude":null} "#;
        let fields = parse(payload).unwrap();
        assert_eq!(fields.get(Field::Amount), Some("\"1.50\""));
        assert_eq!(fields.get(Field::Revision), Some("7"));
        assert_eq!(fields.get(Field::Voided), Some("true"));
        assert_eq!(fields.get(Field::Latitude), None);
        assert_eq!(fields.get(Field::Longitude), None);
    }

    #[test]
    fn everything_else_is_left_to_the_general_parser() {
        for payload in [
            "",
            "{",
            "{}",
            "[]",
            "1",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1"#,
            r#"{"a":1,}"#,
            r#"{"a":1}x"#,
            r#"{"a":[1]}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":"\n"}"#,
            "{\"a\":\"\t\"}",
            "{\n\"a\":1}",
            r#"{"a":truex}"#,
            r#"{"a":nul}"#,
            r#"{a:1}"#,
            r#"{"a":"b}"#,
            r#"{"a" 1}"#,
        ] {
            assert!(parse(payload.as_bytes()).is_none(), "{payload}");
        }
        assert!(parse(b"{\"a\":\"\xff\"}").is_none());
    }
}
