//! The command line.

use chrono::{SecondsFormat, Utc};
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::json;
use std::io::IsTerminal;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Real-time fraud detection and an exact medallion in PostgreSQL, from one dataflow graph.
///
/// Exit codes: 0 success; 1 failure, with one line on standard error; 2 wrong arguments; 3 a check found
/// differences.
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

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Bench(crate::commands::bench::Arguments),
    Demo(crate::commands::demo::Arguments),
    Generate(crate::commands::generate::Arguments),
    Maintain(crate::commands::maintain::Arguments),
    Migrate(crate::commands::migrate::Arguments),
    Offsets(crate::commands::offsets::Arguments),
    Publisher(crate::commands::publisher::Arguments),
    Run(crate::commands::run::Arguments),
    Replay(crate::commands::replay::Arguments),
    Resubmit(crate::commands::resubmit::Arguments),
    Verify(crate::commands::verify::Arguments),
}

/// Starts logging on standard error. The demo and the bench print their own progress, so they log less.
pub fn start_logging(format: LogFormat, command: &Command) {
    let level = match command {
        // Servers that have just started, and those that it stops, are nothing to warn of; that a topic was
        // read to its end, which the client library calls an error, is none.
        Command::Bench(_) => "error,rdkafka=off",
        Command::Demo(_) => "warn",
        _ => "info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            let builder = builder.with_ansi(std::io::stderr().is_terminal()).with_target(false);
            builder.finish().with(filter_fn(is_without_data)).init();
        }
        LogFormat::Json => builder.json().finish().with(filter_fn(is_without_data)).init(),
    }
}

/// Writes the line that says why the process ends, in the form of the log. No level leaves it out.
pub fn log_fatal(format: LogFormat, error: &anyhow::Error) {
    match format {
        LogFormat::Text => eprintln!("streamflow: {error:#}"),
        LogFormat::Json => {
            let timestamp = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
            let fields = json!({"message": format!("streamflow: {error:#}")});
            let line =
                json!({"timestamp": timestamp, "level": "ERROR", "fields": fields, "target": "streamflow"});
            eprintln!("{line}");
        }
    }
}

/// The PostgreSQL client's lines below `info` have the parameters of statements: names and e-mails of customers. No
/// setting shows them.
fn is_without_data(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || !metadata.target().starts_with("tokio_postgres")
}
