//! What can be wrong with an event, done to the bytes of a good one.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::time::{DAY, local};

/// Length that no event may have, bytes: a little over 64 KiB.
const OVERSIZE: usize = 64 * 1024 + 100;
/// Once in so many malformed events the event is oversized: these are two hundred times as long.
const OVERSIZED_ONCE_IN: u32 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    CutShort,
    /// Without the field of this name; a string field that is not the last.
    Missing(&'static str),
    NegativeAmount,
    ThreeDecimals,
    LatitudeAlone,
    NoSuchMonth,
    NotUtf8,
    /// A century ahead, so that it is in the future by every reader's clock.
    FromTheFuture,
    Oversized,
}

const COMMON: [Defect; 12] = [
    Defect::CutShort,
    Defect::Missing("transaction_id"),
    Defect::Missing("customer_id"),
    Defect::Missing("store_id"),
    Defect::Missing("amount"),
    Defect::Missing("timestamp"),
    Defect::NegativeAmount,
    Defect::ThreeDecimals,
    Defect::LatitudeAlone,
    Defect::NoSuchMonth,
    Defect::NotUtf8,
    Defect::FromTheFuture,
];

impl Defect {
    pub(crate) fn draw(rng: &mut ChaCha8Rng) -> Self {
        if rng.random_ratio(1, OVERSIZED_ONCE_IN) {
            return Self::Oversized;
        }
        COMMON[rng.random_range(0..COMMON.len())]
    }

    /// Spoils the payload of a transaction of time `at`. No line break comes in.
    pub(crate) fn spoil(self, payload: &mut Vec<u8>, at: i64) {
        match self {
            Self::CutShort => payload.truncate(payload.len() / 2),
            Self::Missing(field) => remove(payload, field),
            Self::LatitudeAlone => remove(payload, "longitude"),
            Self::NegativeAmount => insert(payload, value_of(payload, "amount"), b"-"),
            Self::ThreeDecimals => {
                let end = end_of(payload, value_of(payload, "amount"), b'"');
                insert(payload, end, b"5");
            }
            Self::NoSuchMonth => overwrite(payload, value_of(payload, "timestamp") + 5, b"13"),
            Self::NotUtf8 => overwrite(payload, value_of(payload, "payment_method"), b"\xff"),
            Self::FromTheFuture => {
                let timestamp = local(at + 36_525 * DAY);
                overwrite(payload, value_of(payload, "timestamp"), timestamp.as_bytes());
            }
            Self::Oversized => {
                let mut note = br#""note":""#.to_vec();
                note.resize(OVERSIZE, b'x');
                note.extend_from_slice(br#"","#);
                insert(payload, 1, &note);
            }
        }
    }
}

/// Position of the first byte of the field's value, behind the quote of a string.
fn value_of(payload: &[u8], field: &str) -> usize {
    let at = start_of(payload, field) + field.len() + 3;
    if payload.get(at) == Some(&b'"') { at + 1 } else { at }
}

/// Position of the quote that opens the field's name; the end where there is no such field.
fn start_of(payload: &[u8], field: &str) -> usize {
    let name = format!("\"{field}\":");
    let found = payload.windows(name.len()).position(|window| window == name.as_bytes());
    found.unwrap_or(payload.len())
}

/// Position of the next `stop` from `from` on, or the end.
fn end_of(payload: &[u8], from: usize, stop: u8) -> usize {
    let rest = payload.get(from..).unwrap_or_default();
    rest.iter().position(|byte| *byte == stop).map_or(payload.len(), |offset| from + offset)
}

fn remove(payload: &mut Vec<u8>, field: &str) {
    let start = start_of(payload, field);
    let end = (end_of(payload, start, b',') + 1).min(payload.len());
    payload.drain(start..end);
}

fn insert(payload: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let at = at.min(payload.len());
    payload.splice(at..at, bytes.iter().copied());
}

fn overwrite(payload: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let start = at.min(payload.len());
    let end = (start + bytes.len()).min(payload.len());
    payload.splice(start..end, bytes.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = concat!(
        r#"{"transaction_id":"t","customer_id":"c","store_id":"s","amount":"4.50","payment_method":"pix","#,
        r#""latitude":-1.5,"longitude":2.5,"timestamp":"2026-02-01T00:00:00.000-03:00","revision":0}"#
    );

    fn spoilt(defect: Defect) -> String {
        let mut payload = GOOD.as_bytes().to_vec();
        defect.spoil(&mut payload, 1_769_914_800_000_000);
        String::from_utf8_lossy(&payload).into_owned()
    }

    #[test]
    fn each_defect_changes_what_it_names() {
        let replaced = |from: &str, to: &str| GOOD.replace(from, to);
        assert_eq!(spoilt(Defect::Missing("amount")), replaced(r#""amount":"4.50","#, ""));
        assert_eq!(spoilt(Defect::Missing("transaction_id")), replaced(r#""transaction_id":"t","#, ""));
        assert_eq!(spoilt(Defect::LatitudeAlone), replaced(r#""longitude":2.5,"#, ""));
        assert_eq!(spoilt(Defect::NegativeAmount), replaced("4.50", "-4.50"));
        assert_eq!(spoilt(Defect::ThreeDecimals), replaced("4.50", "4.505"));
        assert_eq!(spoilt(Defect::NoSuchMonth), replaced("2026-02", "2026-13"));
        assert_eq!(spoilt(Defect::FromTheFuture), replaced("2026-02-01T", "2126-02-02T"));
        assert_eq!(spoilt(Defect::NotUtf8), replaced("pix", "\u{fffd}ix"));
        assert!(serde_json::from_str::<serde_json::Value>(&spoilt(Defect::CutShort)).is_err());
        assert!(spoilt(Defect::Oversized).len() > 65_536);
    }
}
