//! What can go wrong with PostgreSQL, who can fix it, and whether trying again helps.

use std::error::Error as _;
use std::io;

use postgres::error::{DbError, SqlState};
use thiserror::Error;

/// What an error calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The same work may succeed when tried again: the server or the network recovers by itself.
    Transient,
    /// Whoever configures and deploys this program has to fix the cause.
    User,
    /// This program is wrong.
    Defect,
}

/// An error of the PostgreSQL connector. Holds text only, so it can be cloned and shown to several readers.
#[derive(Debug, Clone, Error)]
pub enum PostgresError {
    /// A setting is missing, contradictory or out of range. The user fixes it; no retry.
    #[error("postgres setting `{key}`: {problem}")]
    Settings {
        /// The key as written in the configuration.
        key: &'static str,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// No connection, or it broke. It recovers by itself; retry on a new connection.
    #[error("postgres unavailable while {doing}: {problem}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// The causes, outermost first.
        problem: String,
    },
    /// Another transaction got in the way (serialization failure, deadlock). Retry on the same connection.
    #[error("postgres conflict while {doing}: {problem}")]
    Conflict {
        /// What was being done.
        doing: &'static str,
        /// The server's words.
        problem: String,
    },
    /// The server understood and refused. No retry; [`PostgresError::class`] tells the user's mistakes from
    /// defects.
    #[error("postgres refused while {doing}: {problem}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// The server's words, with its SQLSTATE.
        problem: String,
        /// The SQLSTATE, where the server gave one.
        code: Option<SqlState>,
    },
    /// Rows for COPY do not have the shape they promised. A defect; no retry.
    #[error("rows for binary COPY: {0}")]
    Rows(String),
    /// The migrations of this binary and of the database do not fit. The user fixes it; no retry.
    #[error("migrations: {0}")]
    Migrations(String),
    /// The database moved under this process: another one has taken over or an older state was restored.
    /// The user fixes it by a restart; going on would write rows twice or lose them, so no retry.
    #[error("postgres is not where this process left it: {0}")]
    Fenced(String),
    /// Frontiers were submitted out of order. A defect; no retry.
    #[error("frontier {submitted} submitted after frontier {last}")]
    FrontierOrder {
        /// The offending frontier.
        submitted: u64,
        /// The one before it.
        last: u64,
    },
    /// The committer's thread is gone. A defect; no retry.
    #[error("the committer stopped: {0}")]
    Stopped(&'static str),
    /// A private server could not be set up or run. The user fixes it; no retry.
    #[error("private postgres, {doing}: {problem}")]
    Server {
        /// What was being done.
        doing: &'static str,
        /// The cause, with the end of the server's log where it helps.
        problem: String,
    },
}

impl PostgresError {
    /// Wraps a driver error with what was being done, as a phrase that follows "while".
    #[must_use]
    pub fn during(doing: &'static str, error: &postgres::Error) -> Self {
        match error.as_db_error() {
            Some(refusal) => Self::from_server(doing, refusal),
            None if connection_is_gone(error) => Self::Unavailable { doing, problem: causes(error) },
            None => Self::Refused { doing, problem: causes(error), code: None },
        }
    }

    /// Like [`PostgresError::during`], for the I/O errors behind which COPY writers hide the driver's.
    pub(crate) fn during_io(doing: &'static str, error: io::Error) -> Self {
        match error.downcast::<postgres::Error>() {
            Ok(inner) => Self::during(doing, &inner),
            Err(other) => Self::Unavailable { doing, problem: other.to_string() },
        }
    }

    fn from_server(doing: &'static str, refusal: &DbError) -> Self {
        let problem = describe(refusal);
        let code = refusal.code();
        let from_pooler = *code == SqlState::PROTOCOL_VIOLATION && refusal.severity() == "FATAL";
        if from_pooler && POOLERS_REFUSALS.iter().any(|words| problem.contains(words)) {
            Self::Refused { doing, problem, code: None }
        } else if from_pooler || is_outage(code) {
            Self::Unavailable { doing, problem }
        } else if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
            Self::Conflict { doing, problem }
        } else {
            Self::Refused { doing, problem, code: Some(code.clone()) }
        }
    }

    /// Whether the same work may succeed when tried again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.class() == ErrorClass::Transient
    }

    /// Whether to retry, and if not, who can fix the cause.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unavailable { .. } | Self::Conflict { .. } => ErrorClass::Transient,
            Self::Settings { .. }
            | Self::Migrations(_)
            | Self::Fenced(_)
            | Self::Server { .. }
            | Self::Refused { code: None, .. } => ErrorClass::User,
            Self::Refused { code: Some(code), .. } if is_users_mistake(code) => ErrorClass::User,
            Self::Refused { .. } | Self::Rows(_) | Self::FrontierOrder { .. } | Self::Stopped(_) => {
                ErrorClass::Defect
            }
        }
    }

    /// The server's SQLSTATE of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Refused { code, .. } => code.as_ref(),
            _ => None,
        }
    }
}

impl From<postgres::Error> for PostgresError {
    fn from(error: postgres::Error) -> Self {
        Self::during("executing a statement", &error)
    }
}

/// A pooler has one SQLSTATE for all that it says itself before it ends a session, that of bad data. Most of it is that
/// it has no server; these parts of its messages mean that it will never let this client in.
const POOLERS_REFUSALS: [&str; 4] =
    ["authentication failed", "no such database", "no such user", "unsupported startup parameter"];

/// The server went away, is not ready, or is short of something (connections, disk) that comes back.
fn is_outage(code: &SqlState) -> bool {
    const SHUTDOWN_OR_TIMEOUT: [SqlState; 7] = [
        // After a failover the address leads to a standby for a while.
        SqlState::READ_ONLY_SQL_TRANSACTION,
        // A statement over its time limit: the server is slow, or somebody cancelled it.
        SqlState::QUERY_CANCELED,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_SESSION_TIMEOUT,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    // In the class of connection errors this one alone means bad data: it would come again for ever.
    if *code == SqlState::PROTOCOL_VIOLATION {
        return false;
    }
    matches!(code.code().get(..2), Some("08" | "53")) || SHUTDOWN_OR_TIMEOUT.contains(code)
}

/// Credentials, rights, names in the configuration and operator actions; the rest is this program's SQL or
/// data.
fn is_users_mistake(code: &SqlState) -> bool {
    matches!(code.code().get(..2), Some("28" | "3D" | "57"))
        || *code == SqlState::INSUFFICIENT_PRIVILEGE
        || *code == SqlState::UNDEFINED_TABLE
}

/// Driver errors without an answer from the server: all but encoding, parsing and certificate faults mean
/// that there is no connection (any more).
fn connection_is_gone(error: &postgres::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, PermissionDenied, Unsupported};
    if error.is_closed() {
        return true;
    }
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|io| !matches!(io.kind(), InvalidData | InvalidInput | PermissionDenied | Unsupported))
}

/// The server's message with what locates it. The detail line is left out: it quotes the row's data.
fn describe(refusal: &DbError) -> String {
    let mut text = format!("{} (SQLSTATE {})", refusal.message(), refusal.code().code());
    for (label, value) in [
        ("table", refusal.table()),
        ("constraint", refusal.constraint()),
        ("hint", refusal.hint()),
        ("context", refusal.where_()),
    ] {
        if let Some(value) = value {
            text.push_str(&format!("; {label}: {value}"));
        }
    }
    text
}

fn causes(error: &postgres::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}
