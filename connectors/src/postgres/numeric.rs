//! `numeric` in its binary format: groups of four decimal digits behind a header of four words.

const BASE: u64 = 10_000;
const HEADER: usize = 8;
/// 39 digits of an `i128`, and one group more as the decimal point may split one.
const GROUPS: usize = 11;

/// An encoded number.
pub(super) struct Numeric {
    bytes: [u8; HEADER + 2 * GROUPS],
    length: usize,
}

impl Numeric {
    /// `unscaled` / 10^`places`.
    pub(super) fn new(unscaled: i128, places: u8) -> Self {
        let (groups, count) = groups(unscaled.unsigned_abs(), places);
        // Zeros at the end are not sent.
        let first = groups[..count].iter().position(|group| *group != 0).unwrap_or(count);
        let weight = count as i16 - 1 - i16::from(places.div_ceil(4));
        let sign = if unscaled < 0 { 0x4000 } else { 0 };
        let header = [(count - first) as u16, weight as u16, sign, u16::from(places)];
        let mut bytes = [0; HEADER + 2 * GROUPS];
        let words = header.into_iter().chain(groups[first..count].iter().rev().copied());
        for (place, word) in bytes.chunks_exact_mut(2).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        Self { bytes, length: HEADER + 2 * (count - first) }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Groups of four digits, the last first, and how many there are.
fn groups(magnitude: u128, places: u8) -> ([u16; GROUPS], usize) {
    let mut groups = [0; GROUPS];
    let mut count = 0;
    let mut rest = magnitude;
    // The decimal point is between two groups, so the last one may have to be filled up with zeros.
    let loose = u32::from(places % 4);
    if loose > 0 {
        let power = 10_u128.pow(loose);
        groups[0] = ((rest % power) * 10_u128.pow(4 - loose)) as u16;
        rest /= power;
        count = 1;
    }
    // 128-bit division is slow and almost never needed.
    while rest > u128::from(u64::MAX) {
        groups[count] = (rest % u128::from(BASE)) as u16;
        rest /= u128::from(BASE);
        count += 1;
    }
    let mut rest = rest as u64;
    while rest > 0 {
        groups[count] = (rest % BASE) as u16;
        rest /= BASE;
        count += 1;
    }
    (groups, count)
}
