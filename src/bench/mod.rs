//! What `streamflow bench` measures.

pub mod bounds;
pub mod compare;
pub mod engine;
mod events;
mod fields;
mod in_memory;
pub mod live;
mod one_thread;
mod processor_time;
mod results;
