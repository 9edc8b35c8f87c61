//! Labels: which transactions are known to be fraud.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use streamflow_model::Id;

#[derive(Deserialize)]
struct Label {
    transaction_id: String,
}

/// The transactions that a file of labels names, one JSON object a line, as `streamflow generate --labels` writes
/// them.
///
/// # Errors
/// The file cannot be read, or a line names no transaction: which one.
pub fn read(path: &Path) -> Result<HashSet<Id>> {
    let cannot = || format!("cannot read {}", path.display());
    let mut labels = HashSet::new();
    for (line, number) in BufReader::new(File::open(path).with_context(cannot)?).lines().zip(1..) {
        let label: Label = serde_json::from_str(&line.with_context(cannot)?)
            .map_err(|error| anyhow::anyhow!("{}, line {number}: no label: {error}", path.display()))?;
        labels.insert(label.transaction_id.as_str().into());
    }
    Ok(labels)
}
