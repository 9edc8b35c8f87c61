//! Results are staged in a directory beside where they belong, and take their places at the end: a replay that fails
//! leaves earlier results as they were.

use super::Inputs;
use crate::misuse::Misuse;
use anyhow::{Context, Result, bail};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The directory of results while they are written; removed when dropped.
pub struct Stage {
    out: PathBuf,
    directory: TempDir,
}

impl Stage {
    /// Makes the directory `out`, if it is not there, and the stage in it.
    pub fn create(out: &Path) -> Result<Self> {
        let cannot_create = || format!("cannot create {}", out.display());
        std::fs::create_dir_all(out).with_context(cannot_create)?;
        let directory =
            tempfile::Builder::new().prefix(".replay-").tempdir_in(out).with_context(cannot_create)?;
        Ok(Self { out: out.to_owned(), directory })
    }

    /// Where results are written.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Puts all results in their places.
    pub fn publish(self) -> Result<()> {
        move_all(self.directory.path(), &self.out)
    }
}

fn move_all(from: &Path, to: &Path) -> Result<()> {
    let cannot_write = || format!("cannot write {}", to.display());
    std::fs::create_dir_all(to).with_context(cannot_write)?;
    for entry in std::fs::read_dir(from).with_context(cannot_write)? {
        let entry = entry.with_context(cannot_write)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().with_context(cannot_write)?.is_dir() {
            move_all(&source, &target)?;
        } else {
            std::fs::rename(&source, &target)
                .with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}

/// Makes sure that each input can be read, that standard input is named once at most, and that no result, of those
/// named relative to `out`, would take the place of an input. Files are compared by device and inode, through links
/// too.
///
/// # Errors
/// [`Misuse`], or what cannot be read, before anything was read or written.
pub fn check(inputs: &Inputs, out: &Path, results: &[String]) -> Result<()> {
    let standard = |path: &&PathBuf| path.as_path() == Path::new("-");
    if inputs.all().filter(standard).count() > 1 {
        return Err(Misuse("`-` is named several times: standard input can be read once".to_owned()).into());
    }
    let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino());
    let files = inputs.all().filter(|path| !standard(path));
    let mut read = Vec::new();
    for path in files {
        let metadata = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        if metadata.is_dir() {
            bail!("cannot read {}: it is a directory", path.display());
        }
        read.push((identity(&metadata), path));
    }
    for result in results {
        let Ok(metadata) = std::fs::metadata(out.join(result)) else { continue };
        if let Some((_, path)) = read.iter().find(|(input, _)| *input == identity(&metadata)) {
            let result = out.join(result);
            let problem =
                format!("{} would be overwritten: {} is a result", path.display(), result.display());
            return Err(Misuse(problem).into());
        }
    }
    Ok(())
}
