//! Transactions: as admitted and as received.

use super::{Cents, Id, Place, Source};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A currency code of three capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The default, Brazilian real.
    pub const BRL: Self = Self(*b"BRL");

    /// `None` unless `code` is three letters A to Z.
    pub fn parse(code: &str) -> Option<Self> {
        Self::from_bytes(code.as_bytes().try_into().ok()?)
    }

    /// As [`Currency::parse`].
    pub fn from_bytes(code: [u8; 3]) -> Option<Self> {
        code.iter().all(u8::is_ascii_uppercase).then_some(Self(code))
    }

    /// The code in ASCII.
    pub fn as_bytes(&self) -> &[u8; 3] {
        &self.0
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        // Only capital letters get in, so this never takes the default.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One version of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Transaction {
    /// Its identity.
    pub id: Id,
    /// The customer who paid.
    pub customer: Id,
    /// The store where they paid.
    pub store: Id,
    /// The product, if given.
    pub product: Option<Id>,
    /// The payment method, if given.
    pub payment_method: Option<Id>,
    /// Amount, > 0.
    pub amount: Cents,
    /// Currency of the amount.
    pub currency: Currency,
    /// Location of the payer, if given.
    pub place: Option<Place>,
    /// Event time, microseconds since 1970.
    pub event_time: i64,
    /// The highest revision replaces all lower ones.
    pub revision: u32,
    /// Withdrawn by its producer.
    pub voided: bool,
    /// Position of the event with this version.
    pub source: Source,
}

impl Transaction {
    /// Whether it means to replace another version: it corrects or voids.
    pub fn amends(&self) -> bool {
        self.voided || self.revision > 0
    }

    /// The sort key of a history: by event time, then by id.
    pub fn cmp_in_history(&self, other: &Self) -> std::cmp::Ordering {
        self.event_time.cmp(&other.event_time).then_with(|| self.id.cmp(&other.id))
    }
}

/// An event that is no dead letter, as received: a row of `bronze.raw_transactions`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Received {
    /// The position of its record.
    pub source: Source,
    /// The record's timestamp, microseconds since 1970; `None` in files.
    pub record_time: Option<i64>,
    /// Where the event had to wait: transactions before this event time were final then, microseconds since 1970.
    pub final_before: Option<i64>,
    /// Event time, microseconds since 1970.
    pub event_time: i64,
    /// The schema version that the payload states.
    pub schema_version: u32,
    /// The JSON as received.
    pub payload: Bytes,
}
