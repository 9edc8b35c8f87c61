//! `streamflow migrate`: brings the database to this version's schema.

use super::configuration::ConfigArguments;
use crate::output;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;
use streamflow_connectors::postgres::connect;
use streamflow_connectors::postgres::migrate::migrate;
use streamflow_medallion::migrations;

/// Bring the database to this version's schema; safe to run at any time, twice, or by several at once.
///
/// Example: streamflow migrate --config streamflow.yaml
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    let applied = migrate(&mut connect(&config.postgres)?, migrations())?;
    for migration in &applied {
        output::line(format_args!(
            "applied {:03}_{} in {:.0} ms",
            migration.number,
            migration.name,
            migration.took.as_secs_f64() * 1e3
        ))?;
    }
    if applied.is_empty() {
        output::line("nothing to apply: the schema is up to date")?;
    }
    Ok(ExitCode::SUCCESS)
}
