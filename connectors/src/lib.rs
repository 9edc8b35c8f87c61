//! Sources and sinks: Kafka, PostgreSQL and files. Knows records and rows, nothing of fraud.

pub mod backoff;
pub mod certificates;
pub mod file;
pub mod kafka;
pub mod outage;
pub mod password;
pub mod postgres;
mod repeats;
pub mod source;
