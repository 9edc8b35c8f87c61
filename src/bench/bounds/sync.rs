//! How long the disk takes to say that 8 KiB are safe: no commit that waits for it takes less.

use super::super::results;
use anyhow::{Context, Result};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;
use streamflow_harness::report::Run;

/// A page of PostgreSQL's log.
const PAGE: usize = 8192;
const PAGES: usize = 500;

/// Writes pages over others, as PostgreSQL writes its log: a file that grows would count as well what the file
/// system notes of it.
pub fn measure(directory: &Path) -> Result<Run> {
    let about = || format!("cannot write in {}", directory.display());
    let mut times = write_pages(directory).with_context(about)?;
    times.sort_by(f64::total_cmp);
    let mut run = Run { scenario: "sync".to_owned(), ..Run::default() };
    results::less(&mut run, "median", times[PAGES / 2], "ms");
    results::less(&mut run, "p99", times[PAGES * 99 / 100], "ms");
    Ok(run)
}

/// Milliseconds of each page.
fn write_pages(directory: &Path) -> std::io::Result<Vec<f64>> {
    let mut file = tempfile::tempfile_in(directory)?;
    file.write_all(&vec![0; PAGE * PAGES])?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let page = [1; PAGE];
    let mut times = Vec::with_capacity(PAGES);
    for _ in 0..PAGES {
        let started = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times)
}
