//! The commands: each reads its arguments and wires the parts.

pub mod bench;
pub mod configuration;
pub mod demo;
pub mod erase;
pub mod explain;
pub mod generate;
pub mod maintain;
pub mod migrate;
pub mod offsets;
pub mod publisher;
pub mod replay;
pub mod resubmit;
pub mod rules;
pub mod run;
pub mod verify;
