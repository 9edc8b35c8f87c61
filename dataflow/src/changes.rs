//! The output of the graph: changes of every table.

use crate::alerts::{AlertChange, AlertEvidence};
use crate::amendments::Pending;
pub use crate::operators::Upsert;
use crate::operators::watermark::PartitionTime;
use crate::rules::RulesChange;
use crate::score::Scored;
use crate::views::ViewRow;
use crate::views::customer_profile::{Profile, ProfileKey};
use crate::views::quality::QualityKey;
use serde::{Deserialize, Serialize};
use streamflow_model::{
    BooksEntry, Customer, DeadLetter, Id, ListChange, PartitionId, Product, Received, Source, Store,
};

/// How far a partition has been read, and the largest record time seen in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionPosition {
    /// The partition.
    pub partition: PartitionId,
    /// The offset to read next.
    pub next_offset: u64,
    /// The largest record timestamp read, microseconds since 1970; `None` before the first.
    pub partition_time: Option<i64>,
}

impl PartitionPosition {
    /// The partition time, if a record has one.
    #[must_use]
    pub fn time(&self) -> Option<PartitionTime> {
        self.partition_time.map(|time| PartitionTime { partition: self.partition, time })
    }
}

/// One change of one table, as sinks receive it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ViewChange {
    /// `bronze.raw_transactions` gains a row.
    Received(Received),
    /// `bronze.dead_letters` gains a row.
    DeadLetter(DeadLetter),
    /// `bronze.raw_fraud_alerts` gains a row; `gold.fact_fraud_alerts` follows.
    AlertChange(AlertChange),
    /// The evidence in `gold.fact_fraud_alerts`, of an alert that has not changed since.
    AlertEvidence(AlertEvidence),
    /// A version of a transaction is retracted (-1) or emitted (+1). A transaction never disappears: each -1
    /// is followed by a +1.
    Scored(Scored, i8),
    /// `streamflow.pending_events`: an event begins to wait for an answer, or no longer does.
    Pending(Upsert<Source, Pending>),
    /// `gold.customer_profile`.
    Profile(Upsert<ProfileKey, Profile>),
    /// The row of an open bucket in a view over facts.
    Row(ViewRow),
    /// What an amendment of final transactions adds to the row of a closed bucket; a row that becomes zero is
    /// none. In an epoch there is one of a key at most, and no [`Self::Row`] of the key follows it.
    RowDifference(ViewRow),
    /// `silver.quality_check_results`, the counts behind it.
    Quality(Upsert<QualityKey, i64>),
    /// The books.
    Books(Upsert<BooksEntry, i64>),
    /// `silver.customers`, `gold.dim_customer`.
    Customer(Upsert<Id, Customer>),
    /// `silver.stores`, `gold.dim_store`.
    Store(Upsert<Id, Store>),
    /// `silver.products`, `gold.dim_product`.
    Product(Upsert<Id, Product>),
    /// `silver.blacklist` gains a version of an entity's entry.
    ListChange(ListChange),
    /// `gold.rule_versions` gains a version of the rules.
    RulesChange(RulesChange),
    /// `streamflow.progress`.
    Progress(PartitionPosition),
    /// The smallest partition time, microseconds since 1970: what lies a horizon behind it is final.
    Watermark(i64),
}
