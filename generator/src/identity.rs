//! Ids: distinct by construction, without a table of used ones.

/// Length of `cust-` and 12 hexadecimal digits.
pub(crate) const CUSTOMER_ID_LENGTH: usize = 17;

/// Maps the numbers of `bits` bits (even, 2 to 64) one to one onto themselves, scattered by `salt`.
pub(crate) fn scatter(number: u64, salt: u64, bits: u32) -> u64 {
    let mask = u64::MAX >> (64 - bits);
    // Small salts would leave small numbers small.
    let mut word = (number ^ salt.wrapping_mul(0xd6e8_feb8_6659_fd93) ^ (mask / 3)) & mask;
    // Odd factors and shifts that fold the upper half onto the lower are invertible, hence no collisions.
    for factor in [0x9e37_79b9_7f4a_7c15_u64, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        word ^= word >> (bits / 2);
        word = word.wrapping_mul(factor) & mask;
    }
    word ^ (word >> (bits / 2))
}

/// `cust-` and 12 hexadecimal digits, of a number of 48 bits.
pub(crate) fn customer_id(number: u64) -> String {
    format!("cust-{number:012x}")
}

/// `txn-` and 16 hexadecimal digits.
pub(crate) fn transaction_id(number: u64) -> String {
    format!("txn-{number:016x}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn scatter_is_one_to_one() {
        let all: BTreeSet<u64> = (0..1 << 16).map(|number| scatter(number, 77, 16)).collect();
        assert_eq!(all.len(), 1 << 16);
        let some: BTreeSet<u64> = (0..100_000).map(|number| scatter(number, 5, 48)).collect();
        assert_eq!(some.len(), 100_000);
        assert!(some.iter().all(|id| id >> 48 == 0));
    }
}
