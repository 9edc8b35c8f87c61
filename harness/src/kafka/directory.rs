//! A server's directory: named after the process that made it, so that the next run
//! recognizes and removes the directories of a killed one.

use std::fs;
use std::io;
use std::path::Path;
use std::process;

use tempfile::TempDir;

const PREFIX: &str = "streamflow-kafka-";

/// Makes a directory of this process under the system's temporary one, after removing those whose process is
/// gone.
pub(super) fn create() -> io::Result<TempDir> {
    let parent = std::env::temp_dir();
    remove_abandoned(&parent);
    tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", process::id())).tempdir_in(parent)
}

fn remove_abandoned(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if owner.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            // Another run may be removing the same.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
