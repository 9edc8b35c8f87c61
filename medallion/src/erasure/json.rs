//! The strings of JSON texts, found without parsing the rest: numbers, order and spaces stay byte for byte.

use std::borrow::Cow;
use std::ops::Range;

/// A string of a JSON text.
pub(super) struct Literal<'a> {
    /// Where it stands, with its quotes.
    pub(super) range: Range<usize>,
    /// What it denotes; as it is written where an escape denotes no character.
    pub(super) text: Cow<'a, str>,
    /// A colon follows: it is a field's name.
    pub(super) is_name: bool,
}

/// The strings in order. Of a text that is no JSON, what looks like them.
pub(super) fn literals(json: &str) -> impl Iterator<Item = Literal<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + json.get(from..)?.find('"')?;
        let end = start + 1 + end(json.as_bytes().get(start + 1..)?)?;
        from = end;
        let is_name = json.as_bytes()[end..].trim_ascii_start().first() == Some(&b':');
        Some(Literal { range: start..end, text: unescaped(&json[start..end]), is_name })
    })
}

/// The number of bytes up to and with the closing quote.
fn end(bytes: &[u8]) -> Option<usize> {
    let mut index = 0;
    loop {
        match bytes.get(index)? {
            b'"' => return Some(index + 1),
            b'\\' => index += 2,
            _ => index += 1,
        }
    }
}

fn unescaped(literal: &str) -> Cow<'_, str> {
    let inner = &literal[1..literal.len() - 1];
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str(literal).map_or(Cow::Borrowed(inner), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_found_wherever_they_stand() {
        let json = r#"{"a" : ["b\"}", {"\u0063": "\\"}], "d": "é\ud800", "e": 1.50}"#;
        let found: Vec<_> =
            literals(json).map(|literal| (literal.text.into_owned(), literal.is_name)).collect();
        let expected = [
            ("a", true),
            ("b\"}", false),
            ("c", true),
            ("\\", false),
            ("d", true),
            (r"é\ud800", false),
            ("e", true),
        ];
        assert_eq!(found, expected.map(|(text, is_name)| (text.to_owned(), is_name)));
        for broken in ["", "\"", "x\"\\", "{\"a\": \"b\\\"", "\"\\é"] {
            assert!(literals(broken).all(|literal| literal.is_name), "{broken}");
        }
    }
}
