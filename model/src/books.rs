//! The books: each event read ends in exactly one account.

use super::Reason;
use serde::{Deserialize, Serialize};

/// The account in which an event ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Account {
    /// Accepted: a transaction not seen before.
    New,
    /// Accepted: replaces a lower revision.
    Correcting,
    /// Accepted: withdraws its transaction.
    Voiding,
    /// The same revision again.
    Duplicate,
    /// A lower revision than the current one.
    Superseded,
    /// An upsert or deletion of reference data.
    Reference,
    /// Not accepted.
    DeadLetter(Reason),
}

impl Account {
    /// The account of a name.
    pub fn named(name: &str) -> Option<Self> {
        let accepted = [Self::New, Self::Correcting, Self::Voiding, Self::Duplicate, Self::Superseded];
        let others = [Self::Reference].into_iter().chain(Reason::ALL.map(Self::DeadLetter));
        accepted.into_iter().chain(others).find(|account| account.as_str() == name)
    }

    /// The name that users see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Correcting => "correcting",
            Self::Voiding => "voiding",
            Self::Duplicate => "duplicate",
            Self::Superseded => "superseded",
            Self::Reference => "reference",
            Self::DeadLetter(reason) => reason.as_str(),
        }
    }
}

/// A line of the books: what was read, and where it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BooksEntry {
    /// Events read from a topic, counted where they enter.
    Read {
        /// The topic's place in the configuration.
        topic: u16,
    },
    /// Events that ended in an account, counted where that is decided.
    Ended {
        /// The topic's place in the configuration.
        topic: u16,
        /// Where they ended.
        account: Account,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_is_found_by_its_name() {
        let names = ["new", "correcting", "voiding", "duplicate", "superseded", "reference", "too_late"];
        assert!(
            names.iter().all(|name| Account::named(name).is_some_and(|account| account.as_str() == *name))
        );
        assert_eq!(Account::named("read"), None);
    }
}
