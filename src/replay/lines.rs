//! A file of one JSON object a line.

use anyhow::{Context, Result};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes that are gathered before they are written to the file.
const GATHERED: usize = 1 << 18;

/// The file while it is written.
pub struct Lines {
    path: PathBuf,
    file: File,
    /// Lines that are not in the file yet.
    gathered: Vec<u8>,
    /// Bytes in the file.
    length: u64,
}

impl Lines {
    /// Creates the file below `out`.
    pub fn create(out: &Path, name: &str) -> Result<Self> {
        let path = out.join(name);
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, file, gathered: Vec::new(), length: 0 })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a row; its line begins at the byte that is returned.
    pub fn write(&mut self, row: &impl Serialize) -> Result<u64> {
        let at = self.length + self.gathered.len() as u64;
        serde_json::to_writer(&mut self.gathered, row)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        self.gathered.push(b'\n');
        self.flush_gathered(GATHERED)?;
        Ok(at)
    }

    /// Writes what `line` appends, which is a whole line; it begins at the byte that is returned.
    pub fn write_line(&mut self, line: impl FnOnce(&mut Vec<u8>)) -> Result<u64> {
        let at = self.length + self.gathered.len() as u64;
        line(&mut self.gathered);
        self.flush_gathered(GATHERED)?;
        Ok(at)
    }

    /// Everything written is in the file.
    pub fn flush(&mut self) -> Result<()> {
        self.flush_gathered(1)
    }

    /// Writes what is gathered to the file if it is so many bytes.
    fn flush_gathered(&mut self, bytes: usize) -> Result<()> {
        if self.gathered.len() >= bytes {
            let written = self.file.write_all(&self.gathered);
            written.with_context(|| format!("cannot write {}", self.path.display()))?;
            self.length += self.gathered.len() as u64;
            self.gathered.clear();
        }
        Ok(())
    }

    /// Closes the file.
    pub fn finish(mut self) -> Result<()> {
        self.flush()
    }
}
