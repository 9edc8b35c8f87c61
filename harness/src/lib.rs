//! What `streamflow bench` measures with, and how it is reported and compared. Nothing of the product is run
//! here.
//!
//! ```text
//! Schedule ── when each event is due ──> whoever sends
//!                    └──> Recorder: how long after that something happened ──> Latency ─┐
//! backlog over time ──> trend: does it grow?                                            ├─> Report, table
//! Usage: a process's time and memory ──> Figure ────────────────────────────────────────┘
//! two Reports ──> compare ──> a table, or a picture (plot)
//! kafka: an Apache Kafka of one's own
//! ```

pub mod compare;
pub mod kafka;
pub mod latency;
pub mod machine;
pub mod plot;
pub mod process;
pub mod report;
pub mod schedule;
pub mod table;
pub mod trend;
pub mod usage;
