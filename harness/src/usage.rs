//! What a process takes of the machine, from /proc.

use std::fs;
use std::io;
use std::time::Duration;

/// What a process has taken since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time that it had a processor, user and system.
    pub processor: Duration,
    /// The most memory that was resident, bytes.
    pub peak_memory: u64,
}

impl Usage {
    /// Of the process with this id.
    ///
    /// # Errors
    /// There is no such process.
    pub fn of(process: u32) -> io::Result<Self> {
        let read = |file| fs::read_to_string(format!("/proc/{process}/{file}"));
        let (stat, status) = (read("stat")?, read("status")?);
        let usage = processor(&stat).zip(peak_memory(&status));
        let (processor, peak_memory) = usage.ok_or_else(|| io::Error::other("it has ended"))?;
        Ok(Self { processor, peak_memory })
    }
}

fn processor(stat: &str) -> Option<Duration> {
    // Behind the name, which may hold anything: state, parent, ... utime and stime are the twelfth and thirteenth.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().ok());
    // Linux tells them in hundredths of a second.
    Some(Duration::from_millis(ticks.sum::<Option<u64>>()? * 10))
}

fn peak_memory(status: &str) -> Option<u64> {
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_is_understood() {
        let stat = "12 (a) b) S 1 12 12 0 -1 4194304 1 0 0 0 250 50 0 0 20 0";
        assert_eq!(processor(stat), Some(Duration::from_secs(3)));
        assert_eq!(peak_memory("Name:\tx\nVmHWM:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!((processor("12"), peak_memory("Name:\tzombie\n")), (None, None));
    }

    #[test]
    fn this_process_has_memory() {
        assert!(Usage::of(std::process::id()).unwrap().peak_memory > 0);
    }
}
