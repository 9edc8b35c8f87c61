//! `streamflow rules`: versions of the rules, and changing them while the pipeline runs.

use super::configuration::ConfigArguments;
use crate::config::Config;
use crate::database::connect_migrated;
use crate::output;
use crate::rules::{Outcome, StoredVersion, after, checked, numbered, put, read};
use anyhow::{Context, Result};
use chrono::SecondsFormat;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use streamflow_dataflow::rules::{Version, document};

/// List the versions of the rules, and change the rules while the pipeline runs.
///
/// Without an action it lists them. A version applies to what lies within the correction horizon: alerts are
/// raised, revised and withdrawn with the cause rule_change; what is older is final.
///
/// Examples:
///   streamflow rules --config streamflow.yaml
///   streamflow rules --config streamflow.yaml show > rules.json
///   streamflow rules --config streamflow.yaml check rules.json
///   streamflow rules --config streamflow.yaml put rules.json
///   streamflow rules --config streamflow.yaml rollback 3 --author ana
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List all versions: when, by whom, why, and what each changed
    List,
    /// Print the document of a version, by default that of the last one
    Show {
        /// The version's number
        version: Option<i64>,
    },
    /// Say whether a document can be put, and what is wrong with it
    Check {
        /// The document
        file: PathBuf,
    },
    /// Make a document the version in force
    Put {
        /// The document
        file: PathBuf,
        #[command(flatten)]
        wait: Wait,
    },
    /// Make an earlier version the one in force again, as a new version
    Rollback {
        /// The earlier version's number
        version: i64,
        /// Who does so
        #[arg(long)]
        author: String,
        /// Why
        #[arg(long)]
        note: Option<String>,
        #[command(flatten)]
        wait: Wait,
    },
}

#[derive(Debug, Args)]
struct Wait {
    /// How long to wait until the pipeline has the version in force, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    match &arguments.action {
        None | Some(Action::List) => list(&config),
        Some(Action::Show { version }) => show(&config, *version),
        Some(Action::Check { file }) => {
            let Version { rules, .. } = read(&config, file)?;
            let (rules, on) = (rules.rules().len(), rules.enabled().count());
            output::line(format_args!("{}: {rules} rules, {on} of them on", file.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Action::Put { file, wait }) => bring_in_force(&config, &read(&config, file)?, wait),
        Some(Action::Rollback { version, author, note, wait }) => {
            let mut earlier = numbered(&mut connect_migrated(&config.postgres)?, *version)?.version;
            earlier.author.clone_from(author);
            earlier.note = note.clone().unwrap_or_else(|| format!("rollback to version {version}"));
            // What was in force once may not be any more what can be put.
            let earlier = checked(&config, document::write(&earlier, None).to_string().as_bytes());
            bring_in_force(&config, &earlier.map_err(anyhow::Error::msg)?, wait)
        }
    }
}

fn list(config: &Config) -> Result<ExitCode> {
    output::line(format_args!(
        "{:>7}  {:<24}  {:<24}  {:>6}  {:>7}  {:>9}  author: note",
        "version", "read at", "applies from", "raised", "revised", "withdrawn"
    ))?;
    let shown = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    for stored in after(&mut connect_migrated(&config.postgres)?, 0)? {
        let StoredVersion { number, ingested_at, applies_from, raised, revised, withdrawn, version } = stored;
        let Version { author, note, .. } = version;
        output::line(format_args!(
            "{number:>7}  {:<24}  {:<24}  {raised:>6}  {revised:>7}  {withdrawn:>9}  {author}: {note}",
            shown(ingested_at),
            applies_from.map_or_else(|| "the beginning".to_owned(), shown),
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(config: &Config, version: Option<i64>) -> Result<ExitCode> {
    let mut client = connect_migrated(&config.postgres)?;
    let stored = match version {
        Some(version) => numbered(&mut client, version)?,
        None => after(&mut client, 0)?.pop().context("there is no version yet: the pipeline has not run")?,
    };
    let number = u64::try_from(stored.number).ok();
    output::line(serde_json::to_string_pretty(&document::write(&stored.version, number))?)?;
    Ok(ExitCode::SUCCESS)
}

fn bring_in_force(config: &Config, version: &Version, wait: &Wait) -> Result<ExitCode> {
    match put(config, version, Duration::from_secs(wait.wait))? {
        Outcome::InForce(stored) => output::line(format_args!(
            "version {} is in force: {} alerts raised, {} revised, {} withdrawn",
            stored.number, stored.raised, stored.revised, stored.withdrawn
        ))?,
        Outcome::Waiting => output::line(format_args!(
            "in Kafka; the pipeline has not read it within {} s, and will when it runs",
            wait.wait
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}
