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
    /// Those of transaction events, of which bronze holds a row each.
    pub const OF_TRANSACTIONS: [Self; 5] =
        [Self::New, Self::Correcting, Self::Voiding, Self::Duplicate, Self::Superseded];

    /// The account of a name.
    pub fn named(name: &str) -> Option<Self> {
        let others = [Self::Reference].into_iter().chain(Reason::ALL.map(Self::DeadLetter));
        Self::OF_TRANSACTIONS.into_iter().chain(others).find(|account| account.as_str() == name)
    }

    /// Whether the name is that of one of [`Account::OF_TRANSACTIONS`].
    pub fn names_transactions(name: &str) -> bool {
        Self::named(name).is_some_and(|account| Self::OF_TRANSACTIONS.contains(&account))
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
