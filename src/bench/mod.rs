//! What `streamflow bench` measures.

pub mod live;
