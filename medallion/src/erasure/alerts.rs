//! Evidence of current alerts, and the outbox of alert changes.

use super::people::People;
use postgres::Transaction;
use streamflow_connectors::postgres::PostgresError;

/// A current alert with its new evidence.
#[derive(Debug)]
pub(super) struct Rewritten {
    transaction_id: String,
    details: String,
}

/// An alert change with its new message.
#[derive(Debug)]
pub(super) struct RewrittenChange {
    number: i64,
    customer: String,
    payload: String,
}

const FIND: &str = "SELECT transaction_id, rule_details::text FROM gold.fact_fraud_alerts \
     WHERE customer_key = ANY ($1) \
         OR EXISTS (SELECT FROM unnest($2::text[]) AS needle WHERE strpos(rule_details::text, needle) > 0)";

const UPDATE: &str = "UPDATE gold.fact_fraud_alerts AS f SET rule_details = n.details::json \
     FROM unnest($1::text[], $2::text[]) AS n (transaction_id, details) WHERE f.transaction_id = n.transaction_id";

const FIND_CHANGES: &str = "SELECT number, customer_id, payload::text FROM bronze.raw_fraud_alerts \
     WHERE customer_id = ANY ($1) \
         OR EXISTS (SELECT FROM unnest($2::text[]) AS needle WHERE strpos(payload::text, needle) > 0)";

const UPDATE_CHANGES: &str = "UPDATE bronze.raw_fraud_alerts AS a \
     SET customer_id = n.customer, payload = n.payload::json, erased_at = clock_timestamp() \
     FROM unnest($1::int8[], $2::text[], $3::text[]) AS n (number, customer, payload) WHERE a.number = n.number";

pub(super) fn find(
    transaction: &mut Transaction<'_>,
    people: &People,
) -> Result<Vec<Rewritten>, PostgresError> {
    let mut rewritten = Vec::new();
    for row in transaction.query(FIND, &[&people.keys(), &people.needles()])? {
        let details = people.erased_from(row.try_get(1)?);
        let transaction_id = row.try_get(0)?;
        rewritten.extend(details.map(|details| Rewritten { transaction_id, details }));
    }
    Ok(rewritten)
}

pub(super) fn write(transaction: &mut Transaction<'_>, alerts: &[Rewritten]) -> Result<(), PostgresError> {
    let ids: Vec<&str> = alerts.iter().map(|alert| alert.transaction_id.as_str()).collect();
    let details: Vec<&str> = alerts.iter().map(|alert| alert.details.as_str()).collect();
    transaction.execute(UPDATE, &[&ids, &details])?;
    Ok(())
}

pub(super) fn find_changes(
    transaction: &mut Transaction<'_>,
    people: &mut People,
) -> Result<Vec<RewrittenChange>, PostgresError> {
    let mut rewritten = Vec::new();
    for row in transaction.query(FIND_CHANGES, &[&people.ids(), &people.needles()])? {
        let Some(payload) = people.erased_from(row.try_get(2)?) else { continue };
        let customer: String = row.try_get(1)?;
        let person = people.with_id(&customer);
        person.into_iter().for_each(|index| people.see(index));
        let pseudonym = person.and_then(|index| people.person(index)).map(|person| person.pseudonym.clone());
        rewritten.push(RewrittenChange {
            number: row.try_get(0)?,
            customer: pseudonym.unwrap_or(customer),
            payload,
        });
    }
    Ok(rewritten)
}

pub(super) fn write_changes(
    transaction: &mut Transaction<'_>,
    changes: &[RewrittenChange],
) -> Result<(), PostgresError> {
    let numbers: Vec<i64> = changes.iter().map(|change| change.number).collect();
    let customers: Vec<&str> = changes.iter().map(|change| change.customer.as_str()).collect();
    let payloads: Vec<&str> = changes.iter().map(|change| change.payload.as_str()).collect();
    transaction.execute(UPDATE_CHANGES, &[&numbers, &customers, &payloads])?;
    Ok(())
}
