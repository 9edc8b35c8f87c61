//! Schema migrations: numbered SQL files, each applied once, in order, in a transaction of its own.
//!
//! `streamflow.schema_migrations` records what was applied, with a checksum of its text. An advisory lock
//! lets several processes start at once. What does not fit (a changed file, a gap, a database newer than
//! this binary) is one clear line and changes nothing. Whoever uses a table that a migration changes waits no longer
//! than a moment because the migration waits for somebody else.

use std::time::{Duration, Instant};

use postgres::Client;
use postgres::error::{DbError, ErrorPosition, SqlState};
use sha2::{Digest, Sha256};

use super::error::PostgresError;
use crate::outage::{Outage, Pauses, Words};

/// Any constant does, as long as no other program uses it on the same database.
const LOCK: i64 = 0x0053_5452_464c_4f57;

/// Readers queue behind a migration that queues for a lock: it gives up soon, and tries again when they are through.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'";
const WORDS: Words = Words {
    wait: "the migration waits for a lock that another session holds",
    go_on: "the migration goes on",
};
const PAUSES: Pauses = Pauses { shortest: Duration::from_millis(500), longest: Duration::from_secs(5) };

const RECORD: &str = "CREATE TABLE IF NOT EXISTS streamflow.schema_migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)";

/// One migration, usually embedded by `include_str!`.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// 1, 2, 3, ... without a gap.
    pub number: i32,
    /// What the file is called after its number.
    pub name: &'static str,
    /// Statements; they run in one transaction, so none may forbid that.
    pub sql: &'static str,
}

impl Migration {
    fn checksum(&self) -> Vec<u8> {
        Sha256::digest(self.sql.as_bytes()).to_vec()
    }

    fn title(&self) -> String {
        format!("{:03}_{}", self.number, self.name)
    }
}

/// A migration that was applied just now.
#[derive(Debug, Clone, Copy)]
pub struct Applied {
    /// Its number.
    pub number: i32,
    /// Its name.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
}

/// A row of `streamflow.schema_migrations`.
struct Recorded {
    number: i32,
    name: String,
    checksum: Vec<u8>,
}

/// Applies what the database lacks and returns it, in order; nothing when it is up to date. Waits while
/// another process migrates, and while another session uses what a migration changes, but queues for it no longer
/// than two seconds at a time. Creates the schema `streamflow` if it is missing.
///
/// # Errors
/// [`PostgresError::Migrations`] when list and database do not fit or a migration's SQL is refused (earlier
/// ones stay applied, the failing one leaves nothing); else what the server or the connection says.
pub fn migrate(client: &mut Client, migrations: &[Migration]) -> Result<Vec<Applied>, PostgresError> {
    check_numbers(migrations)?;
    // Waiting for the lock and rebuilding tables may take longer than a statement should otherwise.
    let limit: String = client.query_one("SELECT current_setting('statement_timeout')", &[])?.try_get(0)?;
    client.batch_execute("SET statement_timeout = 0")?;
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK])?;
    let result = apply_outstanding(client, migrations);
    // Should this fail the connection is broken, which releases the lock as well.
    let unlocked = client
        .execute("SELECT pg_advisory_unlock($1)", &[&LOCK])
        .and_then(|_| client.execute("SELECT set_config('statement_timeout', $1, false)", &[&limit]));
    let applied = result?;
    unlocked?;
    Ok(applied)
}

/// The migrations the database lacks; writes nothing. For a process that runs with fewer rights and should
/// refuse to start on an old schema.
///
/// # Errors
/// As [`migrate`].
pub fn outstanding<'a>(
    client: &mut Client,
    migrations: &'a [Migration],
) -> Result<&'a [Migration], PostgresError> {
    check_numbers(migrations)?;
    let recorded = recorded(client)?;
    check_recorded(migrations, &recorded)?;
    Ok(migrations.get(recorded.len()..).unwrap_or_default())
}

fn apply_outstanding(client: &mut Client, migrations: &[Migration]) -> Result<Vec<Applied>, PostgresError> {
    create_record(client)?;
    let mut applied = Vec::new();
    for migration in outstanding(client, migrations)? {
        applied.push(apply(client, migration)?);
    }
    Ok(applied)
}

/// Applies one migration, however often others hold what it needs.
fn apply(client: &mut Client, migration: &Migration) -> Result<Applied, PostgresError> {
    let mut outage = Outage::new(WORDS, PAUSES);
    loop {
        match attempt(client, migration) {
            Err(error) if is_in_the_way(&error) => std::thread::sleep(outage.note(&error)),
            outcome => {
                outage.over();
                return outcome;
            }
        }
    }
}

/// Whether another session is the cause: it holds a lock, or waits for one of this one's.
fn is_in_the_way(error: &PostgresError) -> bool {
    matches!(error, PostgresError::Conflict { .. }) || error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)
}

fn attempt(client: &mut Client, migration: &Migration) -> Result<Applied, PostgresError> {
    let started = Instant::now();
    let mut transaction = client.transaction()?;
    transaction.batch_execute(LOCK_TIMEOUT)?;
    transaction.batch_execute(migration.sql).map_err(|error| {
        match PostgresError::during("migrating", &error) {
            error if is_in_the_way(&error) => error,
            PostgresError::Refused { problem, .. } => {
                let line = line_of(migration.sql, &error);
                PostgresError::Migrations(format!("{}{line}: {problem}", migration.title()))
            }
            other => other,
        }
    })?;
    transaction.execute(
        "INSERT INTO streamflow.schema_migrations (number, name, checksum) VALUES ($1, $2, $3)",
        &[&migration.number, &migration.name, &migration.checksum()],
    )?;
    transaction.commit()?;
    let took = started.elapsed();
    tracing::info!(migration = migration.title(), ?took, "migration applied");
    Ok(Applied { number: migration.number, name: migration.name, took })
}

/// " line N" where the server points into the text, counting from 1.
fn line_of(sql: &str, error: &postgres::Error) -> String {
    match error.as_db_error().and_then(DbError::position) {
        Some(ErrorPosition::Original(character)) => {
            let before = sql.chars().take(character.saturating_sub(1) as usize);
            format!(" line {}", 1 + before.filter(|c| *c == '\n').count())
        }
        _ => String::new(),
    }
}

/// Asks before creating: `IF NOT EXISTS` would need the right to create even where nothing is missing.
fn create_record(client: &mut Client) -> Result<(), PostgresError> {
    let exists: bool =
        client.query_one("SELECT to_regnamespace('streamflow') IS NOT NULL", &[])?.try_get(0)?;
    if !exists {
        client.batch_execute("CREATE SCHEMA streamflow")?;
    }
    if !record_exists(client)? {
        client.batch_execute(RECORD)?;
    }
    Ok(())
}

fn record_exists(client: &mut Client) -> Result<bool, PostgresError> {
    let sql = "SELECT to_regclass('streamflow.schema_migrations') IS NOT NULL";
    Ok(client.query_one(sql, &[])?.try_get(0)?)
}

fn recorded(client: &mut Client) -> Result<Vec<Recorded>, PostgresError> {
    if !record_exists(client)? {
        return Ok(Vec::new());
    }
    let rows = client
        .query("SELECT number, name, checksum FROM streamflow.schema_migrations ORDER BY number", &[])?;
    rows.iter()
        .map(|row| Ok(Recorded { number: row.try_get(0)?, name: row.try_get(1)?, checksum: row.try_get(2)? }))
        .collect()
}

fn check_numbers(migrations: &[Migration]) -> Result<(), PostgresError> {
    for (expected, migration) in (1..).zip(migrations) {
        if migration.number != expected {
            return Err(PostgresError::Migrations(format!(
                "{} found where number {expected} is due; numbers must be 1, 2, 3, ...",
                migration.title()
            )));
        }
    }
    Ok(())
}

fn check_recorded(migrations: &[Migration], recorded: &[Recorded]) -> Result<(), PostgresError> {
    if recorded.len() > migrations.len() {
        return Err(PostgresError::Migrations(format!(
            "the database has {} migrations, this binary knows {}; deploy a newer one",
            recorded.len(),
            migrations.len()
        )));
    }
    for (migration, recorded) in migrations.iter().zip(recorded) {
        if migration.number != recorded.number {
            return Err(PostgresError::Migrations(format!(
                "{} is missing in the database, which has {:03}_{}; restore the lost record",
                migration.title(),
                recorded.number,
                recorded.name
            )));
        }
        if migration.checksum() != recorded.checksum {
            return Err(PostgresError::Migrations(format!(
                "{} differs from the {:03}_{} applied to the database; undo the edit, add a new one",
                migration.title(),
                recorded.number,
                recorded.name
            )));
        }
    }
    Ok(())
}
