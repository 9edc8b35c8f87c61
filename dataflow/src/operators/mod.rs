//! What the stages of the graph have in common: buffering by epoch, order, the watermark, sums, arrangements that forget,
//! and reports of what operators hold.

pub mod forgetting;
pub mod holding;
pub mod ordered;
pub mod output;
pub mod stash;
pub mod sums;
pub mod watermark;

/// The new row of a key; `None` removes it. Within one stream the last one of a key counts.
pub type Upsert<K, V> = (K, Option<V>);
