//! What `streamflow bench` measures, and how it is reported.

pub mod report;
