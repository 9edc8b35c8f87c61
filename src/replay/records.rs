//! A temporary file of records of a fixed size, which are read back by number.

use anyhow::{Context, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Records of `N` numbers each. The file has no name, so it is gone with the process, however it ends.
pub struct Records<const N: usize> {
    file: File,
    /// Records in the file.
    stored: u64,
    /// Those behind them.
    recent: Vec<[u64; N]>,
}

/// Records that are written at once.
const WRITTEN_AT_ONCE: usize = 1024;

impl<const N: usize> Records<N> {
    /// None yet; the file is in `directory`.
    pub fn create(directory: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(directory)
            .with_context(|| format!("cannot create a file in {}", directory.display()))?;
        Ok(Self { file, stored: 0, recent: Vec::new() })
    }

    /// Their number.
    pub fn len(&self) -> u64 {
        self.stored + self.recent.len() as u64
    }

    /// Adds one.
    pub fn push(&mut self, record: [u64; N]) -> Result<()> {
        self.recent.push(record);
        if self.recent.len() < WRITTEN_AT_ONCE {
            return Ok(());
        }
        let bytes: Vec<u8> = self.recent.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
        let at = self.stored * (N * size_of::<u64>()) as u64;
        self.file.write_all_at(&bytes, at).context("cannot write a temporary file")?;
        self.stored += self.recent.len() as u64;
        self.recent.clear();
        Ok(())
    }

    /// The record with a number below [`Records::len`].
    pub fn get(&self, number: u64) -> Result<[u64; N]> {
        if let Some(recent) =
            number.checked_sub(self.stored).and_then(|index| self.recent.get(index as usize))
        {
            return Ok(*recent);
        }
        let mut bytes = [[0; size_of::<u64>()]; N];
        let at = number * (N * size_of::<u64>()) as u64;
        self.file.read_exact_at(bytes.as_flattened_mut(), at).context("cannot read a temporary file")?;
        Ok(bytes.map(u64::from_le_bytes))
    }

    /// The number of the first record whose first value is `value` at least, where these ascend.
    pub fn first_from(&self, value: u64) -> Result<u64> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle)?[0] < value { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_back_from_file_and_memory() {
        let directory = tempfile::tempdir().unwrap();
        let mut records = Records::<2>::create(directory.path()).unwrap();
        let count = WRITTEN_AT_ONCE as u64 * 2 + 3;
        for number in 0..count {
            records.push([2 * number, number]).unwrap();
        }
        assert_eq!(records.len(), count);
        for number in [0, 1, 1023, 1024, 2047, 2048, count - 1] {
            assert_eq!(records.get(number).unwrap(), [2 * number, number]);
            assert_eq!(records.first_from(2 * number).unwrap(), number);
            assert_eq!(records.first_from(2 * number + 1).unwrap(), number + 1);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
