//! Erases customers: a pseudonym takes the place of a customer's id everywhere, and what else says who they are goes.
//!
//! ```text
//!  bronze.raw_transactions    written anew from the decoded fields: unknown ones go, places lead nowhere
//!  silver.transactions        places as in bronze; the surrogate key stays
//!  silver.customers           goes
//!  gold.dim_customer          the pseudonym, without attributes
//!  silver.blacklist           the pseudonym, without a reason
//!  alerts and their changes   the same in evidence and messages
//!  bronze.dead_letters        those that name the customer stay as counted rows without text
//! ```
//!
//! Law: facts, sums, scores and their recomputation from bronze are the same before and after. So the key stays, and a
//! place is not removed, because that counts as another event, but moved (`places.rs`).

mod alerts;
mod dead_letters;
mod events;
mod json;
mod people;
mod places;

use crate::encoding::Instant;
use crate::progress::{Progress, fenced};
use people::People;
use postgres::{Client, Transaction};
use streamflow_connectors::postgres::PostgresError;

/// Ids of customers are as short as this at most.
pub const LONGEST_ID: usize = 100;

/// Why a customer cannot be erased yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Which of the customers, from 0.
    pub customer: usize,
    /// What is not final.
    pub kind: Unfinished,
    /// Both are final once the watermark is after this instant, microseconds since 1970.
    pub final_at: i64,
}

/// What can still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// A transaction.
    Transaction,
    /// An event that waits to be decided.
    PendingEvent,
}

/// What is stored of customers, and what is to take its place.
#[derive(Debug)]
pub struct Erasure {
    people: People,
    obstacles: Vec<Obstacle>,
    events: Vec<events::Rewritten>,
    alerts: Vec<alerts::Rewritten>,
    changes: Vec<alerts::RewrittenChange>,
    letters: Vec<i64>,
    list_versions: Vec<i64>,
    found: Found,
}

/// How much was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Customers of whom anything is stored.
    pub customers: usize,
    /// Events in bronze that are written anew.
    pub events: usize,
    /// Those of them whose own ids name a customer, which they keep.
    pub named_by_ids: usize,
    /// Current alerts whose evidence changes.
    pub alerts: usize,
    /// Alert changes.
    pub alert_changes: usize,
    /// Dead letters.
    pub dead_letters: usize,
    /// Versions of list entries.
    pub list_versions: usize,
}

impl Erasure {
    /// Looks for customers with these ids, which are different ones. `horizon` is the one of corrections, microseconds.
    /// Reads all of bronze.
    ///
    /// # Errors
    /// Those of the server and the connection; [`PostgresError::Fenced`] for rows that no pipeline wrote.
    pub fn find(client: &mut Client, ids: &[String], horizon: i64) -> Result<Self, PostgresError> {
        let mut snapshot = client.build_transaction().read_only(true).start()?;
        find(&mut snapshot, ids, horizon)
    }

    /// Finds and erases them, under the lease of `progress`; other workers wait for the lease meanwhile. Erases nobody
    /// where there are obstacles.
    ///
    /// # Errors
    /// As [`Erasure::find`]; [`PostgresError::Fenced`] where the lease was taken. Nothing is erased then.
    pub fn make(
        client: &mut Client,
        progress: &Progress,
        ids: &[String],
        horizon: i64,
    ) -> Result<Self, PostgresError> {
        let mut transaction = client.transaction()?;
        let held = "SELECT FROM streamflow.progress WHERE generation = $1 FOR UPDATE";
        if transaction.query_opt(held, &[&progress.generation])?.is_none() {
            return Err(fenced(progress.generation));
        }
        let erasure = find(&mut transaction, ids, horizon)?;
        if erasure.obstacles.is_empty() {
            erasure.write(&mut transaction)?;
            transaction.commit()?;
        }
        Ok(erasure)
    }

    /// Why these customers cannot be erased yet; empty where they can.
    #[must_use]
    pub fn obstacles(&self) -> &[Obstacle] {
        &self.obstacles
    }

    /// How much was found.
    #[must_use]
    pub fn found(&self) -> Found {
        self.found
    }

    fn write(&self, transaction: &mut Transaction<'_>) -> Result<(), PostgresError> {
        events::write(transaction, &self.events)?;
        alerts::write(transaction, &self.alerts)?;
        alerts::write_changes(transaction, &self.changes)?;
        dead_letters::write(transaction, &self.letters)?;
        self.people.write(transaction, &self.list_versions)
    }
}

/// Nobody waits for these queries, which read whole tables.
const SESSION: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
     SET LOCAL jit = off";

fn find(transaction: &mut Transaction<'_>, ids: &[String], horizon: i64) -> Result<Erasure, PostgresError> {
    transaction.batch_execute(SESSION)?;
    let mut people = People::find(transaction, ids)?;
    let obstacles = obstacles(transaction, &people, horizon)?;
    let (events, named_by_ids) = events::find(transaction, &mut people)?;
    let alerts = alerts::find(transaction, &people)?;
    let changes = alerts::find_changes(transaction, &mut people)?;
    let letters = dead_letters::find(transaction, &mut people)?;
    let list_versions = people.find_list_versions(transaction)?;
    let found = Found {
        customers: people.found(),
        events: events.len(),
        named_by_ids,
        alerts: alerts.len(),
        alert_changes: changes.len(),
        dead_letters: letters.len(),
        list_versions: list_versions.len(),
    };
    Ok(Erasure { people, obstacles, events, alerts, changes, letters, list_versions, found })
}

fn obstacles(
    transaction: &mut Transaction<'_>,
    people: &People,
    horizon: i64,
) -> Result<Vec<Obstacle>, PostgresError> {
    let watermark = Progress::read(transaction)?.watermark.unwrap_or(i64::MIN);
    let mut obstacles = Vec::new();
    let sql = "SELECT customer_key, max(transaction_at) FROM silver.transactions \
         WHERE customer_key = ANY ($1) GROUP BY 1";
    for row in transaction.query(sql, &[&people.keys()])? {
        let final_at = row.try_get::<_, Instant>(1)?.0.saturating_add(horizon);
        let customer = people.with_key(row.try_get(0)?).filter(|_| final_at >= watermark);
        let kind = Unfinished::Transaction;
        obstacles.extend(customer.map(|customer| Obstacle { customer, kind, final_at }));
    }
    let sql = "SELECT final_before, message_key, payload FROM streamflow.pending_events ORDER BY 1";
    for row in transaction.query(sql, &[])? {
        let (key, payload): (Option<&[u8]>, &[u8]) = (row.try_get(1)?, row.try_get(2)?);
        let final_at = row.try_get::<_, Instant>(0)?.0.saturating_add(horizon);
        let customer = key.and_then(|key| people.named_in(key)).or_else(|| people.named_in(payload));
        let kind = Unfinished::PendingEvent;
        obstacles.extend(customer.map(|customer| Obstacle { customer, kind, final_at }));
    }
    Ok(obstacles)
}
