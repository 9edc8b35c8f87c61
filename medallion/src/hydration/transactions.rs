//! Reads the transactions that operators still need.

use super::{Hydration, Share};
use crate::copy_out::{self, Fields, impossible, literal};
use crate::topics::Topics;
use postgres::Transaction as Snapshot;
use postgres::types::Type;
use std::sync::Arc;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::resume::RestoredTransaction;
use streamflow_model::{Cents, PartitionId, Place, Source, Transaction};

const QUERY: &str = "SELECT t.transaction_id, c.customer_id, s.store_id, p.product_id, t.payment_method, \
     t.amount_cents, t.currency, t.latitude, t.longitude, t.transaction_at, t.revision, t.voided, o.topic, \
     t.source_partition, t.source_offset, \
     t.rule_scores IS NOT NULL OR t.shadow_alerts IS NOT NULL, coalesce(t.alert_changes, 0) \
     FROM silver.transactions AS t \
     JOIN gold.dim_customer AS c USING (customer_key) JOIN gold.dim_store AS s USING (store_key) \
     LEFT JOIN gold.dim_product AS p USING (product_key) JOIN streamflow.topics AS o USING (topic_key)";

const TYPES: [Type; 17] = [
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::TEXT,
    Type::INT4,
    Type::INT4,
    Type::INT8,
    Type::INT8,
    Type::BOOL,
    Type::TEXT,
    Type::INT2,
    Type::INT8,
    Type::BOOL,
    Type::INT4,
];

impl Hydration<'_> {
    /// Each worker reads a stretch of event time; the first and the last have no other end.
    pub(super) fn transactions(
        &self,
        snapshot: &mut Snapshot<'_>,
        share: Share,
        give: &mut dyn FnMut(RestoredTransaction),
    ) -> Result<(), PostgresError> {
        let (start, end) = share.of_range(self.seen_since, self.watermark.max(self.seen_since));
        let from = if share.index == 0 { self.seen_since } else { start };
        let to = if share.index + 1 == share.of { i64::MAX } else { end };
        let query = format!(
            "{QUERY} WHERE t.transaction_at >= {} AND t.transaction_at < {}",
            literal(from),
            literal(to)
        );
        copy_out::rows(snapshot, &query, &TYPES, |row| transaction(row, self.topics), give)
    }
}

fn transaction(row: &mut Fields<'_>, topics: &Topics) -> Result<RestoredTransaction, PostgresError> {
    let (id, customer, store) = (row.id()?, row.id()?, row.id()?);
    let product = row.get::<Option<&str>>()?.map(Into::into);
    let payment_method = row.get::<Option<&str>>()?.map(Into::into);
    let amount = Cents(row.get()?);
    let currency = row.currency()?;
    let place = match (row.get()?, row.get()?) {
        (Some(latitude), Some(longitude)) => Some(Place { latitude, longitude }),
        _ => None,
    };
    let event_time = row.instant()?;
    let revision: i64 = row.get()?;
    let voided = row.get()?;
    let source = source(row, topics)?;
    let hit = row.get()?;
    let alert_changes: i32 = row.get()?;
    let transaction = Transaction {
        id,
        customer,
        store,
        product,
        payment_method,
        amount,
        currency,
        place,
        event_time,
        revision: u32::try_from(revision).map_err(|_| impossible(format!("revision {revision}")))?,
        voided,
        source,
    };
    let alert_changes = u32::try_from(alert_changes).unwrap_or_default();
    Ok(RestoredTransaction { transaction: Arc::new(transaction), hit, alert_changes })
}

fn source(row: &mut Fields<'_>, topics: &Topics) -> Result<Source, PostgresError> {
    let (topic, partition): (&str, i16) = (row.get()?, row.get()?);
    let number = topics.number(topic).ok_or_else(|| PostgresError::Settings {
        key: "topics.transactions",
        problem: format!("`{topic}` is missing: its transactions can still be corrected"),
    })?;
    let partition = u16::try_from(partition).ok().and_then(|partition| PartitionId::new(number, partition));
    let partition = partition.ok_or_else(|| impossible("a partition beyond all limits"))?;
    Ok(Source::new(partition, row.count()?))
}
