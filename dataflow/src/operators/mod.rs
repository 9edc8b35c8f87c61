//! What the stages of the graph have in common: buffering by epoch, order, the watermark, and maintained sums.

pub mod accumulate;
pub mod ordered;
pub mod stash;
pub mod watermark;
