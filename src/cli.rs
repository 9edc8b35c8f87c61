//! The command line.

use crate::logging::LogFormat;
use clap::{Parser, Subcommand};

/// Real-time fraud detection and an exact medallion in PostgreSQL, from one dataflow graph.
///
/// Exit codes: 0 success; 1 failure, with one line on standard error; 2 wrong arguments; 3 a check found
/// differences, or most events were refused.
#[derive(Debug, Parser)]
#[command(name = "streamflow", version)]
pub struct Cli {
    /// How log lines on standard error look. RUST_LOG sets the level (default: info).
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Bench(crate::commands::bench::Arguments),
    Demo(crate::commands::demo::Arguments),
    Erase(crate::commands::erase::Arguments),
    Explain(crate::commands::explain::Arguments),
    Generate(crate::commands::generate::Arguments),
    Maintain(crate::commands::maintain::Arguments),
    Migrate(crate::commands::migrate::Arguments),
    Offsets(crate::commands::offsets::Arguments),
    Publisher(crate::commands::publisher::Arguments),
    Run(crate::commands::run::Arguments),
    Replay(crate::commands::replay::Arguments),
    Resubmit(crate::commands::resubmit::Arguments),
    Rules(crate::commands::rules::Arguments),
    Verify(crate::commands::verify::Arguments),
}

impl Command {
    /// The level of log lines. The demo and the bench print their own progress, so they log less.
    pub fn log_level(&self) -> &'static str {
        match self {
            // Servers that have just started, and those that it stops, are nothing to warn of; that a topic was
            // read to its end, which the client library calls an error, is none.
            Self::Bench(_) => "error,rdkafka=off",
            Self::Demo(_) => "warn",
            _ => "info",
        }
    }
}
