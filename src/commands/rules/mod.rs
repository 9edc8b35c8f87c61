//! `streamflow rules`: versions of the rules, and changing them while the pipeline runs.

mod diff;

use super::configuration::ConfigArguments;
use crate::config::Config;
use crate::database::connect_migrated;
use crate::output;
use crate::rules::{Outcome, StoredVersion, after, checked, last, numbered, put, read};
use anyhow::{Result, bail};
use chrono::SecondsFormat;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use streamflow_dataflow::rules::{RuleSet, SetName, Version, document};

/// List the versions of the rules, and change the rules while the pipeline runs.
///
/// Without an action it lists them. A version applies to what lies within the correction horizon: alerts are
/// raised, revised and withdrawn with the cause rule_change; what is older is final. Beside the live set, shadow
/// sets are evaluated on the same transactions; what they would alert is in gold.shadow_alerts only.
///
/// Examples:
///   streamflow rules --config streamflow.yaml
///   streamflow rules --config streamflow.yaml show > rules.json
///   streamflow rules --config streamflow.yaml check rules.json
///   streamflow rules --config streamflow.yaml diff rules.json --since 7d --html diff.html
///   streamflow rules --config streamflow.yaml put rules.json
///   streamflow rules --config streamflow.yaml put rules.json --as shadow:night
///   streamflow rules --config streamflow.yaml activate night --author ana
///   streamflow rules --config streamflow.yaml remove night --author ana
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
    /// Print the document of a version, by default that of the last one of the live set
    Show {
        /// The version's number
        version: Option<i64>,
        /// The set of which the last version is printed: live, or shadow: and a name
        #[arg(long = "as", value_name = "SET", value_parser = set, default_value = "live", conflicts_with = "version")]
        set: SetName,
    },
    /// Say whether a document can be put, and what is wrong with it
    Check {
        /// The document
        file: PathBuf,
    },
    /// Say what a document would change: both sets of rules side by side over history
    Diff(diff::Arguments),
    /// Make a document the version in force, of the live set or a shadow set
    Put {
        /// The document
        file: PathBuf,
        /// The set: live, or shadow: and a name
        #[arg(long = "as", value_name = "SET", value_parser = set, default_value = "live")]
        set: SetName,
        #[command(flatten)]
        wait: Wait,
    },
    /// Make the last version of a shadow set live; the shadow set stays
    Activate {
        /// The shadow set's name
        #[arg(value_parser = shadow)]
        name: SetName,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        wait: Wait,
    },
    /// Remove a shadow set, by a version of it without rules
    Remove {
        /// The shadow set's name
        #[arg(value_parser = shadow)]
        name: SetName,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        wait: Wait,
    },
    /// Make an earlier version the one in force of its set again, as a new version
    Rollback {
        /// The earlier version's number
        version: i64,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        wait: Wait,
    },
}

#[derive(Debug, Args)]
struct Why {
    /// Who does so
    #[arg(long)]
    author: String,
    /// Why
    #[arg(long)]
    note: Option<String>,
}

/// The set that an argument names.
fn set(key: &str) -> Result<SetName, String> {
    SetName::from_key(key).ok_or_else(|| SetName::ALLOWED.to_owned())
}

/// The shadow set with a name.
fn shadow(name: &str) -> Result<SetName, String> {
    set(&format!("shadow:{name}"))
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
        Some(Action::Show { version, set }) => show(&config, *version, *set),
        Some(Action::Check { file }) => {
            let Version { rules, .. } = read(&config, file)?;
            let (rules, on) = (rules.rules().len(), rules.enabled().count());
            output::line(format_args!("{}: {rules} rules, {on} of them on", file.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Action::Diff(arguments)) => diff::run(&config, arguments),
        Some(Action::Put { file, set, wait }) => bring_in_force(&config, *set, &read(&config, file)?, wait),
        Some(Action::Activate { name, why, wait }) => {
            let shadow = last(&mut connect_migrated(&config.postgres)?, *name)?.version;
            if shadow.rules.rules().is_empty() {
                bail!("{name} has no rules: it was removed");
            }
            repeat(&config, SetName::Live, shadow, why, format!("activation of {name}"), wait)
        }
        Some(Action::Remove { name, why, wait }) => {
            let shadow = last(&mut connect_migrated(&config.postgres)?, *name)?.version;
            let RuleSet { alert_threshold, combination, .. } = shadow.rules;
            let rules = RuleSet::new(alert_threshold, combination, []);
            repeat(&config, *name, Version { rules, ..shadow }, why, "removed".to_owned(), wait)
        }
        Some(Action::Rollback { version, why, wait }) => {
            let earlier = numbered(&mut connect_migrated(&config.postgres)?, *version)?;
            repeat(&config, earlier.set, earlier.version, why, format!("rollback to version {version}"), wait)
        }
    }
}

/// Brings rules in force that a version had before.
fn repeat(
    config: &Config,
    set: SetName,
    earlier: Version,
    why: &Why,
    note: String,
    wait: &Wait,
) -> Result<ExitCode> {
    let note = why.note.clone().unwrap_or(note);
    let version = Version { author: why.author.clone(), note, rules: earlier.rules };
    // What was in force once may not be any more what can be put.
    let version = checked(config, document::write(&version, None).to_string().as_bytes());
    bring_in_force(config, set, &version.map_err(anyhow::Error::msg)?, wait)
}

fn list(config: &Config) -> Result<ExitCode> {
    output::line(format_args!(
        "{:>7}  {:<13}  {:<24}  {:<24}  {:>6}  {:>7}  {:>9}  author: note",
        "version", "set", "read at", "applies from", "raised", "revised", "withdrawn"
    ))?;
    let shown = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    for stored in after(&mut connect_migrated(&config.postgres)?, 0)? {
        let StoredVersion { number, set, ingested_at, applies_from, raised, revised, withdrawn, version } =
            stored;
        let Version { author, note, .. } = version;
        output::line(format_args!(
            "{number:>7}  {:<13}  {:<24}  {:<24}  {raised:>6}  {revised:>7}  {withdrawn:>9}  {author}: {note}",
            set.as_str(),
            shown(ingested_at),
            applies_from.map_or_else(|| "the beginning".to_owned(), shown),
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(config: &Config, version: Option<i64>, set: SetName) -> Result<ExitCode> {
    let mut client = connect_migrated(&config.postgres)?;
    let stored = match version {
        Some(version) => numbered(&mut client, version)?,
        None => last(&mut client, set)?,
    };
    let number = u64::try_from(stored.number).ok();
    output::line(serde_json::to_string_pretty(&document::write(&stored.version, number))?)?;
    Ok(ExitCode::SUCCESS)
}

fn bring_in_force(config: &Config, set: SetName, version: &Version, wait: &Wait) -> Result<ExitCode> {
    match put(config, set, version, Duration::from_secs(wait.wait))? {
        Outcome::InForce(stored) if set != SetName::Live => {
            output::line(format_args!("version {} is in force as {set}", stored.number))?;
        }
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
