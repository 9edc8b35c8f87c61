//! A file of one JSON object a line.

use anyhow::{Context, Result};
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The file while it is written.
pub struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
    /// Bytes written.
    length: u64,
    /// The row being written.
    row: Vec<u8>,
}

impl Lines {
    /// Creates the file below `out`.
    pub fn create(out: &Path, name: &str) -> Result<Self> {
        let path = out.join(name);
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, file: BufWriter::with_capacity(1 << 18, file), length: 0, row: Vec::new() })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a row; its line begins at the byte that is returned.
    pub fn write(&mut self, row: &impl Serialize) -> Result<u64> {
        let mut line = std::mem::take(&mut self.row);
        line.clear();
        serde_json::to_writer(&mut line, row)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        line.push(b'\n');
        let at = self.write_line(&line);
        self.row = line;
        at
    }

    /// Writes the bytes of a whole line; it begins at the byte that is returned.
    pub fn write_line(&mut self, line: &[u8]) -> Result<u64> {
        self.file.write_all(line).with_context(|| format!("cannot write {}", self.path.display()))?;
        let at = self.length;
        self.length += line.len() as u64;
        Ok(at)
    }

    /// Everything written is in the file.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Closes the file.
    pub fn finish(mut self) -> Result<()> {
        self.flush()
    }
}
