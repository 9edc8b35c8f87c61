//! The frames that serializers of schema registries put around a value.
//!
//! Confluent's wire format: a byte 0, the schema's id in four bytes, the value. See "Wire format" in the documentation
//! of Confluent's Schema Registry.

use super::Refusal;
use bytes::Bytes;
use streamflow_model::Reason;
use streamflow_model::record::Record;

const FRAME: usize = 5;

/// How Avro's object container files begin.
const AVRO_FILE: &[u8] = b"Obj\x01";

/// Takes the frame off a record that holds JSON.
pub fn unframe(record: &mut Record) {
    if let Some(json) = record.payload.as_ref().and_then(framed_json) {
        record.payload = Some(json);
        record.full_length -= FRAME as u64;
    }
}

fn framed_json(payload: &Bytes) -> Option<Bytes> {
    schema(payload)?;
    let json = payload[FRAME..].trim_ascii_start().starts_with(b"{");
    json.then(|| payload.slice(FRAME..))
}

/// The id of the schema in a frame.
fn schema(payload: &[u8]) -> Option<u32> {
    match payload {
        [0, id @ ..] => id.first_chunk().map(|id| u32::from_be_bytes(*id)),
        _ => None,
    }
}

/// What is wrong with a payload that is no JSON object, if it is of a format that is not read.
pub(super) fn foreign(payload: &[u8]) -> Option<Refusal> {
    let message = match schema(payload) {
        Some(id) => format!(
            "a value of schema {id} in Confluent's wire format, and no JSON: Avro and Protobuf are not read"
        ),
        None if payload.starts_with(AVRO_FILE) => "an Avro file: only JSON is read".to_owned(),
        None => return None,
    };
    Some(Refusal::new(Reason::UnsupportedFormat, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamflow_model::{PartitionId, Source};

    fn unframed(payload: &'static [u8]) -> Bytes {
        let source = Source::new(PartitionId::FIRST, 0);
        let full_length = payload.len() as u64;
        let payload = Some(Bytes::from_static(payload));
        let mut record = Record { source, appended_at: None, key: None, payload, full_length };
        unframe(&mut record);
        let payload = record.payload.unwrap();
        assert_eq!(record.full_length, payload.len() as u64);
        payload
    }

    #[test]
    fn only_frames_around_json_are_taken_off() {
        assert_eq!(unframed(b"\0\0\0\0\x07{}"), &b"{}"[..]);
        assert_eq!(unframed(b"\0\0\0\0\x07 \n{}"), &b" \n{}"[..]);
        for kept in [&b"{}"[..], b"", b"\0", b"\0{}", b"\0\0\0\0", b"\0\0\0\0\x07", b"\0\0\0\0\x07\x02{}"] {
            assert_eq!(unframed(kept), kept);
        }
    }

    #[test]
    fn other_formats_are_named() {
        let named = |payload: &[u8]| foreign(payload).map(|refusal| refusal.message);
        assert!(named(b"\0\0\0\0\x07\x02abc").unwrap().contains("schema 7"));
        assert!(named(b"Obj\x01abc").unwrap().contains("Avro file"));
        assert_eq!([named(b""), named(b"\0"), named(b"{"), named(b"\0abc")], [const { None }; 4]);
    }
}
