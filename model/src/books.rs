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
    /// Not decided yet: a correction or void of a transaction that is final or not in memory. It ends in
    /// another account once the tables have been asked.
    Pending,
    /// Not an event, but an offset that an operator has passed without reading it: nobody knows what is there.
    Skipped,
    /// Not accepted.
    DeadLetter(Reason),
}

impl Account {
    /// The accounts of accepted transaction events, each of which has a row in bronze.
    pub const OF_TRANSACTIONS: [Self; 5] =
        [Self::New, Self::Correcting, Self::Voiding, Self::Duplicate, Self::Superseded];

    /// The account with this name.
    pub fn named(name: &str) -> Option<Self> {
        let others = [Self::Reference, Self::Pending, Self::Skipped]
            .into_iter()
            .chain(Reason::ALL.map(Self::DeadLetter));
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
            Self::Pending => "pending",
            Self::Skipped => "skipped",
            Self::DeadLetter(reason) => reason.as_str(),
        }
    }
}

/// A line of the books: events read, or events that ended in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BooksEntry {
    /// Events read from a topic, counted at admission.
    Read {
        /// The topic's index in the configuration.
        topic: u16,
    },
    /// Events that ended in an account, counted where their account is decided.
    Ended {
        /// The topic's index in the configuration.
        topic: u16,
        /// The account.
        account: Account,
    },
}

impl BooksEntry {
    /// The name of [`Self::Read`].
    pub const READ: &str = "read";

    /// The line of a topic with this name.
    pub fn named(topic: u16, name: &str) -> Option<Self> {
        if name == Self::READ {
            return Some(Self::Read { topic });
        }
        Account::named(name).map(|account| Self::Ended { topic, account })
    }

    /// The index of its topic in the configuration.
    pub fn topic(self) -> u16 {
        match self {
            Self::Read { topic } | Self::Ended { topic, .. } => topic,
        }
    }

    /// The name that users see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read { .. } => Self::READ,
            Self::Ended { account, .. } => account.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_is_found_by_its_name() {
        let names =
            ["new", "correcting", "voiding", "duplicate", "superseded", "reference", "skipped", "too_late"];
        assert!(
            names.iter().all(|name| Account::named(name).is_some_and(|account| account.as_str() == *name))
        );
        assert_eq!(Account::named("read"), None);
    }

    #[test]
    fn every_line_is_found_by_its_name() {
        for name in ["read", "new", "skipped", "too_late"] {
            let entry = BooksEntry::named(3, name).unwrap();
            assert_eq!((entry.topic(), entry.as_str()), (3, name));
        }
        assert_eq!(BooksEntry::named(3, "lost"), None);
    }
}
