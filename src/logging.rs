//! Log lines on standard error, and the line with which a command fails.

use chrono::{SecondsFormat, Utc};
use clap::ValueEnum;
use serde_json::json;
use std::io::IsTerminal;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

/// Starts logging, at `level` unless RUST_LOG sets another one.
pub fn start(format: LogFormat, level: &str) {
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
pub fn fatal(format: LogFormat, error: &anyhow::Error) {
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
