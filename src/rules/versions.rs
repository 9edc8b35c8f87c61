//! The versions in `gold.rule_versions`.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use postgres::{Client, Row};
use streamflow_dataflow::rules::{SetName, Version, document};

/// A version as the database has it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredVersion {
    /// Its number.
    pub number: i64,
    /// Of which set it is a version.
    pub set: SetName,
    /// When it was read.
    pub ingested_at: DateTime<Utc>,
    /// The event time from which transactions are judged by it; `None` for all.
    pub applies_from: Option<DateTime<Utc>>,
    /// Alerts that it raised, revised and withdrew when it came.
    pub raised: i64,
    pub revised: i64,
    pub withdrawn: i64,
    /// Who made it, why, and the rules.
    pub version: Version,
}

const VERSIONS: &str = "SELECT version, ingested_at, \
         CASE WHEN isfinite(applies_from) THEN applies_from END AS applies_from, \
         alerts_raised, alerts_revised, alerts_withdrawn, rules::text AS rules, rule_set \
     FROM gold.rule_versions WHERE version > $1 ORDER BY version";

/// The versions after a number, the first one first; all of them after 0.
///
/// # Errors
/// PostgreSQL's; a version that cannot be read.
pub fn after(client: &mut Client, number: i64) -> Result<Vec<StoredVersion>> {
    client.query(VERSIONS, &[&number])?.iter().map(stored).collect()
}

/// The version with a number.
///
/// # Errors
/// As [`after`]; there is no such version.
pub fn numbered(client: &mut Client, number: i64) -> Result<StoredVersion> {
    let found = after(client, 0)?.into_iter().find(|stored| stored.number == number);
    found.with_context(|| format!("there is no version {number} of the rules"))
}

/// The last version of a set.
///
/// # Errors
/// As [`after`]; there is none.
pub fn last(client: &mut Client, set: SetName) -> Result<StoredVersion> {
    let found = after(client, 0)?.into_iter().rfind(|stored| stored.set == set);
    found.with_context(|| format!("there is no version of {set} yet"))
}

fn stored(row: &Row) -> Result<StoredVersion> {
    let number: i64 = row.try_get("version")?;
    let version = document::parse(row.try_get::<_, &str>("rules")?.as_bytes()).map_err(anyhow::Error::msg);
    let name: &str = row.try_get("rule_set")?;
    Ok(StoredVersion {
        number,
        set: SetName::from_column(name).with_context(|| format!("version {number} is of no set: {name}"))?,
        ingested_at: row.try_get("ingested_at")?,
        applies_from: row.try_get("applies_from")?,
        raised: row.try_get("alerts_raised")?,
        revised: row.try_get("alerts_revised")?,
        withdrawn: row.try_get("alerts_withdrawn")?,
        version: version.with_context(|| format!("version {number} of the rules cannot be read"))?,
    })
}
