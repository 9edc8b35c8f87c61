//! Amendments: corrections and voids of any age, of transactions that are final or that memory does not hold.
//!
//! Law: an amendment is decided once everything before its `final_before`, its partition time less the horizon,
//! is final on every worker, and after all earlier amendments of its customer. What it changes is a function of
//! the events alone, for nothing else changes what is final. It revises the transaction's row, what that row
//! contributes to every view, its customer's sums and its own alert. Verdicts on the customer's transactions
//! from `final_before` on are those in the context of the amended past; earlier ones stay as they are. Where the tables
//! no longer have what it needs, it is refused.
//!
//! ```text
//! identity ── pending events ──> tables ──> whoever has the tables: what they hold, as answers
//!    ^                                                                   │
//!    └───────────────────────────── answers ────────────────────────────┘
//!    └── amendments ──> history ──> amended facts, alert changes, profiles
//! ```
//!
//! Nothing waits for an answer but the pending event itself, later events of its transaction, and finality:
//! while an event is pending, nothing from its `final_before` on becomes final (see [`crate::operators::hold`]).

mod answer;
mod pending;
mod settle;

pub use answer::{Answer, FinalPast, FinalPlace, PastInCurrency, Precedents};
pub use pending::{Pending, answerable};
pub use settle::SettleCustomer;

use crate::score::{Amended, Verdict};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use streamflow_model::{Id, Transaction};

/// The current version of a transaction that an amendment replaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Replaces {
    /// A final one, as the tables hold it.
    Final(Amended),
    /// One that history holds.
    Held {
        /// Its event time, microseconds since 1970.
        event_time: i64,
    },
}

/// A version of a transaction that replaces what may be final, or is final itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Amendment {
    /// Amendments of a customer take effect in the order of their numbers.
    pub number: u64,
    /// Transactions of the customer before this event time keep their verdicts, microseconds since 1970.
    pub final_before: i64,
    /// The version that it replaces.
    pub replaces: Option<Replaces>,
    /// The version that becomes current.
    pub transaction: Arc<Transaction>,
    /// Its verdict, where it is final and not voided.
    pub verdict: Verdict,
    /// It is its customer's only final transaction in its minute and currency.
    pub sole_in_minute: bool,
    /// It is its customer's only final transaction in its local hour, store and currency.
    pub sole_in_hour: bool,
    /// The customer's final transactions after it.
    pub past: FinalPast,
}

impl Amendment {
    /// The customer.
    pub fn customer(&self) -> &Id {
        &self.transaction.customer
    }
}
