//! The versions in `gold.rule_versions`.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use postgres::{Client, Row};
use serde::Serialize;
use serde_json::Value;

/// A version as the database has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredVersion {
    /// Its number.
    pub version: i64,
    /// When it was read.
    pub ingested_at: DateTime<Utc>,
    /// The event time from which transactions are judged by it; `None` for all.
    pub applies_from: Option<DateTime<Utc>>,
    /// Who made it.
    pub author: String,
    /// Why.
    pub note: String,
    /// Alerts that it raised, revised and withdrew when it came.
    pub raised: i64,
    pub revised: i64,
    pub withdrawn: i64,
    /// The document.
    #[serde(skip)]
    pub rules: Value,
}

const VERSIONS: &str = "SELECT version, ingested_at, \
         CASE WHEN isfinite(applies_from) THEN applies_from END AS applies_from, author, note, \
         alerts_raised, alerts_revised, alerts_withdrawn, rules::text AS rules \
     FROM gold.rule_versions WHERE $1::bigint IS NULL OR version = $1 ORDER BY version";

/// All versions, the first one first.
///
/// # Errors
/// PostgreSQL's.
pub fn all(client: &mut Client) -> Result<Vec<StoredVersion>> {
    select(client, None)
}

/// The version with a number.
///
/// # Errors
/// PostgreSQL's; there is no such version.
pub fn number(client: &mut Client, number: i64) -> Result<StoredVersion> {
    let found = select(client, Some(number))?.pop();
    found.with_context(|| format!("there is no version {number} of the rules"))
}

fn select(client: &mut Client, number: Option<i64>) -> Result<Vec<StoredVersion>> {
    client.query(VERSIONS, &[&number])?.iter().map(stored).collect()
}

fn stored(row: &Row) -> Result<StoredVersion> {
    let version: i64 = row.try_get("version")?;
    let mut rules: Value = serde_json::from_str(row.try_get("rules")?)
        .with_context(|| format!("version {version} of the rules cannot be read"))?;
    rules["version"] = version.into();
    Ok(StoredVersion {
        version,
        ingested_at: row.try_get("ingested_at")?,
        applies_from: row.try_get("applies_from")?,
        author: row.try_get("author")?,
        note: row.try_get("note")?,
        raised: row.try_get("alerts_raised")?,
        revised: row.try_get("alerts_revised")?,
        withdrawn: row.try_get("alerts_withdrawn")?,
        rules,
    })
}
