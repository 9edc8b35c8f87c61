//! What it is measured on.

use crate::report::Machine;
use std::fs;

impl Machine {
    /// This machine, as Linux tells of it.
    #[must_use]
    pub fn this() -> Self {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            processor: processor(&text("/proc/cpuinfo")),
            processors,
            memory: memory(&text("/proc/meminfo")),
        }
    }
}

/// The kernel's version.
#[must_use]
pub fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

fn processor(info: &str) -> String {
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or("not known", |(_, name)| name.trim()).to_owned()
}

fn memory(info: &str) -> u64 {
    let kib = info.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_is_understood() {
        assert_eq!(processor("processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nx: y\n"), "A CPU @ 2 GHz");
        assert_eq!(processor("processor: 0\n"), "not known");
        assert_eq!(memory("MemTotal:       16384 kB\nMemFree: 1 kB\n"), 16_777_216);
    }
}
