//! `streamflow publisher`: how far alert changes and dead letters are in Kafka, and setting that elsewhere.

use super::configuration::ConfigArguments;
use crate::database::connect_migrated;
use crate::output;
use crate::publisher::reset::{Standing, Target, reset};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Show how far alert changes and dead letters are published.
///
/// Examples:
///   streamflow publisher --config streamflow.yaml
///   streamflow publisher --config streamflow.yaml reset --now --yes
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
    Reset(Reset),
}

/// Set from where on rows are published.
///
/// For a new `publisher.transactional_id`, which otherwise publishes everything once more, and for a database that
/// was restored to an older state, which Kafka is ahead of. What lies before is taken as published; what lies behind is
/// published, again where it was before: consumers know it by `alert` and `sequence`. Stop the pipeline before.
#[derive(Debug, Args)]
struct Reset {
    /// Everything that is committed counts as published
    #[arg(long, required_unless_present = "to")]
    now: bool,
    /// Publish the alert changes after this number
    #[arg(long, value_name = "N", conflicts_with = "now")]
    to: Option<i64>,
    /// Publish the dead letters after this number; without it they go on where they stand
    #[arg(long, value_name = "N", requires = "to")]
    dead_letters: Option<i64>,
    /// Do it; otherwise only say what would be done
    #[arg(long)]
    yes: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    let standing = Standing::look(&config, &mut connect_migrated(&config.postgres)?)?;
    let Some(Action::Reset(Reset { now: _, to, dead_letters, yes })) = &arguments.action else {
        output::write(&standing)?;
        return Ok(ExitCode::SUCCESS);
    };
    let target = to.map_or(Target::Now, |alert_number| Target::After {
        alert_number,
        dead_letter_number: *dead_letters,
    });
    let committed = &standing.committed;
    let record = standing.record(target).with_context(|| {
        format!(
            "the database has alert changes up to {} and dead letters up to {}: numbers must be 0 to these",
            committed.alert_number, committed.dead_letter_number
        )
    })?;
    let (alerts, letters) = (record.alert_number, record.dead_letter_number);
    if !yes {
        bail!("would go on after alert change {alerts} and dead letter {letters}: repeat with --yes");
    }
    reset(&config, record)?;
    output::line(format_args!("publishing goes on after alert change {alerts} and dead letter {letters}"))?;
    Ok(ExitCode::SUCCESS)
}
