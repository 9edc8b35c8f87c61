//! Events in bronze, written anew.

use super::people::People;
use super::places::Places;
use crate::copy_out::impossible;
use crate::encoding::Instant;
use postgres::Transaction as Connection;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::ToSql;
use serde::Serialize;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::decode::{Decoded, Refusal, decode_payload};
use streamflow_model::timestamp::Rfc3339;
use streamflow_model::{PartitionId, Source, Transaction};

/// A row of `bronze.raw_transactions` with its new payload.
#[derive(Debug)]
pub(super) struct Rewritten {
    ingested_at: Instant,
    topic: String,
    partition: i32,
    offset: i64,
    payload: String,
}

/// An escape may hide anything.
const FIND: &str = "SELECT ingested_at, source_topic, source_partition, source_offset, payload FROM bronze.raw_transactions \
     WHERE EXISTS (SELECT FROM unnest($1::text[]) AS needle WHERE strpos(payload, needle) > 0) \
         OR strpos(payload, E'\\\\') > 0";

/// The time of ingestion finds the partition.
const UPDATE: &str = "UPDATE bronze.raw_transactions AS r SET payload = n.payload \
     FROM unnest($1::timestamptz[], $2::text[], $3::int4[], $4::int8[], $5::text[]) \
         AS n (ingested_at, topic, part, number, payload) \
     WHERE r.ingested_at = n.ingested_at AND r.source_topic = n.topic AND r.source_partition = n.part \
         AND r.source_offset = n.number";

/// Rows that one statement updates.
const BATCH: usize = 10_000;

/// Their events, and those of others whose unknown fields name them. Also how many keep an id that names them.
pub(super) fn find(
    transaction: &mut Connection<'_>,
    people: &mut People,
) -> Result<(Vec<Rewritten>, usize), PostgresError> {
    let (mut rewritten, mut still_named) = (Vec::new(), 0);
    let needles = people.needles();
    let mut rows = transaction.query_raw(FIND, [&needles as &(dyn ToSql + Sync)])?;
    while let Some(row) = rows.next()? {
        let payload: &str = row.try_get(4)?;
        let Some(payload) = rewrite(payload, people)? else { continue };
        still_named += usize::from(people.times_named(&payload) > 0);
        rewritten.push(Rewritten {
            ingested_at: row.try_get(0)?,
            topic: row.try_get(1)?,
            partition: row.try_get(2)?,
            offset: row.try_get(3)?,
            payload,
        });
    }
    Ok((rewritten, still_named))
}

pub(super) fn write(transaction: &mut Connection<'_>, events: &[Rewritten]) -> Result<(), PostgresError> {
    for batch in events.chunks(BATCH) {
        let times: Vec<Instant> = batch.iter().map(|event| event.ingested_at).collect();
        let topics: Vec<&str> = batch.iter().map(|event| event.topic.as_str()).collect();
        let partitions: Vec<i32> = batch.iter().map(|event| event.partition).collect();
        let offsets: Vec<i64> = batch.iter().map(|event| event.offset).collect();
        let payloads: Vec<&str> = batch.iter().map(|event| event.payload.as_str()).collect();
        transaction.execute(UPDATE, &[&times, &topics, &partitions, &offsets, &payloads])?;
    }
    Ok(())
}

/// The payload without what names them; `None` where it names nobody, or only in ids that stay.
fn rewrite(payload: &str, people: &mut People) -> Result<Option<String>, PostgresError> {
    let decoded = match decode(payload) {
        Ok(decoded) => decoded,
        // One that an older version accepted matters only if it is theirs.
        Err(_) if people.named_in(payload.as_bytes()).is_none() => return Ok(None),
        Err(refusal) => return Err(impossible(format!("an event in bronze: {}", refusal.message))),
    };
    let customer = decoded.transaction.customer.as_str();
    if let Some(index) = people.with_id(customer) {
        people.see(index);
        let Some(person) = people.person(index) else { return Ok(None) };
        return write_anew(&decoded, &person.pseudonym, Some(person.places)).map(Some);
    }
    let named = people.times_named(payload);
    if named == 0 {
        return Ok(None);
    }
    let anew = write_anew(&decoded, customer, None)?;
    Ok((people.times_named(&anew) < named).then_some(anew))
}

/// The source decides nothing about a payload.
fn decode(payload: &str) -> Result<Decoded, Refusal> {
    decode_payload(payload.as_bytes(), Source::new(PartitionId::FIRST, 0))
}

/// An event with the fields that are known, and no others.
#[derive(Serialize)]
struct Event<'a> {
    transaction_id: &'a str,
    customer_id: &'a str,
    store_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method: Option<&'a str>,
    amount: String,
    currency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longitude: Option<f64>,
    timestamp: String,
    schema_version: u32,
    revision: u32,
    voided: bool,
}

/// The payload from its decoded fields, under another customer, with places moved.
fn write_anew(decoded: &Decoded, customer: &str, places: Option<Places>) -> Result<String, PostgresError> {
    let Decoded { transaction, schema_version } = decoded;
    let Transaction { id, store, product, payment_method, amount, currency, .. } = &**transaction;
    let place = transaction.place.map(|place| places.map_or(place, |places| places.of(place)));
    let event = Event {
        transaction_id: id,
        customer_id: customer,
        store_id: store,
        product_id: product.as_deref(),
        payment_method: payment_method.as_deref(),
        amount: amount.to_string(),
        currency: currency.as_str(),
        latitude: place.map(|place| place.latitude_degrees()),
        longitude: place.map(|place| place.longitude_degrees()),
        timestamp: Rfc3339(transaction.event_time).to_string(),
        schema_version: *schema_version,
        revision: transaction.revision,
        voided: transaction.voided,
    };
    serde_json::to_string(&event).map_err(|error| PostgresError::Rows(error.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use streamflow_model::Place;

    #[test]
    fn what_is_known_stays_and_what_is_not_goes() {
        let payloads = [
            r#"{"transaction_id": "t\"1", "customer_id": "\u0063", "store_id": "é", "amount": 1e2, "timestamp":
                "2026-02-01T02:00:18.2500009-03:00", "latitude": -1e-7, "longitude": 180, "note": "c", "revision": 3}"#,
            r#"{"transaction_id": "t", "customer_id": "c", "store_id": "s", "amount": "0.05", "currency": "USD",
                "timestamp": "0001-01-01T00:00:00Z", "voided": true, "product_id": "p", "payment_method": "",
                "schema_version": 7, "timestamp": "9999-12-31T23:59:59.999999Z"}"#,
        ];
        for payload in payloads {
            let before = decode(payload).unwrap();
            let anew = write_anew(&before, "x", None).unwrap();
            let mut expected = Transaction::clone(&before.transaction);
            expected.customer = "x".into();
            let after = decode(&anew).unwrap();
            assert_eq!(
                (&*after.transaction, after.schema_version),
                (&expected, before.schema_version),
                "{anew}"
            );
            assert!(!anew.contains("note"));
            expected.place = expected.place.map(|_| Place { latitude: 0, longitude: 0 });
            let nowhere = write_anew(&before, "x", Some(Places::Nowhere)).unwrap();
            assert_eq!(decode(&nowhere).unwrap().transaction, Arc::new(expected), "{nowhere}");
        }
    }
}
