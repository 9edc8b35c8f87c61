//! How long the disk takes to say that 8 KiB are safe: no commit that waits for it takes less.

use super::super::results;
use anyhow::{Context, Result};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use streamflow_harness::report::Run;

/// A page of PostgreSQL's log.
const PAGE: usize = 8192;
const PAGES: usize = 500;

/// Writes pages over others, as PostgreSQL writes its log: a file that grows would count as well what the file
/// system notes of it.
pub fn measure(directory: &Path) -> Result<Run> {
    let about = || format!("cannot write in {}", directory.display());
    let times = write_pages(directory).with_context(about)?;
    Ok(results::waits("sync", times))
}

/// How long each page took.
fn write_pages(directory: &Path) -> std::io::Result<[Duration; PAGES]> {
    let mut file = tempfile::tempfile_in(directory)?;
    file.write_all(&vec![0; PAGE * PAGES])?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let page = [1; PAGE];
    let mut times = [Duration::ZERO; PAGES];
    for time in &mut times {
        let started = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        *time = started.elapsed();
    }
    Ok(times)
}
