//! History as files, read from the database.

use crate::config::Config;
use crate::replay::Inputs;
use crate::rules::{StoredVersion, last};
use anyhow::{Context, Result};
use postgres::fallible_iterator::FallibleIterator;
use postgres::{IsolationLevel, Row, Transaction};
use serde_json::{Value, json};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use streamflow_dataflow::rules::{RuleSet, SetName};
use streamflow_model::timestamp::Rfc3339;
use tempfile::TempDir;

/// All current transactions in the order of their histories, one snapshot with the list and the rules in force.
pub struct Export {
    directory: TempDir,
    workers: usize,
    /// The rules in force.
    pub live: RuleSet,
    /// Which they are.
    pub live_name: String,
    /// The event time of the latest transaction, microseconds since 1970; `None` without any.
    pub newest: Option<i64>,
    /// From this event time on a version that is put now applies; `None` before there is a watermark.
    pub settled: Option<i64>,
    /// The number of transactions.
    pub transactions: u64,
}

const TRANSACTIONS: &str = "SELECT transaction_id, customer_id, store_id, product_id, payment_method, amount::text, currency, \
         latitude, longitude, (extract(epoch FROM transaction_at) * 1000000)::int8 \
     FROM silver.clean_transactions WHERE NOT voided ORDER BY transaction_at, transaction_id";

/// The entries as they are now.
const LIST: &str = "SELECT entity_kind, entity_id, (extract(epoch FROM valid_from) * 1000000)::int8, \
         (extract(epoch FROM expires_at) * 1000000)::int8, reason \
     FROM (SELECT DISTINCT ON (entity_kind, entity_id) * FROM silver.blacklist \
           ORDER BY entity_kind, entity_id, version DESC) AS last WHERE NOT removed";

const STORES: &str = "SELECT store_id, category FROM gold.dim_store WHERE category IS NOT NULL";

const PROGRESS: &str = "SELECT (extract(epoch FROM watermark) * 1000000)::int8 FROM streamflow.progress";

impl Export {
    /// Reads it.
    ///
    /// # Errors
    /// PostgreSQL's; what cannot be written to a temporary directory.
    pub fn read(config: &Config) -> Result<Self> {
        let mut client = crate::database::connect_migrated(&config.postgres)?;
        let StoredVersion { number, version, .. } = last(&mut client, SetName::Live)?;
        let live_name = format!("version {number} ({}: {})", version.author, version.note);
        let directory = tempfile::tempdir().context("cannot make a temporary directory")?;
        let mut export = Self {
            directory,
            workers: config.workers,
            live: version.rules,
            live_name,
            newest: None,
            settled: None,
            transactions: 0,
        };
        let snapshot = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let mut snapshot = snapshot.read_only(true).start()?;
        let watermark: Option<i64> = snapshot.query_one(PROGRESS, &[])?.try_get(0)?;
        export.settled = watermark.map(|time| time - config.graph_settings().correction_horizon);
        export.write_transactions(&mut snapshot)?;
        write(&mut snapshot, LIST, &export.path("list.jsonl"), list_entry)?;
        write(&mut snapshot, STORES, &export.path("stores.jsonl"), store)?;
        Ok(export)
    }

    /// The files, for a replay: as many of transactions as there are workers.
    pub fn inputs(&self) -> Inputs {
        Inputs {
            transactions: (0..self.workers).map(|number| self.transactions_of(number)).collect(),
            customers: None,
            stores: Some(self.path("stores.jsonl")),
            products: None,
            blacklist: Some(self.path("list.jsonl")),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn transactions_of(&self, worker: usize) -> PathBuf {
        self.path(&format!("transactions.{worker}.jsonl"))
    }

    /// Row by row; the transactions of a customer are in one file.
    fn write_transactions(&mut self, snapshot: &mut Transaction<'_>) -> Result<()> {
        let mut files = Vec::with_capacity(self.workers);
        for worker in 0..self.workers {
            files.push(BufWriter::new(create(&self.transactions_of(worker))?));
        }
        let hasher = RandomState::new();
        let mut rows = snapshot.query_raw(TRANSACTIONS, std::iter::empty::<&str>())?;
        while let Some(row) = rows.next()? {
            let customer: &str = row.try_get(1)?;
            let file = hasher.hash_one(customer) % files.len() as u64;
            let event_time: i64 = row.try_get(9)?;
            writeln!(files[file as usize], "{}", transaction(&row, event_time)?)?;
            self.newest = Some(event_time);
            self.transactions += 1;
        }
        Ok(files.iter_mut().try_for_each(Write::flush)?)
    }
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot write {}", path.display()))
}

fn write(
    snapshot: &mut Transaction<'_>,
    sql: &str,
    path: &Path,
    line: impl Fn(&Row) -> Result<Value>,
) -> Result<()> {
    let mut file = BufWriter::new(create(path)?);
    for row in snapshot.query(sql, &[])? {
        writeln!(file, "{}", line(&row)?)?;
    }
    Ok(file.flush()?)
}

fn transaction(row: &Row, event_time: i64) -> Result<Value> {
    let text = |column| row.try_get::<_, Option<&str>>(column);
    let degrees = |column| row.try_get::<_, Option<f64>>(column);
    Ok(json!({
        "transaction_id": text(0)?, "customer_id": text(1)?, "store_id": text(2)?, "product_id": text(3)?,
        "payment_method": text(4)?, "amount": text(5)?, "currency": text(6)?, "latitude": degrees(7)?,
        "longitude": degrees(8)?, "timestamp": Rfc3339(event_time).to_string(),
    }))
}

fn list_entry(row: &Row) -> Result<Value> {
    let text = |column| row.try_get::<_, Option<&str>>(column);
    let instant = |column| -> Result<Option<String>> {
        Ok(row.try_get::<_, Option<i64>>(column)?.map(|at| Rfc3339(at).to_string()))
    };
    Ok(json!({
        "entity": text(0)?, "id": text(1)?, "valid_from": instant(2)?, "expires_at": instant(3)?, "reason": text(4)?,
    }))
}

fn store(row: &Row) -> Result<Value> {
    let text = |column| row.try_get::<_, Option<&str>>(column);
    Ok(json!({ "store_id": text(0)?, "category": text(1)? }))
}
