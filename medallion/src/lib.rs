//! The medallion in PostgreSQL: writes the changes of views to tables, reads state back, and checks the
//! result.
//!
//! ```text
//! ViewChange ─ push ─> Changes ──────────── Committer ───────────> Medallion ──> one transaction
//!                      merged by key,       (connectors)           COPY of new rows, unnest for the rest,
//!                      bronze encoded                              dimension keys, the progress row
//! ```
//!
//! Law: at every committed frontier the tables are the sum of all changes before it, and
//! `streamflow.progress` holds that frontier. Errors are [`PostgresError`]: the server's and the
//! connection's, plus [`PostgresError::Fenced`] once a newer worker holds the lease.
//!
//! [`PostgresError`]: streamflow_connectors::postgres::PostgresError
//! [`PostgresError::Fenced`]: streamflow_connectors::postgres::PostgresError::Fenced

pub mod answers;
mod changes;
mod copy_out;
mod encoding;
pub mod erasure;
pub mod hydration;
mod keys;
mod lease;
mod medallion;
mod migrations;
pub mod outbox;
mod output;
mod progress;
mod skipped;
pub mod tables;
mod topics;
mod versions;

pub use changes::Changes;
pub use medallion::Medallion;
pub use migrations::migrations;
pub use progress::{ByPartition, Progress};
pub use skipped::{Gap, Skipped};
pub use topics::Topics;
