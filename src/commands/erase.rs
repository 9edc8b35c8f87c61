//! `streamflow erase`: customers who ask to be forgotten.

use super::configuration::ConfigArguments;
use crate::database::{connect_migrated, take_free_lease};
use crate::misuse::Misuse;
use crate::output;
use anyhow::{Context, Result, bail};
use chrono::{DateTime, SecondsFormat};
use clap::Args;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use streamflow_medallion::erasure::{Erasure, Found, LONGEST_ID, Obstacle, Unfinished};
use streamflow_model::timestamp::SECOND;

/// Erase customers: a random pseudonym takes the place of their id, and what else says who they are goes.
///
/// Sums, scores and alerts stay as they are. Stop the pipeline before, and start it afterwards; without --yes it may
/// run. All of a customer's transactions must be final. Reads all of bronze, so it takes as long as that.
///
/// What Kafka, backups and archives of the write-ahead log hold is not erased: see the runbook, "A customer asks to
/// be erased".
///
/// Examples:
///   streamflow erase --config streamflow.yaml --customer cust-13d13be1c94b --yes
///   streamflow erase --config streamflow.yaml --customer-file - --yes < ids
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The customer's id; several times for several customers
    #[arg(long = "customer", value_name = "ID", required_unless_present = "file")]
    customers: Vec<String>,
    /// A file with an id in each line, - for standard input: so no list of processes shows them
    #[arg(long = "customer-file", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Do it; otherwise only say what would be erased
    #[arg(long)]
    yes: bool,
}

/// At once. Each is looked for in every event.
const MOST: usize = 1000;

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    let mut ids = arguments.customers.clone();
    if let Some(file) = &arguments.file {
        ids.extend(read(file)?);
    }
    let ids = checked(ids)?;
    let horizon = i64::from(config.correction_horizon_seconds) * SECOND;
    let mut client = connect_migrated(&config.postgres)?;
    let erasure = if arguments.yes {
        let progress = take_free_lease(&mut client, config.time_zone)?;
        Erasure::make(&mut client, &progress, &ids, horizon)?
    } else {
        Erasure::find(&mut client, &ids, horizon)?
    };
    if !erasure.obstacles().is_empty() {
        erasure.obstacles().iter().for_each(|obstacle| eprintln!("streamflow: {}", described(obstacle)));
        bail!("nothing is erased: let the pipeline run until then");
    }
    let found = erasure.found();
    if !arguments.yes {
        bail!("would erase {}: repeat with --yes", summary(found, ids.len()));
    }
    output::line(format_args!("erased {}", summary(found, ids.len())))?;
    if found.named_by_ids > 0 {
        output::line(format_args!(
            "{} events keep ids of transactions, stores or products that name a customer",
            found.named_by_ids
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<Vec<String>> {
    let cannot_read = || format!("cannot read {}", file.display());
    let input: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(file).with_context(cannot_read)?)
    };
    let lines = BufReader::new(input).lines().map(|line| Ok(line?.trim_end_matches('\r').to_owned()));
    let mut lines: Vec<String> = lines.collect::<std::io::Result<_>>().with_context(cannot_read)?;
    if let Some(first) = lines.first_mut() {
        *first = first.trim_start_matches('\u{feff}').to_owned();
    }
    lines.retain(|line| !line.is_empty());
    Ok(lines)
}

/// Each once, in their order. No message shows one.
fn checked(ids: Vec<String>) -> Result<Vec<String>> {
    for (number, id) in (1..).zip(&ids) {
        if !(1..=LONGEST_ID).contains(&id.len()) || id.contains(char::is_control) {
            return Err(Misuse(format!(
                "customer {number}: an id has 1 to {LONGEST_ID} bytes and no control characters"
            ))
            .into());
        }
    }
    let mut seen = BTreeSet::new();
    let ids: Vec<String> = ids.into_iter().filter(|id| seen.insert(id.clone())).collect();
    if ids.is_empty() || ids.len() > MOST {
        return Err(Misuse(format!("{} customers are not allowed, only 1 to {MOST}", ids.len())).into());
    }
    Ok(ids)
}

fn described(obstacle: &Obstacle) -> String {
    let Obstacle { customer, kind, final_at } = obstacle;
    let what = match kind {
        Unfinished::Transaction => "has a transaction that is not final",
        Unfinished::PendingEvent => "is named by an event that waits to be decided",
    };
    let at = DateTime::from_timestamp_micros(*final_at)
        .map_or_else(|| "-".to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
    format!("customer {} {what}: it will be once the watermark is after {at}", customer + 1)
}

fn summary(found: Found, asked: usize) -> String {
    let Found { customers, events, named_by_ids: _, alerts, alert_changes, dead_letters, list_versions } =
        found;
    format!(
        "{customers} of {asked} customers: {events} events rewritten, {alerts} alerts, {alert_changes} alert changes, \
         {dead_letters} dead letters, {list_versions} list entries"
    )
}
