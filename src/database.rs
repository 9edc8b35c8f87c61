//! Connections to a database whose schema is checked.

use crate::stop::Stop;
use anyhow::{Context, Result, bail};
use chrono_tz::Tz;
use postgres::Client;
use std::time::{Duration, Instant};
use streamflow_connectors::outage::{Outage, Pauses, Words};
use streamflow_connectors::postgres::{PostgresError, PostgresSettings, connect, migrate};
use streamflow_medallion::{Progress, migrations};

const WORDS: Words = Words { wait: "the start waits for PostgreSQL", go_on: "the start goes on" };
const PAUSES: Pauses = Pauses { shortest: Duration::from_millis(100), longest: Duration::from_secs(5) };

/// How often a wait looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Takes the lease, unless a pipeline holds it.
///
/// # Errors
/// A pipeline runs; as [`Progress::take_free_lease`].
pub fn take_free_lease(client: &mut Client, time_zone: Tz) -> Result<Progress> {
    let free = Progress::take_free_lease(client, time_zone)?;
    free.context("a pipeline runs on this database: stop it before")
}

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

/// As [`connect_migrated`], but waits while the server is away or cannot take connections; `None` if a stop is
/// requested meanwhile.
///
/// # Errors
/// What waiting cannot resolve: a wrong password, an unknown database, a missing migration.
pub fn await_migrated(settings: &PostgresSettings, stop: &Stop) -> Result<Option<Client>> {
    let mut outage = Outage::new(WORDS, PAUSES);
    while !stop.is_asked() {
        match connect_migrated(settings) {
            Ok(client) => {
                outage.over();
                return Ok(Some(client));
            }
            Err(error) if is_outage(&error) => pause(outage.note(&error), stop),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn is_outage(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(PostgresError::is_retryable)
}

fn pause(time: Duration, stop: &Stop) {
    let until = Instant::now() + time;
    while !stop.is_asked() && Instant::now() < until {
        std::thread::sleep(LOOK_EVERY);
    }
}
