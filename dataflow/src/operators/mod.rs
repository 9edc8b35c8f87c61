//! What the stages of the graph have in common: buffering by epoch, order, the watermark, and sums.

pub mod accumulate;
pub mod combine;
pub mod ordered;
pub mod stash;
pub mod watermark;
