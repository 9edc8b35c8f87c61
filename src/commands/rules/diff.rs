//! `streamflow rules diff`: what a set of rules would change.

use crate::config::Config;
use crate::instant;
use crate::output;
use crate::replay::{self, Inputs, Scope};
use crate::rules::diff::{Export, Period, Report, Subject, page, read_labels, text};
use crate::rules::read;
use anyhow::{Context, Result, bail};
use chrono::Utc;
use clap::{Args, ValueEnum};
use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Instant;
use streamflow_dataflow::rules::RuleSet;
use streamflow_model::Calendar;

/// Beside what is compared: the rules in force, and the candidate in a document.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The candidate's document
    candidate: PathBuf,
    /// Files of transaction events, one JSON object a line, instead of the database
    #[arg(long, value_name = "FILES", num_args = 1..)]
    from: Vec<PathBuf>,
    /// The document of the rules that count as live, with --from [default: the configuration's rules]
    #[arg(long, value_name = "FILE", requires = "from")]
    live: Option<PathBuf>,
    /// List entries, one JSON object a line, with --from
    #[arg(long, value_name = "FILE", requires = "from")]
    blacklist: Option<PathBuf>,
    /// Stores, one JSON object a line, with --from
    #[arg(long, value_name = "FILE", requires = "from")]
    stores: Option<PathBuf>,
    /// The first event time: so long before the latest transaction, or with --from before now, such as 30d, 12h or
    /// 90m; an instant (RFC 3339); or a date
    #[arg(long, value_name = "TIME", default_value = "30d")]
    since: Since,
    /// Transactions that are known to be fraud, one JSON object with a transaction_id a line
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// How the report is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write the report as one page of HTML
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Where a stretch of event time begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    /// Microseconds before the latest.
    Before(i64),
    /// Microseconds since 1970.
    At(i64),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be such as 30d, 12h or 90m, an RFC 3339 instant, or a date".to_owned();
        let unit = match text.chars().last() {
            Some('d') => 86_400,
            Some('h') => 3_600,
            Some('m') => 60,
            _ => return instant::parse(text).map(|at| Self::At(at.timestamp_micros())).map_err(|_| wrong()),
        };
        let number: i64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
        if !(1..=1_000_000).contains(&number) {
            return Err(wrong());
        }
        Ok(Self::Before(number * unit * 1_000_000))
    }
}

impl Since {
    /// Microseconds since 1970; `i64::MIN` without a latest transaction.
    fn time(self, latest: Option<i64>) -> i64 {
        match self {
            Self::At(time) => time,
            Self::Before(length) => latest.map_or(i64::MIN, |latest| latest.saturating_sub(length)),
        }
    }
}

/// What is compared, and where it comes from.
struct Comparison {
    inputs: Inputs,
    live: RuleSet,
    live_name: String,
    /// The end of the stretch of event time, microseconds since 1970.
    latest: Option<i64>,
    /// Later events are refused, microseconds since 1970.
    now: i64,
    /// From which event time on the candidate would apply, if that is known.
    applies_from: Option<i64>,
    /// Holds the files until they are read.
    _export: Option<Export>,
}

pub fn run(config: &Config, arguments: &Arguments) -> Result<ExitCode> {
    let candidate = read(config, &arguments.candidate)?;
    let fraud = arguments.labels.as_deref().map(read_labels).transpose()?;
    let comparison =
        if arguments.from.is_empty() { of_database(config)? } else { of_files(config, arguments)? };
    let Comparison { inputs, live, live_name, latest, now, applies_from, _export } = comparison;
    let since = arguments.since.time(latest);
    let candidate_name =
        format!("{} ({}: {})", arguments.candidate.display(), candidate.author, candidate.note);
    let scope = Scope { since, fraud: fraud.clone().unwrap_or_else(HashSet::new) };
    let started = Instant::now();
    eprintln!("both sets of rules are evaluated; workers: {}", config.workers);
    let (summary, alerted) = replay::compare(config, now, &inputs, live, candidate.rules, scope)?;
    let rate = summary.events as f64 / started.elapsed().as_secs_f64();
    eprintln!("{} events, {rate:.0}/s, {} of them unreadable", summary.events, summary.dead_letters);
    let calendar = Calendar::new(config.graph_settings().time_zone);
    let subject = Subject { live: live_name, candidate: candidate_name };
    let report = Report::new(subject, Period { since, applies_from }, &calendar, fraud.is_some(), &alerted);
    match arguments.format {
        Format::Text => output::write(text(&report))?,
        Format::Json => output::line(serde_json::to_string_pretty(&report)?)?,
    }
    if let Some(path) = &arguments.html {
        std::fs::write(path, page(&report)).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn of_database(config: &Config) -> Result<Comparison> {
    eprintln!("transactions are read from the database");
    let export = Export::read(config)?;
    if export.transactions == 0 {
        bail!("the database has no transactions");
    }
    eprintln!("{} transactions", export.transactions);
    Ok(Comparison {
        inputs: export.inputs(),
        live: export.live.clone(),
        live_name: export.live_name.clone(),
        latest: export.newest,
        // All of them were accepted.
        now: i64::MAX / 2,
        applies_from: export.settled,
        _export: Some(export),
    })
}

fn of_files(config: &Config, arguments: &Arguments) -> Result<Comparison> {
    let now = Utc::now().timestamp_micros();
    let live = arguments.live.as_deref().map(|path| read(config, path)).transpose()?;
    let live_name = match &arguments.live {
        Some(path) => path.display().to_string(),
        None => "the rules of the configuration".to_owned(),
    };
    Ok(Comparison {
        inputs: Inputs {
            transactions: arguments.from.clone(),
            customers: None,
            stores: arguments.stores.clone(),
            products: None,
            blacklist: arguments.blacklist.clone(),
        },
        live: live.map_or_else(|| config.rules.clone().into(), |version| version.rules),
        live_name,
        latest: Some(now),
        now,
        applies_from: None,
        _export: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_a_length_or_begins_at_an_instant() {
        assert_eq!("90m".parse(), Ok(Since::Before(5_400_000_000)));
        assert_eq!("2026-02-01".parse(), Ok(Since::At(1_769_904_000_000_000)));
        assert_eq!("30d".parse::<Since>().unwrap().time(Some(0)), -30 * 86_400_000_000);
        for wrong in ["", "d", "-1d", "0h", "30", "1.5d", "30days", "ünd"] {
            assert!(wrong.parse::<Since>().is_err(), "{wrong}");
        }
    }
}
