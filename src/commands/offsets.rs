//! `streamflow offsets`: where reading stands, setting a watermark back that is ahead, and passing records that
//! cannot be read.

use super::configuration::ConfigArguments;
use crate::config::Config;
use crate::database::connect_migrated;
use crate::instant;
use crate::offsets::{Leap, Standing, brokers_time, set_back};
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
///   streamflow offsets --config streamflow.yaml skip --topic transactions.raw --partition 3 --to 123456 --yes
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
    Skip(Skip),
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

/// Let reading of a partition go on at a later offset.
///
/// For a partition that stands still because its next records cannot be read, or are gone. Nothing of what lies
/// between reaches a table; the gap is kept in streamflow.skipped_offsets, and in the books in the account skipped.
/// Stop the pipeline before, and start it afterwards.
#[derive(Debug, Args)]
struct Skip {
    /// The topic
    #[arg(long)]
    topic: String,
    /// Kafka's number of the partition
    #[arg(long, value_name = "P")]
    partition: u16,
    /// The offset to read next
    #[arg(long, value_name = "N")]
    to: u64,
    /// Do it; otherwise only say what would be done
    #[arg(long)]
    yes: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    match &arguments.action {
        None => show(&config, arguments.format),
        Some(Action::Mend(mend)) => self::mend(&config, mend),
        Some(Action::Skip(skip)) => self::skip(&config, skip),
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

fn skip(config: &Config, skip: &Skip) -> Result<ExitCode> {
    let mut client = connect_migrated(&config.postgres)?;
    let leap = Leap::plan(config, &mut client, &skip.topic, skip.partition, skip.to)?;
    if !skip.yes {
        bail!("would skip {leap}: repeat with --yes");
    }
    leap.make(config, &mut client)?;
    output::line(format_args!("skipped {leap}"))?;
    Ok(ExitCode::SUCCESS)
}
