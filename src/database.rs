//! Connections to a database whose schema is checked.

use anyhow::{Result, bail};
use postgres::Client;
use streamflow_connectors::postgres::{PostgresSettings, connect, migrate};
use streamflow_medallion::migrations;

/// Connects, and checks that the schema is the one this program needs.
///
/// # Errors
/// Errors of the server or the connection, and a missing migration, which the user has to run.
pub fn connect_migrated(settings: &PostgresSettings) -> Result<Client> {
    let mut client = connect(settings)?;
    if let Some(first) = migrate::outstanding(&mut client, migrations())?.first() {
        bail!("the database lacks migration {:03}_{}: run streamflow migrate", first.number, first.name);
    }
    Ok(client)
}
