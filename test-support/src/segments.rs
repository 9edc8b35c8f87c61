//! Damages records where a broker has them: in the file of its log.
//!
//! A batch of records (format 2) begins with its first offset (8 bytes), the length of what follows (4), a leader
//! epoch (4), the format (1), and the CRC-32C (4) of all that follows: attributes (2), of which the lowest three bits
//! name the compression, the distance to the last offset (4), and 36 bytes more before the records.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};

const LENGTH: usize = 8;
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;
const RECORDS: usize = 61;
const GZIP: u8 = 1;

/// What is done to a batch of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// A bit of the last record is another: the checksum is wrong.
    Checksum,
    /// It says that it is compressed by gzip, and is not. The checksum is right.
    Compression,
    /// Its records are no records. The checksum is right.
    Content,
}

/// Damages the batch with `offset` in a file of a log.
pub(crate) fn harm(file: &Path, offset: i64, harm: Harm) -> Result<()> {
    let mut bytes = fs::read(file)?;
    let place = find(&bytes, offset).with_context(|| format!("no batch with offset {offset}"))?;
    let batch = bytes.get_mut(place).context("a batch is cut off")?;
    match harm {
        Harm::Checksum => *batch.last_mut().context("an empty batch")? ^= 1,
        Harm::Compression => batch[ATTRIBUTES + 1] |= GZIP,
        Harm::Content => batch[RECORDS..].fill(0xff),
    }
    if harm != Harm::Checksum {
        let crc = crc32c(&batch[ATTRIBUTES..]).to_be_bytes();
        batch[CRC..CRC + crc.len()].copy_from_slice(&crc);
    }
    Ok(fs::write(file, bytes)?)
}

/// Where the batch with `offset` is.
fn find(bytes: &[u8], offset: i64) -> Option<Range<usize>> {
    let mut start = 0;
    loop {
        let number = |at: usize| -> Option<i32> {
            Some(i32::from_be_bytes(bytes.get(start + at..start + at + 4)?.try_into().ok()?))
        };
        let first = i64::from_be_bytes(bytes.get(start..start + 8)?.try_into().ok()?);
        let end = start + LENGTH + 4 + usize::try_from(number(LENGTH)?).ok()?;
        if (first..=first + i64::from(number(LAST_OFFSET_DELTA)?)).contains(&offset) {
            return Some(start..end);
        }
        start = end;
    }
}

/// The checksum of Castagnoli, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
