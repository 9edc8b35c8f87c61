//! Resuming from a committed frontier: the operators' state is restored from the tables.
//!
//! Law: an operator that was given the state at a frontier behaves as if it had seen every event before it.
//! Restored rows are not emitted again. No event is decided before all state is restored, which is when these
//! streams have ended.

use crate::amendments::Pending;
use crate::changes::{PartitionPosition, Upsert, ViewChange};
use crate::controls::ControlChange;
use crate::operators::watermark::{self, Clock};
use crate::settings::Settings;
use crate::views::ViewRow;
use crate::views::customer_profile::Profile;
use crate::views::quality::QualityKey;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use streamflow_model::{BooksEntry, Currency, Id, PartitionId, Transaction};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::vec::Map;

/// What every worker knows before the graph is built; the default is a fresh start.
#[derive(Clone, Debug)]
pub struct Resume {
    /// The committed watermark, microseconds since 1970; `i64::MIN` where there was none.
    pub watermark: i64,
    /// The position of each partition.
    pub partitions: Vec<PartitionPosition>,
    /// All changes of the rules and the list, in order.
    pub controls: Vec<ControlChange>,
    /// The smallest [`Pending::held_before`] of the events that wait for an answer; `i64::MAX` without any.
    pub held_before: i64,
}

impl Default for Resume {
    fn default() -> Self {
        Self { watermark: i64::MIN, partitions: Vec::new(), controls: Vec::new(), held_before: i64::MAX }
    }
}

impl Resume {
    /// The instant before which everything was final, microseconds since 1970.
    #[must_use]
    pub fn settled(&self, settings: &Settings) -> i64 {
        watermark::settled(self.watermark, settings.correction_horizon).min(self.held_before)
    }

    /// The first epoch with new input: state is restored in epoch 0.
    #[must_use]
    pub fn first_epoch(&self) -> u64 {
        let begins = self.watermark == i64::MIN && self.partitions.is_empty() && self.controls.is_empty();
        if begins { 0 } else { 1 }
    }

    /// The announcement of a partition, to be sent before its records. It does not hold back what was final
    /// before.
    #[must_use]
    pub fn announcement(&self, partition: PartitionId) -> Clock {
        let known = self.partitions.iter().find(|progress| progress.partition == partition);
        let time = known.and_then(|progress| progress.partition_time).unwrap_or(i64::MIN);
        Clock { partition, time: time.max(self.watermark), end: None }
    }
}

/// A current transaction, voided or not, that operators still need.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RestoredTransaction {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// A rule triggered on it, or a shadow set would alert it.
    pub hit: bool,
    /// Number of changes of its alert.
    pub alert_changes: u32,
}

/// A customer with current transactions in a currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RestoredCustomer {
    /// The customer.
    pub id: Id,
    /// The currency.
    pub currency: Currency,
    /// The profile in it.
    pub profile: Profile,
    /// Event time of the last folded current transaction in it, microseconds since 1970.
    pub last_folded: Option<i64>,
}

/// State read back from the tables, from any worker in any order.
pub struct Restored<'s> {
    /// Transactions within the horizon, the identity retention, open hours, and what detectors look back.
    pub transactions: StreamVec<'s, u64, RestoredTransaction>,
    /// All customers, by currency.
    pub customers: StreamVec<'s, u64, RestoredCustomer>,
    /// Rows of aggregates that can still change, the counts of quality and the books.
    pub views: StreamVec<'s, u64, ViewChange>,
    /// Events that wait for an answer.
    pub pending: StreamVec<'s, u64, Pending>,
}

impl<'s> Restored<'s> {
    /// Rows of views over facts.
    #[must_use]
    pub fn rows(&self) -> StreamVec<'s, u64, ViewRow> {
        self.views.clone().flat_map(|change| match change {
            ViewChange::Row(row) => Some(row),
            _ => None,
        })
    }

    /// The entries of the books.
    #[must_use]
    pub fn books(&self) -> StreamVec<'s, u64, Upsert<BooksEntry, i64>> {
        self.views.clone().flat_map(|change| match change {
            ViewChange::Books(entry) => Some(entry),
            _ => None,
        })
    }

    /// The counts of the quality checks.
    #[must_use]
    pub fn quality(&self) -> StreamVec<'s, u64, Upsert<QualityKey, i64>> {
        self.views.clone().flat_map(|change| match change {
            ViewChange::Quality(count) => Some(count),
            _ => None,
        })
    }
}
