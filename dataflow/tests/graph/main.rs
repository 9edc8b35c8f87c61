//! The graph against an independent, naive recomputation: every view, at every closed frontier.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod case;
mod compare;
mod cut;
mod decoding;
mod dice;
mod examples;
mod generator;
mod payload;
mod properties;
mod resumed;
mod run;
mod shrink;
mod silver;
mod tables;
