//! `streamflow.pending_events`: events that wait for an answer.

use crate::changes::{At, Changes};
use crate::copy_out::impossible;
use crate::encoding::{Columns, Fields, Instant};
use crate::output::Output;
use crate::topics::Topics;
use bytes::Bytes;
use postgres::types::Type;
use postgres::{GenericClient, Row};
use streamflow_connectors::postgres::{CopyRows, PostgresError};
use streamflow_dataflow::admitted_event::AdmittedEvent;
use streamflow_dataflow::amendments::Pending;
use streamflow_dataflow::decode::decode_payload;
use streamflow_model::{PartitionId, Source};

pub(crate) const TABLE: &str = "streamflow.pending_events";

const COPY: &str = "COPY streamflow.pending_events (arrived, waits_behind, record_time, partition_time, own_final_before, final_before, reaches_back_to, \
     source_offset, source_partition, source_topic, message_key, payload) FROM STDIN (FORMAT binary)";

const DELETE: &str = "DELETE FROM streamflow.pending_events AS p \
     USING unnest($1::text[], $2::int4[], $3::int8[]) AS n (topic, partition, number) \
     WHERE p.source_topic = n.topic AND p.source_partition = n.partition AND p.source_offset = n.number";

const SELECT: &str = "SELECT arrived, waits_behind, record_time, partition_time, own_final_before, final_before, reaches_back_to, source_offset, \
     source_partition, source_topic, message_key, payload FROM streamflow.pending_events";

/// What identifies an event.
const EVENT: [Type; 3] = [Type::TEXT, Type::INT4, Type::INT8];

/// Adds those that begin to wait, and removes those that have been decided.
pub(crate) fn write(
    output: &mut Output<'_, '_>,
    changes: &Changes,
    topics: &Topics,
) -> Result<(), PostgresError> {
    let mut added = CopyRows::new(12);
    let mut removed = Columns::new(&EVENT);
    for (source, At { value, .. }) in &changes.pending {
        let partition = source.partition();
        let (topic, number) = (topics.name(partition.topic()), i32::from(partition.partition()));
        if let Some(pending) = value {
            let Pending { event, arrived, own_final_before, waits_behind, final_before, reaches_back_to } =
                pending;
            added.begin();
            added.count(*arrived);
            added.boolean(*waits_behind);
            added.nullable(event.record_time, Fields::instant);
            added.instant(event.partition_time);
            added.instant(*own_final_before);
            added.instant(*final_before);
            added.instant(*reaches_back_to);
            added.count(source.offset());
            added.int4(number);
            added.text(topic);
            added.nullable(event.key.as_deref(), Fields::value);
            added.value(&event.payload);
        }
        // One that waited behind another may now wait for an answer itself.
        removed.begin();
        push_event(&mut removed, *source, topics);
    }
    output.write(TABLE, DELETE, &removed)?;
    output.copy(TABLE, COPY, &added)
}

/// All of them, in no order.
pub(crate) fn all(client: &mut impl GenericClient, topics: &Topics) -> Result<Vec<Pending>, PostgresError> {
    client.query(SELECT, &[])?.iter().map(|row| read(row, topics)).collect()
}

/// The first ones whose `final_before` is at most `settled`, microseconds since 1970, in the order in which
/// they are decided.
pub(crate) fn first(
    client: &mut impl GenericClient,
    topics: &Topics,
    settled: i64,
    limit: i64,
) -> Result<Vec<Pending>, PostgresError> {
    let sql = format!(
        "{SELECT} WHERE final_before <= $1 \
         ORDER BY final_before, arrived, source_topic, source_partition, source_offset LIMIT $2"
    );
    let rows = client.query(&sql, &[&Instant(settled), &limit])?;
    let mut waiting = rows.iter().map(|row| read(row, topics)).collect::<Result<Vec<_>, _>>()?;
    waiting.sort_by_key(Pending::order);
    Ok(waiting)
}

/// Whether any of these events is among them.
pub(crate) fn any_of(
    client: &mut impl GenericClient,
    topics: &Topics,
    events: &[Source],
) -> Result<bool, PostgresError> {
    let mut columns = Columns::new(&EVENT);
    for source in events {
        columns.begin();
        push_event(&mut columns, *source, topics);
    }
    let sql = "SELECT EXISTS (SELECT FROM unnest($1::text[], $2::int4[], $3::int8[]) AS n (topic, partition, number) \
         JOIN streamflow.pending_events AS p ON p.source_topic = n.topic AND p.source_partition = n.partition \
         AND p.source_offset = n.number)";
    Ok(client.query_one(sql, &columns.parameters())?.try_get(0)?)
}

fn push_event(columns: &mut Columns, source: Source, topics: &Topics) {
    let partition = source.partition();
    columns.text(topics.name(partition.topic()));
    columns.int4(i32::from(partition.partition()));
    columns.count(source.offset());
}

fn read(row: &Row, topics: &Topics) -> Result<Pending, PostgresError> {
    let instant = |column| Ok::<_, PostgresError>(row.try_get::<_, Instant>(column)?.0);
    let (offset, partition): (i64, i32) = (row.try_get(7)?, row.try_get(8)?);
    let topic: &str = row.try_get(9)?;
    let number = topics.number(topic).ok_or_else(|| PostgresError::Settings {
        key: "topics.transactions",
        problem: format!("`{topic}` is missing: events of it still wait to be decided"),
    })?;
    let partition = u16::try_from(partition).ok().and_then(|partition| PartitionId::new(number, partition));
    let offset = u64::try_from(offset).map_err(|_| impossible(format!("offset {offset}")))?;
    let source = Source::new(partition.ok_or_else(|| impossible("a partition beyond all limits"))?, offset);
    let payload = Bytes::copy_from_slice(row.try_get(11)?);
    // It was decoded before it was stored.
    let decoded = decode_payload(&payload, source).map_err(|refusal| impossible(refusal.message))?;
    let event = AdmittedEvent {
        transaction: decoded.transaction,
        record_time: row.try_get::<_, Option<Instant>>(2)?.map(|Instant(micros)| micros),
        partition_time: instant(3)?,
        schema_version: decoded.schema_version,
        key: row.try_get::<_, Option<&[u8]>>(10)?.map(Bytes::copy_from_slice),
        payload,
    };
    let arrived: i64 = row.try_get(0)?;
    Ok(Pending {
        event,
        arrived: u64::try_from(arrived).map_err(|_| impossible(format!("ingest time {arrived}")))?,
        waits_behind: row.try_get(1)?,
        own_final_before: instant(4)?,
        final_before: instant(5)?,
        reaches_back_to: instant(6)?,
    })
}
