//! Rule sets from the command line: the versions in the database, and putting a new one into Kafka.
//!
//! ```text
//!  FILE ── checked ──> topic of the rules ──> the graph ──> gold.rule_versions
//!                                                │
//!                                                └──> alert changes with the cause rule_change
//! ```
//!
//! Law: what is put was checked as the graph checks it, so it becomes no dead letter.

pub mod diff;
mod put;
mod versions;

pub use put::{Outcome, put};
pub use versions::{StoredVersion, after, last, numbered};

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
    checked(config, &text).map_err(|problem| anyhow::anyhow!("{}: {problem}", path.display()))
}

/// The version that a document describes, if it can be put.
///
/// # Errors
/// One line that says what is wrong, and what is allowed.
pub fn checked(config: &Config, document: &[u8]) -> Result<Version, String> {
    let version = document::parse(document)?;
    version.can_be_put(config.graph_settings().longest_window)?;
    Ok(version)
}

/// Checks how many partitions the topic of the rules has: there is an order within one only.
///
/// # Errors
/// It has several.
pub fn require_order(topic: &str, partitions: u16) -> Result<()> {
    if partitions != 1 {
        bail!(
            "topic {topic}: {partitions} partitions: must be 1, or the versions of the rules have no order"
        );
    }
    Ok(())
}
