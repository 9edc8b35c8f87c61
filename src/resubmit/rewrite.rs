//! Files of payloads with one line for each dead letter: written to be edited, read to be sent.
//!
//! ```json
//! {"id": 17, "reason": "invalid_field", "message": "amount: must be > 0", "payload": {"transaction_id": "txn-1"}}
//! ```
//!
//! A payload that is an object is sent as its own text. A string is sent as its content, for payloads that
//! are not an object on one line. `payload_base64` is for bytes that are not text. Null or a missing field
//! has to be filled in: the rest of a truncated payload is lost. `reason` and `message` are for the reader.

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use streamflow_medallion::outbox::StoredDeadLetter;
use streamflow_model::dead_letter::PAYLOAD_LIMIT;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read<'a> {
    id: i64,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
    #[serde(default)]
    payload_base64: Option<String>,
    #[serde(default, rename = "reason")]
    _reason: IgnoredAny,
    #[serde(default, rename = "message")]
    _message: IgnoredAny,
}

#[derive(Serialize)]
struct Written<'a> {
    id: i64,
    reason: &'a str,
    message: &'a str,
    payload: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

/// A file of payloads. Only the position of each line is held in memory.
#[derive(Debug)]
pub struct Rewrite {
    path: PathBuf,
    file: BufReader<File>,
    /// The position of each dead letter's line, in bytes.
    places: BTreeMap<i64, u64>,
    line: Vec<u8>,
}

impl Rewrite {
    /// Reads and checks every line.
    ///
    /// # Errors
    /// One line that names the file, the line and what is wrong.
    pub fn open(path: &Path) -> Result<Self> {
        let cannot_read = || format!("cannot read {}", path.display());
        let file = BufReader::new(File::open(path).with_context(cannot_read)?);
        let mut rewrite = Self { path: path.to_owned(), file, places: BTreeMap::new(), line: Vec::new() };
        let mut begin = 0;
        for number in 1_u64.. {
            rewrite.line.clear();
            let length = rewrite.file.read_until(b'\n', &mut rewrite.line).with_context(cannot_read)?;
            if length == 0 {
                break;
            }
            if !rewrite.line.trim_ascii().is_empty() {
                let at = || format!("{} line {number}", path.display());
                let (id, _) = parse(&rewrite.line).with_context(at)?;
                if rewrite.places.insert(id, begin).is_some() {
                    bail!("{}: dead letter {id} has a line before", at());
                }
            }
            begin += length as u64;
        }
        Ok(rewrite)
    }

    /// The ids of the file's dead letters.
    pub fn ids(&self) -> Vec<i64> {
        self.places.keys().copied().collect()
    }

    /// The payload of a dead letter; `None` if the file has no line for it.
    ///
    /// # Errors
    /// The file has changed meanwhile.
    pub fn payload(&mut self, id: i64) -> Result<Option<Vec<u8>>> {
        let Some(place) = self.places.get(&id) else { return Ok(None) };
        let cannot_read = || format!("cannot read {}", self.path.display());
        self.file.seek(SeekFrom::Start(*place)).with_context(cannot_read)?;
        self.line.clear();
        self.file.read_until(b'\n', &mut self.line).with_context(cannot_read)?;
        match parse(&self.line).with_context(cannot_read)? {
            (found, payload) if found == id => Ok(Some(payload)),
            _ => bail!("{} has changed while it was read", self.path.display()),
        }
    }
}

fn parse(line: &[u8]) -> Result<(i64, Vec<u8>)> {
    let Read { id, payload, payload_base64, .. } = serde_json::from_slice(line)?;
    let payload = match (payload, payload_base64) {
        (Some(payload), None) if payload.get().starts_with('{') => payload.get().as_bytes().to_vec(),
        (Some(payload), None) if payload.get().starts_with('"') => {
            serde_json::from_str::<String>(payload.get())?.into_bytes()
        }
        (None, Some(text)) => STANDARD.decode(text).context("payload_base64")?,
        (None, None) => bail!("dead letter {id} has no payload: fill it in, or take the line out"),
        _ => bail!("dead letter {id}: payload must be an object or a string, or else payload_base64"),
    };
    if payload.len() > PAYLOAD_LIMIT {
        bail!(
            "dead letter {id}: the payload has {} bytes, at most {PAYLOAD_LIMIT} are accepted",
            payload.len()
        );
    }
    Ok((id, payload))
}

/// Writes a line for a letter. A truncated letter gets no payload.
pub fn write(file: &mut impl Write, letter: &StoredDeadLetter) -> Result<()> {
    let StoredDeadLetter { number, reason, message, payload, truncated, .. } = letter;
    let payload = payload.as_deref().filter(|_| !truncated);
    let text = payload.and_then(|payload| std::str::from_utf8(payload).ok());
    let raw = text.map(raw).transpose()?;
    let payload_base64 = payload.filter(|_| raw.is_none()).map(|payload| STANDARD.encode(payload));
    let line = Written { id: *number, reason, message, payload: raw.as_deref(), payload_base64 };
    serde_json::to_writer(&mut *file, &line)?;
    Ok(file.write_all(b"\n")?)
}

/// An object on one line is written as it is, anything else as a string, because an escape within an object
/// would change what is sent.
fn raw(text: &str) -> serde_json::Result<Box<RawValue>> {
    let is_line = text.starts_with('{') && text.ends_with('}') && !text.contains(['\n', '\r']);
    match serde_json::from_str::<&RawValue>(text) {
        Ok(object) if is_line => Ok(object.to_owned()),
        _ => serde_json::value::to_raw_value(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(number: i64, payload: Option<&[u8]>) -> StoredDeadLetter {
        StoredDeadLetter {
            number,
            reason: "invalid_field".to_owned(),
            message: "amount: \"x\"".to_owned(),
            payload: payload.map(<[u8]>::to_vec),
            ..StoredDeadLetter::default()
        }
    }

    fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("letters.jsonl");
        std::fs::write(&path, bytes).unwrap();
        (directory, path)
    }

    #[test]
    fn what_is_written_is_read_byte_by_byte() {
        let payloads: [&[u8]; 9] = [
            br#"{"a": 1.50,  "a": "x"}"#,
            b"{\"a\":\n1}",
            b"{\"transaction_id\": ",
            b" {}",
            b"null",
            b"",
            b"\"text\"",
            b"{\"a\": \"\xff\xfe\"}",
            "{\"é\u{7f}\": \"\\u0041\"}".as_bytes(),
        ];
        let mut bytes = Vec::new();
        for (id, payload) in (1..).zip(payloads) {
            write(&mut bytes, &letter(id, Some(payload))).unwrap();
        }
        let (_directory, path) = file(&bytes);
        let mut rewrite = Rewrite::open(&path).unwrap();
        assert_eq!(rewrite.ids(), (1..=9).collect::<Vec<_>>());
        for (id, payload) in (1..).zip(payloads).collect::<Vec<_>>().into_iter().rev() {
            assert_eq!(rewrite.payload(id).unwrap().as_deref(), Some(payload), "{id}");
        }
        assert_eq!(rewrite.payload(10).unwrap(), None);
    }

    #[test]
    fn what_is_lost_must_be_filled_in() {
        for letter in [letter(7, None), StoredDeadLetter { truncated: true, ..letter(7, Some(b"{\"a\": 1")) }]
        {
            let mut bytes = Vec::new();
            write(&mut bytes, &letter).unwrap();
            let (_directory, path) = file(&bytes);
            let error = format!("{:#}", Rewrite::open(&path).unwrap_err());
            assert!(error.contains("line 1: dead letter 7 has no payload"), "{error}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (second, words) in [
            (r#"{"id": 1, "payload": {}}"#.to_owned(), "dead letter 1 has a line before"),
            (r#"{"id": 2, "paylod": {}}"#.to_owned(), "paylod"),
            (r#"{"payload": {}}"#.to_owned(), "id"),
            (r#"{"id": 2, "payload": [1]}"#.to_owned(), "object or a string"),
            (r#"{"id": 2, "payload": {}"#.to_owned(), "EOF"),
            (format!(r#"{{"id": 2, "payload": "{}"}}"#, "x".repeat(65_537)), "65536"),
        ] {
            let (_directory, path) = file(format!("{{\"id\": 1, \"payload\": {{}}}}\n{second}\n").as_bytes());
            let error = format!("{:#}", Rewrite::open(&path).unwrap_err());
            assert!(error.contains("line 2") && error.contains(words), "{error}");
        }
    }
}
