//! Where Apache Kafka's jars are kept: `.cache/kafka` in the workspace, filled by `scripts/jars.sh`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The workspace's root.
fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The directory with the jars; fetches them where they are missing or of another version.
pub(crate) fn fetch() -> Result<PathBuf> {
    let script = workspace().join("scripts/jars.sh");
    let status =
        Command::new(&script).status().with_context(|| format!("cannot run {}", script.display()))?;
    ensure!(status.success(), "cannot fetch Apache Kafka's jars; run `make jars` and see what it says");
    Ok(workspace().join(".cache/kafka"))
}
