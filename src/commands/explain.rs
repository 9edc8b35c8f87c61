//! `streamflow explain`: why a transaction is alerted or not.

use super::configuration::ConfigArguments;
use crate::explain::explain;
use crate::{instant, output};
use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use std::process::ExitCode;

/// Explain the verdict on a transaction: each change of its alert with its cause, the version of the rules, the
/// evidence and the events behind it; what precedes it; and the smallest change of its amount, its time or the
/// threshold that would give the other verdict.
///
/// Examples:
///   streamflow explain --config streamflow.yaml txn-0f8c2d9e4b7a1c35
///   streamflow explain --config streamflow.yaml txn-0f8c2d9e4b7a1c35 --known-at 2026-02-01T12:00:00Z
///   streamflow explain --config streamflow.yaml txn-0f8c2d9e4b7a1c35 --format json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The transaction's id
    transaction: String,
    /// As it was known then, by what had been read: an RFC 3339 instant, or a date
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    known_at: Option<DateTime<Utc>>,
    /// Sentences, or a JSON document
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    let known_at = arguments.known_at.map(|at| at.timestamp_micros());
    let explanation = explain(&config, &arguments.transaction, known_at)?;
    match arguments.format {
        Format::Text => output::write(explanation.text())?,
        Format::Json => output::line(serde_json::to_string_pretty(&explanation)?)?,
    }
    Ok(ExitCode::SUCCESS)
}
