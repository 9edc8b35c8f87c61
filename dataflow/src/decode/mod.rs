//! Decoding: from the bytes of a record to a transaction, or to the reason why it is refused.
//!
//! The JSON is walked once; only the fields that the graph uses are read, as slices of the payload. Amounts
//! never pass through a binary float.

pub mod fields;
mod flat;
mod frame;
pub mod object;
mod transaction;

pub use frame::unframe;
pub use transaction::{Decoded, Refusal, SCHEMA_VERSION};

use serde::{Deserialize, Serialize};
use streamflow_model::dead_letter::PAYLOAD_LIMIT;
use streamflow_model::record::Record;
use streamflow_model::{Reason, Source};

/// A record of a transaction topic, decoded. Decoding needs neither order nor state, so it can happen on any
/// thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The record.
    pub record: Record,
    /// Its transaction, or why it has none.
    pub decoded: Result<Decoded, Refusal>,
}

impl From<Record> for Event {
    fn from(mut record: Record) -> Self {
        unframe(&mut record);
        Self { decoded: decode(&record), record }
    }
}

/// The transaction of a record, or why it is refused.
pub fn decode(record: &Record) -> Result<Decoded, Refusal> {
    let Some(payload) = &record.payload else {
        return Err(Refusal::new(Reason::MalformedJson, "the record has no value"));
    };
    if record.full_length > PAYLOAD_LIMIT as u64 {
        let message = format!("{} bytes: must be at most {PAYLOAD_LIMIT}", record.full_length);
        return Err(Refusal::new(Reason::TooLarge, message));
    }
    decode_payload(payload, record.source)
}

/// The refusal of a payload that is no JSON object, for the parser's reason.
fn no_object(payload: &[u8], error: String) -> Refusal {
    frame::foreign(payload).unwrap_or_else(|| Refusal::new(Reason::MalformedJson, error))
}

/// The transaction in a payload of at most 64 KiB, the value of the record at `source`.
pub fn decode_payload(payload: &[u8], source: Source) -> Result<Decoded, Refusal> {
    let fields = match flat::parse(payload) {
        Some(fields) => fields,
        None => fields::parse(payload).map_err(|error| no_object(payload, error))?,
    };
    transaction::from_fields(&fields, source)
}
