//! Connections to the database as this program knows it.

use anyhow::{Result, bail};
use postgres::Client;
use streamflow_connectors::postgres::{Settings, connect, migrate};
use streamflow_medallion::migrations;

/// A connection to a database of this program's version.
///
/// # Errors
/// What the server or the connection says; a migration that the user is to run first.
pub fn connect_migrated(settings: &Settings) -> Result<Client> {
    let mut client = connect(settings)?;
    if let Some(first) = migrate::outstanding(&mut client, migrations())?.first() {
        bail!("the database lacks migration {:03}_{}: run streamflow migrate", first.number, first.name);
    }
    Ok(client)
}
