//! The current versions of transactions, with what was stored of their verdicts.

use crate::copy_out::impossible;
use crate::encoding::Instant;
use crate::topics::Topics;
use postgres::{Row, Transaction as Snapshot};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::amendments::Pending;
use streamflow_dataflow::detectors::stored::StoredEvidence;
use streamflow_dataflow::detectors::{Evidence, Hit};
use streamflow_dataflow::rules::SetName;
use streamflow_dataflow::score::{Amended, Scored, ShadowAlert, ShownHit, ShownVerdict};
use streamflow_model::{Cents, Currency, Id, PartitionId, Place, RuleId, Score, Source, Transaction};

const FOUND: &str = "SELECT t.transaction_id, c.customer_id, s.store_id, p.product_id, t.payment_method, t.amount_cents, \
         t.currency, t.latitude, t.longitude, t.transaction_at, t.revision, t.voided, o.topic, t.source_partition, \
         t.source_offset, t.score_thousandths, t.rule_scores::text, t.is_fraud, coalesce(t.alert_changes, 0), \
         f.rule_details::text, t.shadow_alerts::text \
     FROM unnest($1::text[]) AS n (id) JOIN silver.transactions AS t ON t.transaction_id = n.id \
     JOIN gold.dim_customer AS c USING (customer_key) JOIN gold.dim_store AS s USING (store_key) \
     LEFT JOIN gold.dim_product AS p USING (product_key) JOIN streamflow.topics AS o USING (topic_key) \
     LEFT JOIN gold.fact_fraud_alerts AS f ON f.transaction_id = t.transaction_id";

/// The rows of the transactions for which events wait, by id.
pub(super) fn found(
    snapshot: &mut Snapshot<'_>,
    waiting: &[Pending],
    topics: &Topics,
) -> Result<HashMap<Id, Amended>, PostgresError> {
    let ids: Vec<&str> = waiting.iter().map(|pending| pending.event.transaction.id.as_str()).collect();
    let rows = snapshot.query(FOUND, &[&ids])?;
    let found = rows.iter().map(|row| {
        let scored = scored(row, topics)?;
        let hits = hits(row, &scored.verdict)?;
        Ok((scored.transaction.id.clone(), Amended { scored, hits, sole_in_hour: false }))
    });
    found.collect()
}

fn scored(row: &Row, topics: &Topics) -> Result<Scored, PostgresError> {
    let text = |column| row.try_get::<_, &str>(column).map(Id::from);
    let optional = |column| row.try_get::<_, Option<&str>>(column).map(|text| text.map(Id::from));
    let currency: &str = row.try_get(6)?;
    let place = match (row.try_get(7)?, row.try_get(8)?) {
        (Some(latitude), Some(longitude)) => Some(Place { latitude, longitude }),
        _ => None,
    };
    let revision: i64 = row.try_get(10)?;
    let transaction = Transaction {
        id: text(0)?,
        customer: text(1)?,
        store: text(2)?,
        product: optional(3)?,
        payment_method: optional(4)?,
        amount: Cents(row.try_get(5)?),
        currency: Currency::parse(currency).ok_or_else(|| impossible(format!("currency `{currency}`")))?,
        place,
        event_time: row.try_get::<_, Instant>(9)?.0,
        revision: u32::try_from(revision).map_err(|_| impossible(format!("revision {revision}")))?,
        voided: row.try_get(11)?,
        source: source(row, topics)?,
    };
    let alert_changes: i32 = row.try_get(18)?;
    Ok(Scored {
        transaction: Arc::new(transaction),
        verdict: verdict(row)?,
        first_in_minute: false,
        alert_changes: u32::try_from(alert_changes).unwrap_or_default(),
    })
}

/// A topic that is no longer configured is never written again, so its number does not matter.
fn source(row: &Row, topics: &Topics) -> Result<Source, PostgresError> {
    let (topic, partition, offset): (&str, i16, i64) = (row.try_get(12)?, row.try_get(13)?, row.try_get(14)?);
    let number = topics.number(topic).unwrap_or(PartitionId::TOPICS - 1);
    let partition = u16::try_from(partition).ok().and_then(|partition| PartitionId::new(number, partition));
    let partition = partition.ok_or_else(|| impossible("a partition beyond all limits"))?;
    let offset = u64::try_from(offset).map_err(|_| impossible(format!("offset {offset}")))?;
    Ok(Source::new(partition, offset))
}

fn verdict(row: &Row) -> Result<ShownVerdict, PostgresError> {
    let score: i16 = row.try_get(15)?;
    let scores: Map<String, Value> = json(row.try_get(16)?)?;
    let shadows: Map<String, Value> = json(row.try_get(20)?)?;
    let shadows = shadows.iter().map(|(set, alert)| shadow_alert(set, alert));
    let mut shadows: Vec<_> = shadows.collect::<Result<_, PostgresError>>()?;
    shadows.sort_by_key(|shadow| shadow.set);
    Ok(ShownVerdict {
        score: Score::ratio(score.into(), 1000),
        alert: row.try_get(17)?,
        hits: shown_hits(&scores)?,
        shadows,
    })
}

/// Scores by rule.
fn shown_hits(scores: &Map<String, Value>) -> Result<Vec<ShownHit>, PostgresError> {
    let hit = |(id, score): (&String, &Value)| {
        let rule = RuleId::new(id).ok_or_else(|| impossible(format!("rule `{id}`")))?;
        Ok(ShownHit { rule, score: thousandths(score)? })
    };
    let mut hits: Vec<ShownHit> = scores.iter().map(hit).collect::<Result<_, PostgresError>>()?;
    hits.sort_by_key(|hit| hit.rule);
    Ok(hits)
}

fn shadow_alert(name: &str, alert: &Value) -> Result<ShadowAlert<ShownHit>, PostgresError> {
    let set = SetName::from_column(name).ok_or_else(|| impossible(format!("rule set `{name}`")))?;
    let scores = alert["rules"].as_object().ok_or_else(|| impossible(format!("shadow alert {alert}")))?;
    Ok(ShadowAlert { set, score: thousandths(&alert["score"])?, hits: shown_hits(scores)? })
}

fn thousandths(score: &Value) -> Result<Score, PostgresError> {
    let number = score.as_i64().ok_or_else(|| impossible(format!("score {score}")))?;
    Ok(Score::ratio(number.into(), 1000))
}

/// The hits with what is stored of their evidence.
fn hits(row: &Row, verdict: &ShownVerdict) -> Result<Vec<Hit>, PostgresError> {
    let details: Map<String, Value> = json(row.try_get(19)?)?;
    let hit = |ShownHit { rule, score }: &ShownHit| {
        let details = details.get(rule.as_str()).map(Value::to_string).unwrap_or_default();
        let evidence = Evidence::Stored(StoredEvidence { details });
        Hit { rule: *rule, score: *score, evidence }
    };
    Ok(verdict.hits.iter().map(hit).collect())
}

/// The object; an empty one for none.
fn json(text: Option<&str>) -> Result<Map<String, Value>, PostgresError> {
    let object = text.map(serde_json::from_str).transpose();
    Ok(object.map_err(|error| impossible(format!("scores by rule: {error}")))?.unwrap_or_default())
}
