//! Memory and processor time of this process.

use std::time::Duration;
use tikv_jemalloc_ctl::{background_thread, epoch, stats};

/// jemalloc returns freed memory to the system, and its statistics can be read while the process runs.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Has freed memory returned to the system by a thread of the allocator. Otherwise only threads that allocate return it:
/// a process that pauses because its memory is at the limit would wait for ever for what it has freed already.
pub fn return_what_is_freed() {
    if let Err(error) = background_thread::write(true) {
        tracing::warn!(%error, "the allocator returns freed memory late");
    }
}

/// Memory of this process in bytes; `None` if the system or the allocator does not report it.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Bytes allocated by the program.
    pub allocated: Option<u64>,
    /// Resident bytes of the allocator, unused parts included.
    pub allocator_resident: Option<u64>,
    /// Resident bytes of the process, code included.
    pub resident: Option<u64>,
    /// The largest resident size so far.
    pub peak_resident: Option<u64>,
}

impl Memory {
    /// Reads the current figures.
    pub fn look() -> Self {
        // The allocator's figures are as of the last advance.
        let fresh = epoch::advance().is_ok();
        let bytes = |figure: Result<usize, _>| figure.ok().filter(|_| fresh).map(|bytes| bytes as u64);
        Self {
            allocated: bytes(stats::allocated::read()),
            allocator_resident: bytes(stats::resident::read()),
            resident: resident(),
            peak_resident: peak_resident(),
        }
    }
}

/// The resident size in bytes; `None` if the system does not report it.
pub fn resident() -> Option<u64> {
    line_of_status("VmRSS:")
}

/// The largest resident size so far in bytes; `None` if the system does not report it.
pub fn peak_resident() -> Option<u64> {
    line_of_status("VmHWM:")
}

fn line_of_status(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// The kernel's unit of processor time in `/proc`, the same on all platforms.
const TICK: Duration = Duration::from_millis(10);

/// Processor time used so far, user and system; `None` if the system does not report it.
pub fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may hold spaces; of the fields behind it these are the 12th and the 13th.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    Some(TICK * ticks.sum::<Result<u32, _>>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_of_this_process() {
        let before = Memory::look();
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = Memory::look();
        assert!(after.allocated.unwrap() >= before.allocated.unwrap() + (32 << 20));
        assert!(after.resident.unwrap() <= after.peak_resident.unwrap());
        assert!(after.allocator_resident.unwrap() > 32 << 20);
        assert!(processor_time().is_some());
        drop(block);
    }
}
