//! Rule sets from the command line: the versions in the database, and putting a new one into Kafka.
//!
//! ```text
//!  FILE ── checked ──> topic of the rules ──> the graph ──> gold.rule_versions
//!                                                │
//!                                                └──> alert changes with the cause rule_change
//! ```
//!
//! Law: what is put was checked as the graph checks it, so it becomes no dead letter.

mod put;
mod versions;

pub use put::{Outcome, put};
pub use versions::{StoredVersion, all, number};

use crate::config::Config;
use anyhow::{Context, Result, bail};
use std::path::Path;
use streamflow_dataflow::rules::{Version, document};

/// Reads the document in a file, and checks that it can be put.
///
/// # Errors
/// The file cannot be read, or the document is wrong: one line that says what is allowed.
pub fn read(config: &Config, path: &Path) -> Result<Version> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let version = document::parse(&text);
    let checked = version.and_then(|version| {
        version.can_be_put(config.graph_settings().longest_window)?;
        Ok(version)
    });
    match checked {
        Ok(version) => Ok(version),
        Err(problem) => bail!("{}: {problem}", path.display()),
    }
}
