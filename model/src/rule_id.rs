//! Ids of rules.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// A rule's id, as alerts and tables show it: 1 to 24 letters, digits, `-`, `_` or `.`. Compared by bytes.
///
/// It is held in place, because every hit of every transaction names its rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId([u8; RuleId::LONGEST]);

impl RuleId {
    /// Most characters of an id.
    pub const LONGEST: usize = 24;

    /// The id that a text denotes; `None` where it is none.
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        let is_id = (1..=Self::LONGEST).contains(&text.len()) && text.as_bytes().iter().all(allowed);
        is_id.then(|| Self::padded(text))
    }

    /// An id that is known to be one; what is too long is cut off.
    pub const fn padded(text: &str) -> Self {
        let (mut bytes, text) = ([0; Self::LONGEST], text.as_bytes());
        let mut index = 0;
        while index < text.len() && index < Self::LONGEST {
            bytes[index] = text[index];
            index += 1;
        }
        Self(bytes)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(Self::LONGEST);
        // It is ASCII: nothing else makes an id.
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }
}

impl AsRef<str> for RuleId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RuleId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RuleId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).ok_or_else(|| {
            let longest = Self::LONGEST;
            de::Error::custom(format!("id: must be 1 to {longest} letters, digits, -, _ or ."))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_ascii_without_spaces() {
        let longest = "x".repeat(RuleId::LONGEST);
        for good in ["FR-001", "a", "card.testing_2", &longest] {
            assert_eq!(RuleId::new(good).map(|id| id.to_string()).as_deref(), Some(good));
        }
        let long = format!("{longest}x");
        for bad in ["", "FR 001", "a\0", "é", "a/b", "a\"", &long] {
            assert_eq!(RuleId::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn ids_are_ordered_as_their_texts() {
        let ids = ["A", "FR-001", "FR-0010", "FR-002", "a"].map(|id| RuleId::new(id).unwrap());
        assert!(ids.is_sorted());
    }
}
