//! What an event means, given the current version of its transaction.

use super::known::Known;
use std::cmp::Ordering;
use streamflow_model::{Account, PartitionId, Transaction};

/// The current version of a transaction, as far as decisions depend on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Current {
    pub(super) event_time: i64,
    revision: u32,
    partition: PartitionId,
}

impl From<&Known> for Current {
    fn from(known: &Known) -> Self {
        Self { event_time: known.event_time, revision: known.revision, partition: known.partition }
    }
}

impl From<&Transaction> for Current {
    fn from(transaction: &Transaction) -> Self {
        let Transaction { event_time, revision, source, .. } = *transaction;
        Self { event_time, revision, partition: source.partition() }
    }
}

/// What an event means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It becomes current, and neither it nor what it replaces is final. It is counted in this account.
    Becomes(Account),
    /// It becomes current, and it or what it replaces is final.
    Amends,
    /// It changes nothing.
    NoEffect(Account),
    /// It is refused.
    TooLate,
}

/// Decides an event whose partition has made final what is before `final_before`, microseconds since 1970.
pub(super) fn decide(transaction: &Transaction, current: Option<Current>, final_before: i64) -> Decision {
    let is_final = |event_time: i64| event_time < final_before;
    let late = is_final(transaction.event_time);
    let Some(current) = current else {
        return match (late, transaction.voided) {
            (false, false) => Decision::Becomes(Account::New),
            (false, true) => Decision::Becomes(Account::Voiding),
            // It is kept, so that what it voids finds it.
            (true, true) => Decision::Amends,
            (true, false) => Decision::TooLate,
        };
    };
    let amends = late || is_final(current.event_time);
    match transaction.revision.cmp(&current.revision) {
        Ordering::Less => Decision::NoEffect(Account::Superseded),
        Ordering::Equal if transaction.source.partition() < current.partition && !amends => {
            Decision::Becomes(Account::Duplicate)
        }
        Ordering::Equal => Decision::NoEffect(Account::Duplicate),
        Ordering::Greater if amends => Decision::Amends,
        Ordering::Greater if transaction.voided => Decision::Becomes(Account::Voiding),
        Ordering::Greater => Decision::Becomes(Account::Correcting),
    }
}
