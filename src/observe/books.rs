//! The committed books of the topics that are read.

use super::Observed;
use crate::pipeline::Totals;
use serde::Serialize;
use streamflow_dataflow::dimensions::Role;
use streamflow_model::{Account, BooksEntry, Reason};

/// The books of one topic since the database was created.
#[derive(Clone, Debug, Serialize)]
pub struct Book {
    pub topic: String,
    /// Events read.
    pub read: i64,
    /// Events that wait to be decided.
    pub pending: i64,
    /// Events by account, with all accounts that the topic can have.
    pub ended: Vec<AccountEvents>,
}

/// The events of one account.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AccountEvents {
    /// `accepted`, `ignored`, `skipped` or `dead_letter`.
    pub outcome: &'static str,
    /// The account, such as `new` or `too_late`.
    pub account: &'static str,
    pub events: i64,
}

/// One for each topic, in the order of the configuration.
pub fn look(observed: &Observed, totals: &Totals) -> Vec<Book> {
    let book = |(topic, (name, role)): (u16, &(String, Role))| {
        let events = |entry: BooksEntry| totals.books.get(&entry).copied().unwrap_or(0);
        let ended = |account: Account| AccountEvents {
            outcome: outcome(account),
            account: account.as_str(),
            events: events(BooksEntry::Ended { topic, account }),
        };
        Book {
            topic: name.clone(),
            read: events(BooksEntry::Read { topic }),
            pending: events(BooksEntry::Ended { topic, account: Account::Pending }),
            ended: accounts(*role).into_iter().map(ended).collect(),
        }
    };
    (0..).zip(&observed.limits.topics).map(book).collect()
}

/// The accounts that a topic can have.
fn accounts(role: Role) -> Vec<Account> {
    let accepted: &[Account] = match role {
        Role::Transactions => &Account::OF_TRANSACTIONS,
        _ => &[Account::Reference],
    };
    let refused = Reason::ALL.map(Account::DeadLetter);
    accepted.iter().copied().chain([Account::Skipped]).chain(refused).collect()
}

fn outcome(account: Account) -> &'static str {
    match account {
        Account::New | Account::Correcting | Account::Voiding | Account::Reference => "accepted",
        Account::Duplicate | Account::Superseded => "ignored",
        Account::Pending => "pending",
        Account::Skipped => "skipped",
        Account::DeadLetter(_) => "dead_letter",
    }
}
