//! The rows that the medallion stores of some events: as its own writer writes them, as PostgreSQL gives them back.

use super::super::events::Events;
use anyhow::{Context, Result};
use postgres::Client;
use std::io::Read;
use std::sync::Arc;
use streamflow_connectors::postgres::migrate::migrate;
use streamflow_connectors::postgres::{PostgresSettings, Writer, connect};
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::decode::decode_payload;
use streamflow_dataflow::score::{Scored, ShownVerdict};
use streamflow_medallion::{Changes, Medallion, Progress, Topics, migrations};
use streamflow_model::{PartitionId, Received, Source};

/// The tables that get a row of every event. The fact table is a view over the second.
const TABLES: [&str; 2] = ["bronze.raw_transactions", "silver.transactions"];
const ZONE: chrono_tz::Tz = chrono_tz::America::Sao_Paulo;
const TOPIC: &str = "transactions.raw";

/// The rows of [`TABLES`].
pub struct Rows {
    pub tables: Vec<Table>,
    /// Events that they are of.
    pub events: u64,
}

/// The rows of a table.
pub struct Table {
    /// Its name without the schema.
    pub name: &'static str,
    /// Its columns, each with its type.
    pub definition: String,
    /// The names of its columns.
    pub columns: String,
    /// What COPY takes, in its binary format.
    pub rows: Vec<u8>,
}

impl Rows {
    /// Of `events`, none of which raises an alert; by a PostgreSQL that is migrated for it.
    pub fn make(events: &Events, own: &PostgresSettings) -> Result<Self> {
        let mut client = connect(own)?;
        migrate(&mut client, migrations())?;
        let topics = Arc::new(Topics::new([TOPIC]));
        let mut writer = Medallion::new(Progress::take_lease(&mut client, ZONE)?, Arc::clone(&topics), ZONE);
        writer.on_connect(&mut client)?;
        let changes = changes(events, topics)?;
        let mut transaction = client.transaction()?;
        writer.write(&mut transaction, 1, &changes)?;
        transaction.commit()?;
        let tables = TABLES.into_iter().map(|name| Table::read(&mut client, name)).collect::<Result<_>>()?;
        Ok(Self { tables, events: events.count() })
    }
}

fn changes(events: &Events, topics: Arc<Topics>) -> Result<Changes> {
    let mut changes = Changes::new(topics);
    let lines = events.partitions.iter().flatten();
    let mut ingested = None;
    for (offset, line) in (0..).zip(lines) {
        let payload = events.bytes.slice(line.place.clone());
        let source = Source::new(PartitionId::FIRST, offset);
        let decoded = decode_payload(&payload, source).map_err(|refusal| anyhow::anyhow!(refusal.message))?;
        let transaction = decoded.transaction;
        let received = Received {
            source,
            record_time: Some(line.appended_at),
            final_before: None,
            event_time: transaction.event_time,
            schema_version: decoded.schema_version,
            payload,
        };
        let verdict = ShownVerdict::default();
        let scored = Scored { transaction, verdict, first_in_minute: true, alert_changes: 0 };
        // All in one partition of the table.
        let time = *ingested.get_or_insert(u64::try_from(line.appended_at / 1000)?);
        changes.push(time, ViewChange::Received(received));
        changes.push(time, ViewChange::Scored(scored, 1));
    }
    Ok(changes)
}

impl Table {
    fn read(client: &mut Client, table: &'static str) -> Result<Self> {
        let row = client.query_one(
            "SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum), \
             string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute \
             WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
            &[&table],
        )?;
        let (definition, columns): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let copy = format!("COPY (SELECT {columns} FROM {table}) TO STDOUT (FORMAT binary)");
        let mut rows = Vec::new();
        client.copy_out(&copy)?.read_to_end(&mut rows).with_context(|| format!("cannot read {table}"))?;
        let name = table.split_once('.').map_or(table, |(_schema, name)| name);
        Ok(Self { name, definition, columns, rows })
    }
}
