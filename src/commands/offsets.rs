//! `streamflow offsets`: where reading stands, and setting a watermark back that is ahead.

use super::configuration::ConfigArguments;
use crate::config::Config;
use crate::database::connect_migrated;
use crate::instant;
use crate::offsets::{Standing, brokers_time, set_back};
use crate::output;
use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use std::process::ExitCode;

/// Show which records are read next, and up to which instant results are final.
///
/// The brokers' time is learned by appending a marker to `topics.clock`. The pipeline may run.
///
/// Examples:
///   streamflow offsets --config streamflow.yaml
///   streamflow offsets --config streamflow.yaml mend --yes
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For machines: one JSON object.
    Json,
}

#[derive(Debug, Subcommand)]
enum Action {
    Mend(Mend),
}

/// Set the watermark back to the brokers' time, if it is ahead.
///
/// A watermark is ahead where a broker's clock was: until real time has caught up, every event is too late.
/// What was final after the new watermark less the horizon is open again; nothing else changes. Takes the
/// lease, so a pipeline that runs ends: stop it before, and start it afterwards.
#[derive(Debug, Args)]
struct Mend {
    /// Set it back to this instant instead, RFC 3339 or a date
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    to: Option<DateTime<Utc>>,
    /// Do it; otherwise only say what would be done
    #[arg(long)]
    yes: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    match &arguments.action {
        None => show(&config, arguments.format),
        Some(Action::Mend(mend)) => self::mend(&config, mend),
    }
}

fn show(config: &Config, format: Format) -> Result<ExitCode> {
    let standing = Standing::look(config, &mut connect_migrated(&config.postgres)?)?;
    match format {
        Format::Table => output::write(&standing)?,
        Format::Json => output::line(format_args!("{}", serde_json::to_string_pretty(&standing)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn mend(config: &Config, mend: &Mend) -> Result<ExitCode> {
    let to = match mend.to {
        Some(to) => to,
        None => brokers_time(config)?,
    };
    let mut client = connect_migrated(&config.postgres)?;
    let Some(from) = set_back(config, &mut client, to, mend.yes)? else {
        output::line(format_args!("nothing to do: the watermark is not after {to}"))?;
        return Ok(ExitCode::SUCCESS);
    };
    if !mend.yes {
        bail!("would set the watermark back from {from} to {to}: repeat with --yes");
    }
    output::line(format_args!("the watermark is set back from {from} to {to}"))?;
    Ok(ExitCode::SUCCESS)
}
