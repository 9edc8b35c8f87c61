//! What the stages of the graph have in common: buffering by epoch, order, the watermark, sums, and what is held.

pub mod accumulate;
pub mod combine;
pub mod holding;
pub mod ordered;
pub mod stash;
pub mod watermark;
