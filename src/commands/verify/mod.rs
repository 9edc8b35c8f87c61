//! `streamflow verify`: whether everything is as it must be.

mod table;

use super::configuration::ConfigArguments;
use crate::logging::{self, LogFormat};
use anyhow::Result;
use clap::Args;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use streamflow_verification::checks::{self, Depth, FreshnessLimits, Grade, Report, Scope};
use table::Format;

/// Check the tables, the topics and the books, and say what is wrong and what to do.
///
/// Reads only, needs no more than the rights of streamflow_writer, and may run beside a running pipeline:
/// everything of the database is of one snapshot. A full verification reads every row several times, some
/// fifteen seconds a million.
///
/// Exit codes: 0 all passed, or warnings only; 1 a check failed; 2 something could not be checked
/// (configuration, arguments, missing rights).
///
/// Examples:
///   streamflow verify --config streamflow.yaml
///   streamflow verify --config streamflow.yaml --sample 100 --format json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Compare gold with silver for so many keys and days chosen at random, not for all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sample: Option<u32>,
    /// Do not compare gold with silver
    #[arg(long, conflicts_with = "sample")]
    skip_recomputation: bool,
    /// Also recompute silver and gold from the events in bronze; holds them in memory, 2 kB each
    #[arg(long)]
    from_bronze: bool,
    /// Warn where the committed frontier is so many seconds behind
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    warn_behind: f64,
    /// Fail where the committed frontier is so many seconds behind
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    fail_behind: f64,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(arguments: &Arguments, log_format: LogFormat) -> Result<ExitCode> {
    // 1 would say that a check has failed.
    Ok(checked(arguments).unwrap_or_else(|error| {
        logging::fatal(log_format, &error);
        ExitCode::from(2)
    }))
}

fn checked(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    let depth = match arguments.sample {
        Some(keys) => Depth::Sample(keys),
        None if arguments.skip_recomputation => Depth::Skipped,
        None => Depth::Full,
    };
    let freshness = FreshnessLimits { warn: arguments.warn_behind, fail: arguments.fail_behind };
    let report =
        checks::run(&config.deployment(), Scope { depth, from_bronze: arguments.from_bronze, freshness });
    let mut output = std::io::stdout();
    let colours = output.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    output.write_all(table::format(&report, arguments.format, colours)?.as_bytes())?;
    Ok(exit_code(&report))
}

/// 1 if a check failed, else 2 if one could not be made, else 0.
fn exit_code(report: &Report) -> ExitCode {
    if report.count(Grade::Fail) > 0 {
        ExitCode::from(1)
    } else if report.count(Grade::Error) > 0 {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}
