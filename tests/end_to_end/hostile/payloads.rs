//! Whole records that may do harm: bytes that are no JSON, JSON of strange shape and size, keys, headers.

use super::case::{Case, Expectation, kept, kept_as, quoted, refused};
use super::fields::Event;
use std::iter::repeat_n;

/// Longer payloads are refused, bytes.
const LIMIT: usize = 64 * 1024;
const MEGABYTE: usize = 1024 * 1024;

/// All of them.
pub fn cases() -> Vec<Case> {
    [malformed(), framed(), strange(), sized(), keyed(), with_headers(), related()].concat()
}

/// That of a schema registry: schema 7.
pub const FRAME: &[u8] = b"\0\0\0\0\x07";

fn framed() -> Vec<Case> {
    let within = |value: &[u8]| [FRAME, value].concat();
    vec![
        Case::new("framed JSON", within(&Event::new("framed").payload()), kept()),
        Case::new("framed Avro", within(b"\x06abc"), refused("unsupported_format", "schema 7")),
        Case::new("a frame around nothing", within(b""), refused("unsupported_format", "schema 7")),
        Case::new("an Avro file", b"Obj\x01\x04".to_vec(), refused("unsupported_format", "Avro file")),
    ]
}

fn malformed() -> Vec<Case> {
    let good = Event::new("malformed").payload();
    let text = String::from_utf8(good.clone()).unwrap();
    let texts = malformed_texts(&text).into_iter().map(|(name, text)| (name, text.into_bytes()));
    let mut payloads: Vec<(&str, Vec<u8>)> = malformed_bytes(&good).into_iter().chain(texts).collect();
    payloads.push(("UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()));
    payloads.push(("every byte", (0..=255).rev().collect()));
    let case = |(name, payload)| Case::new(name, payload, refused("malformed_json", ""));
    let mut cases: Vec<Case> = payloads.into_iter().map(case).collect();
    cases.push(Case { value: None, ..Case::new("no value", "", refused("malformed_json", "")) });
    cases
}

/// In a string of an event that is good else.
fn malformed_bytes(good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let inside = |name, bytes: &[u8]| {
        let mut payload = b"{\"note\": \"".to_vec();
        payload.extend_from_slice(bytes);
        payload.extend_from_slice(b"\", ");
        payload.extend_from_slice(&good[1..]);
        (name, payload)
    };
    vec![
        inside("a byte that is never UTF-8", b"\xff"),
        inside("a lone continuation byte", b"\x80"),
        inside("a character cut short", b"\xe2\x82"),
        inside("an overlong NUL", b"\xc0\x80"),
        inside("an encoded surrogate", b"\xed\xa0\x80"),
        inside("beyond Unicode", b"\xf4\x90\x80\x80"),
        inside("a raw NUL", b"\0"),
        inside("a raw line end", b"\n"),
        inside("a raw tab", b"\t"),
        inside("a raw terminal escape", b"\x1b[2J\x1b]0;title\x07"),
        inside("an unknown escape", br"\x41"),
        inside("an escape without digits", br"\u00zz"),
    ]
}

/// What an event turns into by a mistake, and what never was one.
fn malformed_texts(text: &str) -> Vec<(&'static str, String)> {
    vec![
        ("nothing", String::new()),
        ("white space", " \n".to_owned()),
        ("null", "null".to_owned()),
        ("a number", "1".to_owned()),
        ("a text", quoted(text)),
        ("an array", format!("[{text}]")),
        ("two objects", format!("{text}{text}")),
        ("two lines", format!("{text}\n{text}")),
        ("garbage behind", format!("{text}x")),
        ("cut short", text[..text.len() - 1].to_owned()),
        ("a comma too many", text.replace('}', ",}")),
        ("single quotes", text.replace('"', "'")),
        ("a comment", text.replace('{', "{/* */")),
        ("a byte order mark", format!("\u{feff}{text}")),
        ("a form feed", text.replace(": ", ":\u{c}")),
        ("NaN", text.replace("\"10.00\"", "NaN")),
        ("Infinity", text.replace("\"10.00\"", "Infinity")),
        ("-Infinity", text.replace("\"10.00\"", "-Infinity")),
        ("a leading zero", text.replace("\"10.00\"", "010")),
        ("a plus sign", text.replace("\"10.00\"", "+10")),
        ("hexadecimal", text.replace("\"10.00\"", "0x10")),
        ("SQL", "'; DROP TABLE bronze.raw_transactions; --".to_owned()),
        ("the end of COPY", "\\.\n".to_owned()),
        ("null for COPY", "\\N".to_owned()),
        ("columns for COPY", "1\t2\t\\N\t\\\\\\x41\r\n".to_owned()),
        ("psql's commands", "\\! touch /tmp/hostile\n\\copy x to y".to_owned()),
        ("a formula", "=cmd|' /C calc'!A0".to_owned()),
        ("CSV", "\"a\",\"b\"\"c\",\n".to_owned()),
        ("colours", "\u{1b}[31mred\u{1b}[0m\r\u{7}".to_owned()),
        ("C1 control characters", "\u{85}\u{9b}31m".to_owned()),
        ("arrays, 10,000 deep", nested(text, "[", "]")),
        ("objects, 10,000 deep", nested(text, "{\"a\":", "}")),
        ("arrays without end", "[".repeat(60_000)),
        ("objects without end", "{\"a\":".repeat(12_000)),
    ]
}

fn nested(text: &str, open: &str, close: &str) -> String {
    let deep = format!("{}0{}", open.repeat(10_000), close.repeat(10_000));
    text.replacen('{', &format!("{{\"note\": {deep}, "), 1)
}

/// JSON that is good, if strange: unknown fields are kept, and of a name that stands twice the last one
/// counts.
fn strange() -> Vec<Case> {
    let event = |id: &str| Event::new(&format!("strange-{id}"));
    let mut cases: Vec<Case> = [
        ("nul", r#""\u0000""#),
        ("terminal", r#""\u001b[31m\r\n""#),
        ("huge", "1e400"),
        ("digits", &"9".repeat(10_000)),
        ("nested", r#"[[[[{"a": [{"transaction_id": "other"}]}]]]]"#),
        ("sql", &quoted("'; DROP TABLE bronze.raw_transactions; --")),
        ("copy", &quoted("\\.\t\\N\t\\\\")),
    ]
    .into_iter()
    .map(|(id, json)| Case::new(format!("note: {id}"), event(id).with("note", json).payload(), kept()))
    .collect();
    for (id, name) in [("proto", "__proto__"), ("empty", ""), ("quote", "x'); --"), ("nul-name", "\\u0000")] {
        cases.push(Case::new(format!("a field {name}"), event(id).with(name, "1").payload(), kept()));
    }
    let many = (0..3000).fold(event("many"), |event, number| event.with(&format!("field-{number}"), "null"));
    cases.push(Case::new("3,000 fields", many.payload(), kept()));
    let escaped = event("escaped").without("store_id").with("store\\u005fid", &quoted("hostile-escaped"));
    cases.push(Case::new("an escaped name", escaped.payload(), kept_as("store_id", Some("hostile-escaped"))));
    let spaced = String::from_utf8(event("spaced").payload()).unwrap().replace(", ", "\n,\r\t");
    cases.push(Case::new("lines and tabs between fields", spaced, kept()));
    let twice = |id: &str, first: &str, last: &str| {
        let text = String::from_utf8(event(id).with("amount", last).payload()).unwrap();
        text.replacen('{', &format!("{{\"amount\": {first}, "), 1)
    };
    cases.push(Case::new("twice, good last", twice("good-last", "-1", "2"), kept_as("amount", Some("2.00"))));
    cases.push(Case::new(
        "twice, bad last",
        twice("bad-last", "2", "-1"),
        refused("invalid_field", "amount"),
    ));
    let several = event("several").with("amount", "-1").with("currency", "1").without("store_id");
    cases.push(Case::new("several are wrong", several.payload(), refused("missing_field", "store_id")));
    cases
}

fn sized() -> Vec<Case> {
    let filled = |id: &str, length: usize, with: &str| {
        let bare = Event::new(&format!("sized-{id}")).with("note", "\"\"").payload().len();
        let note = with.repeat((length - bare) / with.len());
        let mut payload = Event::new(&format!("sized-{id}")).with("note", &quoted(&note)).payload();
        // A multiple of the filling may fall short.
        payload.extend(repeat_n(b' ', length - payload.len()));
        payload
    };
    let large = || refused("too_large", "65536");
    vec![
        Case::new("64 KiB", filled("limit", LIMIT, "x"), kept()),
        Case::new("64 KiB and a byte", filled("above", LIMIT + 1, "x"), large()),
        Case::new("64 KiB, cut within a character", filled("wide", LIMIT + 7, "€"), large()),
        Case::new("1 MB of brackets", "[".repeat(MEGABYTE), large()),
        Case::new("10 MB", filled("10-mb", 10 * MEGABYTE, "x"), large()),
        Case::new("10 MB that are no UTF-8", vec![0xff; 10 * MEGABYTE], large()),
        Case::new("10 MB of NUL", vec![0; 10 * MEGABYTE], large()),
    ]
}

fn keyed() -> Vec<Case> {
    let keys: [(&str, Option<Vec<u8>>); 8] = [
        ("no", None),
        ("an empty", Some(Vec::new())),
        ("another", Some(b"somebody else".to_vec())),
        ("a binary", Some((0..=255).collect())),
        ("a NUL", Some(b"a\0b".to_vec())),
        ("a terminal's", Some(b"\x1b[2J|\t\r\n\\.\\N".to_vec())),
        ("a 64 KiB", Some(vec![b'k'; LIMIT])),
        ("a 1 MB", Some(vec![b'k'; MEGABYTE])),
    ];
    let pair = |(name, key): (&str, Option<Vec<u8>>)| {
        let good = Event::new(&format!("keyed-{name}"));
        let bad = good.clone().with("amount", "0");
        [
            Case { key: key.clone(), ..Case::new(format!("{name} key"), good.payload(), kept()) },
            Case {
                key,
                ..Case::new(format!("{name} key, refused"), bad.payload(), refused("invalid_field", "amount"))
            },
        ]
    };
    keys.into_iter().flat_map(pair).collect()
}

fn with_headers() -> Vec<Case> {
    let junk = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
    let some = vec![
        junk("", Some(b"")),
        junk("dlq.reason", Some(b"'; DROP TABLE x; --")),
        junk("dlq.number", Some(b"\xff\0\x1b[2J")),
        junk("null", None),
        junk(&"n".repeat(10_000), Some(&vec![0; 100_000])),
    ];
    let many = (0..1000).map(|number| junk("same", Some(&[number as u8; 10]))).collect();
    let case = |id: &str, headers: Vec<_>, expected: Expectation, amount: &str| {
        let payload = Event::new(&format!("headers-{id}")).with("amount", amount).payload();
        Case { headers, ..Case::new(format!("headers: {id}"), payload, expected) }
    };
    vec![
        case("junk", some.clone(), kept(), "1"),
        case("junk, refused", some, refused("invalid_field", "amount"), "0"),
        case("many", many, kept(), "1"),
    ]
}

/// What only others make wrong.
fn related() -> Vec<Case> {
    let first = Event::new("stolen");
    let thief = first.clone().with("customer_id", &quoted("hostile-thief"));
    let case = |key: Vec<u8>| Case {
        key: Some(key),
        ..Case::new("a stolen id", thief.payload(), refused("conflicting_identity", ""))
    };
    vec![
        Case::new("an id to be stolen", first.payload(), kept()),
        case(b"hostile-thief".to_vec()),
        case(vec![b'k'; MEGABYTE]),
        case(b"\xff\0".to_vec()),
    ]
}
