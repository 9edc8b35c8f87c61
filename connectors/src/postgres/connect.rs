//! Making a connection.

use postgres::{Client, NoTls};

use super::error::PostgresError;
use super::settings::{PostgresSettings, TlsMode, is_socket};
use super::tls;

/// What connecting is called in messages.
const CONNECTING: &str = "connecting";

/// Connects once; the caller decides about retries (see [`PostgresError::is_retryable`]).
///
/// # Errors
/// [`PostgresError::Settings`] for bad settings, secrets or certificates to trust;
/// [`PostgresError::Unavailable`] when nobody answers; [`PostgresError::Refused`] when the server, or the
/// check of its certificate, says no.
pub fn connect(settings: &PostgresSettings) -> Result<Client, PostgresError> {
    let mut config = settings.to_config()?;
    config.notice_callback(|notice| {
        tracing::debug!(severity = notice.severity(), "{}", notice.message());
    });
    let client = match settings.tls {
        TlsMode::Disable => config.connect(NoTls),
        TlsMode::Require => config.connect(tls::trusting()?),
        TlsMode::VerifyFull => config.connect(tls::verifying(settings.tls_ca_file.as_deref())?),
    };
    client.map_err(|error| explain(settings, &error))
}

fn explain(settings: &PostgresSettings, error: &postgres::Error) -> PostgresError {
    match PostgresError::during(CONNECTING, error) {
        // Only standbys answered: wait until one is promoted.
        PostgresError::Refused { problem, code: None, .. } if problem.contains("does not allow writes") => {
            PostgresError::Unavailable {
                doing: CONNECTING,
                problem: format!("{problem} ({})", address(settings)),
            }
        }
        PostgresError::Unavailable { doing, problem } => {
            PostgresError::Unavailable { doing, problem: format!("{problem} ({})", address(settings)) }
        }
        PostgresError::Refused { doing, problem, code } => {
            PostgresError::Refused { doing, problem: format!("{problem} ({})", address(settings)), code }
        }
        other => other,
    }
}

fn address(settings: &PostgresSettings) -> String {
    let PostgresSettings { hosts, port, database, user, .. } = settings;
    match hosts.as_slice() {
        [host] if is_socket(host) => format!("{user}@{host}/.s.PGSQL.{port}, database {database}"),
        hosts => format!("{user}@{}:{port}, database {database}", hosts.join(",")),
    }
}
