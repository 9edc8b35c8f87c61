//! `streamflow maintain`: removes what is old, and brings the planner's statistics up to date.

use super::configuration::ConfigArguments;
use crate::maintenance::{self, Completion, Mode};
use crate::output;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

/// Remove what is older than its retention (`maintenance.*` in the configuration), and ANALYZE.
///
/// Days of bronze.raw_transactions, alert history and the counts of the quality checks go; alert changes only
/// once they are published, which Kafka is asked for. Dead letters and transactions are kept for ever, unless
/// maintenance.dead_letters_days and transactions_days say for how long; sums of gold stay. Safe at any time,
/// twice, or never, beside a running pipeline: it waits for nobody for longer than a fraction of a second at a
/// time, and what somebody uses all the while stays for the next run. Needs no more than the rights of
/// streamflow_maintainer.
///
/// Exit codes: 0 all done, or another one is at work; 1 a failure, or something is left for the next run; 2
/// wrong arguments.
///
/// Examples:
///   streamflow maintain --config streamflow.yaml --dry-run
///   streamflow maintain --config streamflow.yaml --set maintenance.raw_transactions_days=60
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Change nothing, say what would be done
    #[arg(long)]
    dry_run: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    let mode = if arguments.dry_run { Mode::DryRun } else { Mode::Apply };
    let mut told = Ok(());
    let outcome = maintenance::run(&config, mode, &mut |line| {
        if told.is_ok() {
            told = output::line(line);
        }
    })?;
    told?;
    Ok(match outcome {
        Completion::Done => ExitCode::SUCCESS,
        Completion::AlreadyRunning => {
            output::line("another maintenance is at work: nothing done")?;
            ExitCode::SUCCESS
        }
        Completion::Incomplete(remains) => {
            remains.iter().for_each(|line| eprintln!("streamflow: left for the next run: {line}"));
            ExitCode::from(1)
        }
    })
}
