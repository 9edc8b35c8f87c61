//! Making a connection.

use std::net::{IpAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use postgres::config::{SslMode, SslNegotiation};
use postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::PostgresError;
use super::settings::{PostgresSettings, is_socket};
use super::tls;
use super::transport::{Deadline, Transport};

/// What connecting is called in messages.
const CONNECTING: &str = "connecting";

/// Connects once, to the first address that takes the session; the caller decides about retries (see
/// [`PostgresError::is_retryable`]). Each address has `connect_timeout_ms` for all of it: the connection, TLS, and
/// the login. Over a unix socket that bounds the connection alone.
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
    match settings.hosts.as_slice() {
        [directory] if is_socket(directory) => {
            let session = config.host(directory).ssl_mode(SslMode::Disable).connect(NoTls);
            begin(settings, session).map_err(|error| explain(settings, error))
        }
        hosts => {
            let tls = tls::connector(settings)?;
            // For the driver every transport of ours is TLS, negotiated by ourselves.
            config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
            let connector = Connector { settings, config, tls };
            connector.connect(hosts).map_err(|error| explain(settings, error))
        }
    }
}

/// Connects over TCP.
struct Connector<'a> {
    settings: &'a PostgresSettings,
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Connector<'_> {
    /// A session with the first of the hosts that takes it, or the last refusal.
    fn connect(&self, hosts: &[String]) -> Result<Client, PostgresError> {
        let mut refusal = None;
        for host in hosts {
            match addresses(host, self.settings.port) {
                Ok(addresses) => {
                    for address in addresses {
                        match self.attempt(host, address) {
                            Ok(client) => return Ok(client),
                            Err(error) => refusal = Some(error),
                        }
                    }
                }
                Err(error) => refusal = Some(error),
            }
        }
        Err(refusal.unwrap_or_else(|| unavailable("the host has no address".to_owned())))
    }

    fn attempt(&self, host: &str, address: IpAddr) -> Result<Client, PostgresError> {
        let ms = self.settings.connect_timeout_ms;
        let deadline = Deadline::at(Instant::now() + Duration::from_millis(ms));
        let transport = Transport { tls: self.tls.clone(), deadline: deadline.clone() };
        let session = self.config.clone().host(host).hostaddr(address).connect(transport);
        match begin(self.settings, session) {
            Ok(client) => {
                deadline.meet();
                Ok(client)
            }
            Err(_) if deadline.is_missed() => Err(unavailable(format!(
                "the server accepts the connection, but says nothing within {ms} ms"
            ))),
            Err(error) => Err(error),
        }
    }
}

/// The addresses of a host, in the order in which they are to be tried.
fn addresses(host: &str, port: u16) -> Result<Vec<IpAddr>, PostgresError> {
    let found = (host, port).to_socket_addrs();
    let found = found.map_err(|error| unavailable(format!("cannot look up `{host}`: {error}")))?;
    Ok(found.map(|address| address.ip()).collect())
}

/// Sets what a session needs. Not in its start-up packet: poolers refuse what they do not know there.
fn begin(
    settings: &PostgresSettings,
    session: Result<Client, postgres::Error>,
) -> Result<Client, PostgresError> {
    let during = |error: postgres::Error| PostgresError::during(CONNECTING, &error);
    let mut client = session.map_err(during)?;
    client.batch_execute(&settings.session()).map_err(during)?;
    Ok(client)
}

fn unavailable(problem: String) -> PostgresError {
    PostgresError::Unavailable { doing: CONNECTING, problem }
}

fn explain(settings: &PostgresSettings, error: PostgresError) -> PostgresError {
    let at = address(settings);
    match error {
        // Only standbys answered: wait until one is promoted.
        PostgresError::Refused { problem, code: None, .. } if problem.contains("does not allow writes") => {
            unavailable(format!("{problem} ({at})"))
        }
        PostgresError::Unavailable { doing, problem } => {
            PostgresError::Unavailable { doing, problem: format!("{problem} ({at})") }
        }
        PostgresError::Refused { doing, problem, code } => {
            PostgresError::Refused { doing, problem: format!("{problem} ({at})"), code }
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
