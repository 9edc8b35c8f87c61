//! Events as the traffic emits them.

use crate::identity::CUSTOMER_ID_LENGTH;
use crate::label::Label;

/// One record to be written to a topic or a file, in emission order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GeneratedEvent {
    /// When it should be emitted, microseconds since 1970: the record's time. Equals the event time of
    /// a punctual transaction and lies after it for late ones, repetitions and revisions. Never
    /// decreases from one event to the next.
    pub due: i64,
    /// The record's key: the customer_id as ASCII.
    pub key: [u8; CUSTOMER_ID_LENGTH],
    /// The record's value: JSON without a line break, or the bytes of a malformed event.
    pub payload: Vec<u8>,
    /// Set on the first emission of an injected transaction. Belongs into a side output.
    pub label: Option<Label>,
}
