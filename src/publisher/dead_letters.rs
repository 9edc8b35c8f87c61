//! Dead letters as messages of `streamflow.dlq`: the event's bytes as the value, everything about it in
//! headers.
//!
//! | header | content, text except for the key |
//! |---|---|
//! | `dlq.topic`, `dlq.partition`, `dlq.offset` | position of the event |
//! | `dlq.reason`, `dlq.message` | why it was not accepted: the kind, and what exactly is wrong |
//! | `dlq.ingested_at` | when it was read, RFC 3339 |
//! | `dlq.number` | number of the dead letter: `bronze.dead_letters.id` |
//! | `dlq.full_length`, `dlq.truncated` | bytes of the event's value; `true` if only the first 64 KiB are here |
//! | `dlq.key` | bytes of the event's key; absent if it had none |
//! | `dlq.key_truncated` | `true` if only the first 64 KiB of the key are here; else absent |

use streamflow_connectors::kafka::{Header, Message};
use streamflow_medallion::outbox::StoredDeadLetter;
use streamflow_model::dead_letter::PAYLOAD_LIMIT;
use streamflow_model::timestamp::Rfc3339;

/// The message is keyed by the position of the event, topic-partition-offset. An event without a value has
/// none here either.
pub fn message(letter: StoredDeadLetter) -> Message {
    let StoredDeadLetter { topic, partition, offset, .. } = &letter;
    let key = format!("{topic}-{partition}-{offset}").into_bytes();
    Message { key, headers: headers(&letter), value: letter.payload }
}

fn headers(letter: &StoredDeadLetter) -> Vec<Header> {
    let mut headers = vec![
        text("dlq.topic", &letter.topic),
        text("dlq.partition", &letter.partition),
        text("dlq.offset", &letter.offset),
        text("dlq.reason", &letter.reason),
        text("dlq.message", &letter.message),
        text("dlq.ingested_at", &Rfc3339(letter.ingested_at)),
        text("dlq.number", &letter.number),
        text("dlq.full_length", &letter.full_length),
        text("dlq.truncated", &letter.truncated),
    ];
    if let Some(key) = &letter.key {
        // A key can be as long as a message may be: with everything else it would not fit into one.
        let kept = &key[..key.len().min(PAYLOAD_LIMIT)];
        headers.push(Header { name: "dlq.key", value: kept.to_vec() });
        if kept.len() < key.len() {
            headers.push(text("dlq.key_truncated", &true));
        }
    }
    headers
}

fn text(name: &'static str, value: &dyn ToString) -> Header {
    Header { name, value: value.to_string().into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> StoredDeadLetter {
        StoredDeadLetter {
            number: 9,
            topic: "transactions.raw".to_owned(),
            partition: 2,
            offset: 42,
            reason: "invalid_field".to_owned(),
            message: "amount: must be > 0".to_owned(),
            key: Some(b"c\xff\0".to_vec()),
            payload: Some(b"{\"x\": \"\xff\0\"}".to_vec()),
            truncated: false,
            full_length: 11,
            ingested_at: 1_769_922_018_250_000,
            is_erased: false,
        }
    }

    fn header<'a>(message: &'a Message, name: &str) -> Option<&'a [u8]> {
        let mut found = message.headers.iter().filter(|header| header.name == name);
        let value = found.next().map(|header| header.value.as_slice());
        assert_eq!(found.next(), None, "{name} comes twice");
        value
    }

    #[test]
    fn the_bytes_are_the_value_and_the_rest_is_in_headers() {
        let message = message(letter());
        assert_eq!(message.key, b"transactions.raw-2-42");
        assert_eq!(message.value.as_deref(), letter().payload.as_deref());
        for (name, value) in [
            ("dlq.topic", &b"transactions.raw"[..]),
            ("dlq.partition", b"2"),
            ("dlq.offset", b"42"),
            ("dlq.reason", b"invalid_field"),
            ("dlq.message", b"amount: must be > 0"),
            ("dlq.ingested_at", b"2026-02-01T05:00:18.250000Z"),
            ("dlq.number", b"9"),
            ("dlq.full_length", b"11"),
            ("dlq.truncated", b"false"),
            ("dlq.key", b"c\xff\0"),
        ] {
            assert_eq!(header(&message, name), Some(value), "{name}");
        }
        assert_eq!(message.headers.len(), 10);
    }

    #[test]
    fn what_was_absent_stays_absent() {
        let bare = message(StoredDeadLetter { key: None, payload: None, ..letter() });
        assert_eq!((bare.value.as_ref(), header(&bare, "dlq.key")), (None, None));
        let empty =
            message(StoredDeadLetter { key: Some(Vec::new()), payload: Some(Vec::new()), ..letter() });
        assert_eq!((empty.value.as_deref(), header(&empty, "dlq.key")), (Some(&b""[..]), Some(&b""[..])));
    }

    #[test]
    fn a_long_key_is_cut() {
        let exact = message(StoredDeadLetter { key: Some(vec![7; PAYLOAD_LIMIT]), ..letter() });
        assert_eq!(header(&exact, "dlq.key").map(<[u8]>::len), Some(PAYLOAD_LIMIT));
        assert_eq!(header(&exact, "dlq.key_truncated"), None);
        let longer = message(StoredDeadLetter { key: Some(vec![7; PAYLOAD_LIMIT + 1]), ..letter() });
        assert_eq!(header(&longer, "dlq.key").map(<[u8]>::len), Some(PAYLOAD_LIMIT));
        assert_eq!(header(&longer, "dlq.key_truncated"), Some(&b"true"[..]));
    }
}
