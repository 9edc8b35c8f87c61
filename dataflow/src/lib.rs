//! The dataflow of StreamFlow: the graph that scores transactions and maintains every view.
//!
//! It does no input or output: [`graph::build`] turns streams of records into streams of changes.

pub mod admission;
pub mod admitted_event;
pub mod alerts;
pub mod amendments;
pub mod changes;
pub mod controls;
pub mod decode;
pub mod detectors;
pub mod dimensions;
pub mod graph;
pub mod history;
pub mod identity;
pub mod inputs;
pub mod operators;
mod partitions;
pub mod resume;
pub mod roster;
pub mod rules;
pub mod score;
pub mod settings;
pub mod tally;
pub mod views;
