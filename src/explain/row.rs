//! A transaction as an explanation shows it, with the position of its event.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use streamflow_model::timestamp::{self, Rfc3339};
use streamflow_model::{Cents, Currency, Id, PartitionId, Place, Source, Transaction};

/// Where an event is in Kafka.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.topic, self.partition, self.offset)
    }
}

/// A version of a transaction, as `gold.explain` writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub customer_id: String,
    pub store_id: String,
    pub product_id: Option<String>,
    pub payment_method: Option<String>,
    pub amount: String,
    pub currency: String,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub transaction_at: String,
    pub revision: u32,
    pub voided: bool,
    #[serde(flatten)]
    pub position: Position,
}

impl Row {
    pub fn new(transaction: &Transaction, position: Position) -> Self {
        let optional = |id: &Option<Id>| id.as_deref().map(str::to_owned);
        Self {
            customer_id: transaction.customer.to_string(),
            store_id: transaction.store.to_string(),
            product_id: optional(&transaction.product),
            payment_method: optional(&transaction.payment_method),
            amount: transaction.amount.to_string(),
            currency: transaction.currency.as_str().to_owned(),
            latitude: transaction.place.map(Place::latitude_degrees),
            longitude: transaction.place.map(Place::longitude_degrees),
            transaction_at: Rfc3339(transaction.event_time).to_string(),
            revision: transaction.revision,
            voided: transaction.voided,
            position,
        }
    }

    /// The transaction with this id.
    ///
    /// # Errors
    /// No pipeline wrote the row.
    pub fn transaction(&self, id: &str) -> Result<Transaction> {
        let place = self.latitude.zip(self.longitude);
        let offset = u64::try_from(self.position.offset).unwrap_or_default();
        Ok(Transaction {
            id: id.into(),
            customer: self.customer_id.as_str().into(),
            store: self.store_id.as_str().into(),
            product: self.product_id.as_deref().map(Id::from),
            payment_method: self.payment_method.as_deref().map(Id::from),
            amount: Cents::parse(&self.amount)?,
            currency: Currency::parse(&self.currency).context("a currency that is none")?,
            place: place.and_then(|(latitude, longitude)| Place::from_degrees(latitude, longitude)),
            event_time: timestamp::parse(&self.transaction_at).context("a time that is none")?,
            revision: self.revision,
            voided: self.voided,
            // Verdicts do not depend on it; its position is shown.
            source: Source::new(PartitionId::FIRST, offset),
        })
    }
}
