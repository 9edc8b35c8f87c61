//! The options with which commands take their configuration.

use crate::config::Config;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct ConfigArguments {
    /// Configuration file
    #[arg(long)]
    config: Option<PathBuf>,
    /// Set a configuration key, e.g. postgres.user=sre or rules.alert_threshold=0.6
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

impl ConfigArguments {
    /// Reads the configuration.
    ///
    /// # Errors
    /// As for [`Config::load`].
    pub fn load(&self) -> Result<Config> {
        self.load_with(None)
    }

    /// Reads the configuration and sets one more key, if given.
    ///
    /// # Errors
    /// As for [`Config::load`].
    pub fn load_with(&self, assignment: Option<String>) -> Result<Config> {
        let overrides: Vec<String> = self.overrides.iter().cloned().chain(assignment).collect();
        Config::load(self.config.as_deref(), &overrides)
    }
}
