//! `streamflow run`: a worker process.

use super::configuration::ConfigArguments;
use crate::config::Config;
use crate::observe::{Observed, Server};
use crate::pipeline::{self, Status};
use crate::stop::Stop;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;
use std::sync::Arc;

/// Run the pipeline: transactions from Kafka, the medallion in PostgreSQL.
///
/// Ends on SIGINT or SIGTERM after committing what is in flight. Of several processes the others go on then, and
/// who comes back joins them.
///
/// Example: streamflow run --config streamflow.yaml
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Run as one of several processes: host:port of each, in the same order for all of them
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', requires = "process")]
    hosts: Vec<String>,
    /// Which of the hosts this process is, from 0
    #[arg(long, value_name = "NUMBER", requires = "hosts")]
    process: Option<usize>,
}

impl Arguments {
    fn config(&self) -> Result<Config> {
        let mut config = self.config.load()?;
        if self.process.is_some() {
            config.cluster.hosts.clone_from(&self.hosts);
            config.cluster.process = self.process;
            config.cluster.check()?;
        }
        Ok(config)
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config()?;
    let stop = Arc::new(Stop::default());
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || asked.ask())?;
    let status = Arc::new(Status::default());
    tracing::info!(workers = config.workers, "starting");
    let observed = Observed::new(&config, &status, &stop);
    let _server = config.metrics.address().map(|address| Server::start(address, observed)).transpose()?;
    pipeline::run(&config, &stop, &status)?;
    tracing::info!("stopped; {}", what_became(&status));
    Ok(ExitCode::SUCCESS)
}

/// What became of what was read.
fn what_became(status: &Status) -> &'static str {
    if status.commits() && !status.publisher.is_confirmed() {
        return "nothing was committed yet: what was read is read again";
    }
    "everything read is committed"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_before_anything_may_be_committed_claims_no_commit() {
        let status = Status::default();
        assert!(what_became(&status).starts_with("nothing was committed"));
        status.publisher.confirm();
        assert_eq!(what_became(&status), "everything read is committed");
    }
}
