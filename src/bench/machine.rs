//! What was measured on.

use std::collections::BTreeMap;
use streamflow_harness::report::Machine;

/// This machine.
pub fn this() -> Machine {
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let kilobytes = field("/proc/meminfo", "MemTotal");
    let kilobytes = kilobytes.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    Machine {
        processor,
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        memory: kilobytes.unwrap_or_default() * 1024,
    }
}

/// Versions of what every measurement depends on.
pub fn versions() -> BTreeMap<String, String> {
    let streamflow = [("streamflow".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    let kernel = kernel.map(|release| ("kernel".to_owned(), release.trim().to_owned()));
    streamflow.into_iter().chain(kernel).collect()
}

/// The first value of that name in a file of the system.
fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let (_, value) =
        text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}
