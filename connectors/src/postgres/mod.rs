//! PostgreSQL: connections, migrations, binary COPY, the group-commit thread, and a private server.
//!
//! ```text
//!  worker ── submit(frontier, batch) ──> Committer ── one transaction ──> PostgreSQL
//!     ^                                     │  (all batches queued meanwhile, merged)
//!     └──── durable frontier, notices ──────┘
//! ```
//!
//! Everything here is synchronous: the committer is a thread of its own, so a dataflow worker never waits for
//! the database. Errors are [`PostgresError`]: each says whether a retry helps and, if not, who can fix it.

mod columns;
pub mod committer;
mod connect;
pub mod copy;
mod error;
mod fields;
mod instant;
pub mod migrate;
mod numeric;
pub mod private;
mod settings;
mod tls;
mod transport;

pub use columns::{Column, Columns};
pub use committer::{Batch, Committer, CommitterOptions, Notice, Writer, Written};
pub use connect::connect;
pub use copy::CopyRows;
pub use error::{ErrorClass, PostgresError};
pub use fields::Fields;
pub use instant::Instant;
pub use migrate::{Migration, migrate};
pub use private::{PrivateOptions, PrivatePostgres};
pub use settings::{PostgresSettings, TlsMode};
