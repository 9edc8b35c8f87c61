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
    let mut rest = Rest { text: std::str::from_utf8(payload).ok()?, next: 0 };
    let mut fields = Fields::new(is_plain(payload));
    rest.take(b'{')?;
    loop {
        let name = rest.string()?;
        rest.take(b':')?;
        let value = rest.value()?;
        if let Some(field) = Field::named(&name[1..name.len() - 1]) {
            fields.set(field, Cow::Borrowed(value));
        }
        match rest.take_any()? {
            b',' => {}
            b'}' => return rest.is_blank().then_some(fields),
            _ => return None,
        }
    }
}

// Without an early end these take 32 bytes at a time.

fn has_escapes_or_control_characters(payload: &[u8]) -> bool {
    payload.iter().fold(false, |found, byte| found | (*byte < 0x20) | (*byte == b'\\'))
}

/// Whether it has no byte but the printable ones of ASCII.
fn is_plain(payload: &[u8]) -> bool {
    payload.iter().fold(true, |plain, byte| plain & (0x20..0x7f).contains(byte))
}

/// A payload of which the bytes before `next` have been read. Bytes are compared instead of characters, which
/// takes a third of the time.
struct Rest<'a> {
    text: &'a str,
    next: usize,
}

impl<'a> Rest<'a> {
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.next..).unwrap_or_default()
    }

    /// The next byte that is no space, taken.
    fn take_any(&mut self) -> Option<u8> {
        self.skip_spaces();
        let byte = *self.bytes().first()?;
        self.next += 1;
        Some(byte)
    }

    fn take(&mut self, expected: u8) -> Option<()> {
        (self.take_any()? == expected).then_some(())
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.skip_spaces();
        match self.bytes() {
            [b'"', inner @ ..] => self.cut(memchr::memchr(b'"', inner)? + 2),
            _ => None,
        }
    }

    fn value(&mut self) -> Option<&'a str> {
        self.skip_spaces();
        let bytes = self.bytes();
        match bytes.first()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => {
                let end = bytes.iter().position(|byte| matches!(byte, b',' | b'}' | b' '))?;
                self.cut(end).filter(|text| is_number(text.as_bytes()))
            }
            _ => ["true", "false", "null"]
                .into_iter()
                .find(|literal| bytes.starts_with(literal.as_bytes()))
                .and_then(|literal| self.cut(literal.len())),
        }
    }

    /// The next bytes, up to where a character begins.
    fn cut(&mut self, length: usize) -> Option<&'a str> {
        let end = self.next + length;
        let text = self.text.get(self.next..end)?;
        self.next = end;
        Some(text)
    }

    fn skip_spaces(&mut self) {
        while self.bytes().first() == Some(&b' ') {
            self.next += 1;
        }
    }

    fn is_blank(&self) -> bool {
        self.bytes().iter().all(|byte| *byte == b' ')
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
    fn payloads_of_printable_ascii_are_plain() {
        for (id, plain) in [("a ~", true), ("a\u{7f}", false), ("\u{e9}", false), ("\u{85}", false)] {
            let payload = format!(r#"{{"store_id":"{id}"}}"#);
            assert_eq!(parse(payload.as_bytes()).unwrap().plain, plain, "{id}");
        }
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
