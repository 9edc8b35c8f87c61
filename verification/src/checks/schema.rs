//! Checks that the database has the schema that this program expects.

use super::report::{Check, Outcome};
use crate::error::VerificationError;
use postgres::Client;
use streamflow_connectors::postgres::{PostgresError, migrate};
use streamflow_medallion::migrations;

pub struct Schema {
    pub check: Check,
    /// Whether all tables that this program knows exist.
    pub is_complete: bool,
}

/// Checks that all embedded migrations are applied, with the checksums of this program.
pub fn check(client: &mut Client) -> Result<Schema, VerificationError> {
    let all = migrations();
    let (outcome, is_complete) = match migrate::outstanding(client, all) {
        Ok([]) => (Outcome::pass(format!("{} migrations, as in this program", all.len())), true),
        Ok(outstanding @ [first, ..]) => {
            let first = format!("{:03}_{}", first.number, first.name);
            let found =
                format!("{} of {} migrations are missing, from {first} on", outstanding.len(), all.len());
            (
                Outcome::fail(found, "streamflow migrate; until then nothing of the database is verified"),
                false,
            )
        }
        Err(PostgresError::Migrations(problem)) => {
            (Outcome::fail(problem, "use the program that migrated this database"), true)
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Schema { check: outcome.of("schema"), is_complete })
}
