//! What `streamflow bench` measures with, and how it is reported. Nothing of the product is run here.
//!
//! ```text
//! Schedule ── when each event is due ──> whoever sends
//!                    └──> Recorder: how long after that something happened ──> Latency ─┐
//! backlog over time ──> trend: does it grow?                                            ├─> Report, table
//! Usage: a process's time and memory ──> Figure ────────────────────────────────────────┘
//! kafka: an Apache Kafka of one's own
//! ```

pub mod kafka;
pub mod latency;
pub mod machine;
pub mod process;
pub mod report;
pub mod schedule;
pub mod table;
pub mod trend;
pub mod usage;
