//! Identifiers as producers write them.

use compact_str::CompactString;

/// An identifier: UTF-8, compared by bytes; up to 24 bytes are held without an allocation.
pub type Id = CompactString;

/// A hash of an identifier for routing between workers. Fixed within one build; never stored.
pub fn route(id: &str) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = foldhash::fast::FixedState::with_seed(0x51_7e_a3_f1).build_hasher();
    hasher.write(id.as_bytes());
    hasher.finish()
}
