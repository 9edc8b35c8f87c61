//! `streamflow resubmit`: dead letters, sent again.

use super::configuration::ConfigArguments;
use crate::instant;
use crate::misuse::Misuse;
use crate::output;
use crate::resubmit::{self, Order, ResubmissionSummary, Selection};
use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args};
use std::path::PathBuf;
use std::process::ExitCode;
use streamflow_model::dead_letter::Reason;

/// Send dead letters back to the transaction topic from which they came, and mark them.
///
/// A letter is selected where all of --reason, --id, --since and --until that are given hold, and it was not
/// sent again before. Its key and topic stay; a header `streamflow-resubmission` names it. To correct
/// payloads, export them, edit the file (take out the lines that are not to be sent), and send with --rewrite
/// alone, which selects the letters of the file. With another selection those that the file lacks are sent as
/// they are.
///
/// A payload over 64 KiB was cut: it is sent with a rewrite or not at all. If this is interrupted between
/// sending and marking, the next call sends a copy, which counts as a duplicate.
///
/// Exit codes: 0 all selected ones were sent; 1 a failure, or some could not be sent; 2 wrong arguments.
///
/// Examples:
///   streamflow resubmit --config streamflow.yaml --reason invalid_field --export letters.jsonl
///   streamflow resubmit --config streamflow.yaml --rewrite letters.jsonl --dry-run
///   streamflow resubmit --config streamflow.yaml --reason conflicting_identity --since 2026-02-01T00:00:00Z
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(group = ArgGroup::new("selection").required(true).multiple(true)
    .args(["reasons", "ids", "since", "until", "all", "rewrite"]))]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Those refused for this reason; may be given several times
    #[arg(long = "reason", value_name = "REASON", value_parser = reasons())]
    reasons: Vec<String>,
    /// These
    #[arg(long = "id", value_name = "ID", num_args = 1..)]
    ids: Vec<i64>,
    /// Those read at this time or later, RFC 3339 or a date
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    since: Option<DateTime<Utc>>,
    /// Those read before this time, RFC 3339 or a date
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    until: Option<DateTime<Utc>>,
    /// All of them
    #[arg(long, conflicts_with_all = ["reasons", "ids", "since", "until"])]
    all: bool,
    /// Also those that were sent again before
    #[arg(long)]
    again: bool,
    /// Send the payloads of this file, a line a letter: {"id": 17, "payload": {...}}
    #[arg(long, value_name = "FILE", conflicts_with = "export")]
    rewrite: Option<PathBuf>,
    /// Send nothing, write the letters selected to this new file in the form that --rewrite reads
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Send nothing, say what would be sent
    #[arg(long, conflicts_with = "export")]
    dry_run: bool,
    /// So many letters at most, the oldest first
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let (Some(since), Some(until)) = (arguments.since, arguments.until)
        && since >= until
    {
        return Err(Misuse(format!(
            "--since {since} is not before --until {until}: there is nothing between"
        ))
        .into());
    }
    let config = arguments.config.load()?;
    let selection = arguments.selection();
    let limit = arguments.limit.unwrap_or(u64::MAX);
    if let Some(path) = &arguments.export {
        let written = resubmit::export(&config, selection, limit, path)?;
        output::line(format_args!("{written} dead letters written to {}", path.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (rewrite, is_dry_run) = (arguments.rewrite.clone(), arguments.dry_run);
    let only_rewritten = !arguments.all && selection.is_open();
    let order = Order { selection, rewrite, only_rewritten, limit, is_dry_run };
    let summary = resubmit::run(&config, order, |line| eprintln!("streamflow: {line}"))?;
    print(&summary, arguments.dry_run)?;
    Ok(if summary.refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn reasons() -> PossibleValuesParser {
    Reason::ALL.map(Reason::as_str).into()
}

impl Arguments {
    fn selection(&self) -> Selection {
        Selection {
            reasons: (!self.reasons.is_empty()).then(|| self.reasons.clone()),
            ids: (!self.ids.is_empty()).then(|| self.ids.clone()),
            since: self.since,
            until: self.until,
            again: self.again,
        }
    }
}

fn print(summary: &ResubmissionSummary, is_dry_run: bool) -> Result<()> {
    let ResubmissionSummary { sent, refused, unused } = summary;
    for ((topic, reason), letters) in sent {
        output::line(format_args!("{letters:>9}  {reason:<20}  to {topic}"))?;
    }
    let total: u64 = sent.values().sum();
    let verb = if is_dry_run { "would be sent" } else { "sent" };
    output::line(format_args!("{total} dead letters {verb}, {refused} cannot be"))?;
    if *unused > 0 {
        output::line(format_args!(
            "{unused} lines of the file are of dead letters that are not selected, were sent before, or do not exist"
        ))?;
    }
    Ok(())
}
