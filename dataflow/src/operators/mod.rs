//! What the stages of the graph have in common: buffering by epoch, order, the watermark and what is settled,
//! sums, arrangements that forget, and the log of state sizes.

pub mod earliest;
pub mod forgetting;
pub mod hold;
pub mod ordered;
pub mod output;
pub mod settled_before;
pub mod stash;
pub mod state_size;
pub mod sums;
pub mod watermark;

/// The new row of a key; `None` deletes it. Within an epoch of a stream the last row of a key wins.
pub type Upsert<K, V> = (K, Option<V>);
