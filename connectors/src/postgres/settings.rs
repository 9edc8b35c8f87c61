//! Where the database is and how to talk to it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use postgres::Config;
use postgres::config::TargetSessionAttrs;
use serde::Deserialize;

use super::error::PostgresError;
use crate::password::read_password;

/// How long an unanswered packet or keepalive may stand before the connection counts as broken.
const DEAD_PEER: Duration = Duration::from_secs(30);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 4;
/// The server cuts longer names.
const NAME_LIMIT: usize = 63;

/// Whether the connection is encrypted and whom it trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Plain text. For unix sockets and trusted networks.
    #[default]
    Disable,
    /// Encrypted, but any certificate is accepted: keeps listeners out, not impostors.
    Require,
    /// Encrypted; the certificate must come from `tls_ca_file`, whatever name it is issued for.
    VerifyCa,
    /// Encrypted; the certificate must come from `tls_ca_file` and be issued for the host's name.
    VerifyFull,
}

impl fmt::Display for TlsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disable => "disable",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        })
    }
}

/// Connection settings. They name where the password is and never hold it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PostgresSettings {
    /// Host names or addresses tried in turn, the first that accepts writes wins; or one directory with
    /// the server's unix socket.
    pub hosts: Vec<String>,
    /// TCP port, also part of the unix socket's name.
    pub port: u16,
    /// Database name.
    pub database: String,
    /// Role to log in as.
    pub user: String,
    /// Environment variable that holds the password.
    pub password_env: Option<String>,
    /// File that holds the password; one newline at its end is ignored.
    pub password_file: Option<PathBuf>,
    /// Encryption and verification.
    pub tls: TlsMode,
    /// PEM file with the certificates to trust; with `tls: verify-ca` and `verify-full` only.
    pub tls_ca_file: Option<PathBuf>,
    /// PEM file with this client's certificate and those between it and an authority that the server trusts.
    pub tls_cert_file: Option<PathBuf>,
    /// PEM file with the key to it, not encrypted.
    pub tls_key_file: Option<PathBuf>,
    /// Shown in `pg_stat_activity`.
    pub application_name: String,
    /// Limit for each address to make a connection of, with TLS and the login, ms.
    pub connect_timeout_ms: u64,
    /// Limit for one statement, ms; 0 = none.
    pub statement_timeout_ms: u64,
    /// How long the server keeps the transaction of a client that fell silent, ms; 0 = for ever. Bounds
    /// how long a process that lost its network can hold back its successor; keep it below
    /// `statement_timeout_ms`, within which the successor waits.
    pub idle_in_transaction_timeout_ms: u64,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            hosts: vec!["localhost".to_owned()],
            port: 5432,
            database: "streamflow".to_owned(),
            user: "streamflow".to_owned(),
            password_env: None,
            password_file: None,
            tls: TlsMode::Disable,
            tls_ca_file: None,
            tls_cert_file: None,
            tls_key_file: None,
            application_name: "streamflow".to_owned(),
            connect_timeout_ms: 10_000,
            statement_timeout_ms: 60_000,
            idle_in_transaction_timeout_ms: 30_000,
        }
    }
}

impl PostgresSettings {
    /// Checks what can be checked without a server.
    ///
    /// # Errors
    /// [`PostgresError::Settings`] naming the key, its value and what is allowed.
    pub fn check(&self) -> Result<(), PostgresError> {
        self.check_hosts()?;
        self.check_secrets()?;
        for (key, name) in
            [("database", &self.database), ("user", &self.user), ("application_name", &self.application_name)]
        {
            if name.is_empty() || name.len() > NAME_LIMIT || name.contains('\0') {
                return Err(problem(key, format!("`{name}` must have 1 to {NAME_LIMIT} bytes")));
            }
        }
        if self.port == 0 {
            return Err(problem("port", "0 is not allowed (1 to 65535)"));
        }
        if self.connect_timeout_ms == 0 {
            return Err(problem("connect_timeout_ms", "0 is not allowed"));
        }
        for (key, ms) in [
            ("statement_timeout_ms", self.statement_timeout_ms),
            ("idle_in_transaction_timeout_ms", self.idle_in_transaction_timeout_ms),
        ] {
            if i32::try_from(ms).is_err() {
                return Err(problem(key, format!("{ms} exceeds {}", i32::MAX)));
            }
        }
        Ok(())
    }

    fn check_hosts(&self) -> Result<(), PostgresError> {
        if self.hosts.is_empty() || self.hosts.iter().any(String::is_empty) {
            return Err(problem("hosts", "at least one host is needed, none empty"));
        }
        // Not shown: it may have a password.
        if self.hosts.iter().any(|host| host.contains('@') || host.contains("://")) {
            return Err(problem("hosts", "a host is a name or an address, not a URL and not user@host"));
        }
        let sockets = self.hosts.iter().filter(|host| is_socket(host)).count();
        if sockets > 0 && self.hosts.len() > 1 {
            return Err(problem("hosts", "a unix socket directory must stand alone"));
        }
        if sockets > 0 && self.tls != TlsMode::Disable {
            let text = format!("`{}` is not possible over a unix socket", self.tls);
            return Err(problem("tls", text));
        }
        Ok(())
    }

    fn check_secrets(&self) -> Result<(), PostgresError> {
        if self.password_env.is_some() && self.password_file.is_some() {
            return Err(problem("password_file", "give either password_env or password_file"));
        }
        let verifies = matches!(self.tls, TlsMode::VerifyCa | TlsMode::VerifyFull);
        if verifies && self.tls_ca_file.is_none() {
            return Err(problem("tls_ca_file", format!("needed with `tls: {}`", self.tls)));
        }
        if !verifies && self.tls_ca_file.is_some() {
            let text = format!("has no effect with `tls: {}`; use verify-full or verify-ca", self.tls);
            return Err(problem("tls_ca_file", text));
        }
        if self.tls_cert_file.is_some() != self.tls_key_file.is_some() {
            return Err(problem("tls_key_file", "give both tls_cert_file and tls_key_file, or neither"));
        }
        if self.tls_cert_file.is_some() && self.tls == TlsMode::Disable {
            return Err(problem("tls_cert_file", "has no effect with `tls: disable`"));
        }
        Ok(())
    }

    /// The driver's configuration but for host and TLS, with the password as it is now.
    pub(super) fn to_config(&self) -> Result<Config, PostgresError> {
        self.check()?;
        let mut config = Config::new();
        config
            .port(self.port)
            .dbname(&self.database)
            .user(&self.user)
            .application_name(&self.application_name)
            .connect_timeout(Duration::from_millis(self.connect_timeout_ms))
            .tcp_user_timeout(DEAD_PEER)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES);
        if self.hosts.len() > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if let Some(password) = self.password()? {
            config.password(password);
        }
        Ok(config)
    }

    /// The statements with which a session begins.
    pub(super) fn session(&self) -> String {
        let Self { statement_timeout_ms, idle_in_transaction_timeout_ms, .. } = self;
        format!(
            "SET statement_timeout = {statement_timeout_ms}; \
             SET idle_in_transaction_session_timeout = {idle_in_transaction_timeout_ms}"
        )
    }

    fn password(&self) -> Result<Option<String>, PostgresError> {
        read_password(self.password_env.as_deref(), self.password_file.as_deref())
            .map_err(|(key, what)| problem(key, what))
    }
}

/// A host that is a directory holds the server's unix socket.
pub(super) fn is_socket(host: &str) -> bool {
    host.starts_with('/')
}

fn problem(key: &'static str, problem: impl Into<String>) -> PostgresError {
    PostgresError::Settings { key, problem: problem.into() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refused(json: &str) -> String {
        match serde_json::from_str::<PostgresSettings>(json) {
            Ok(settings) => settings.check().unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn defaults_and_every_mode_are_fine() {
        serde_json::from_str::<PostgresSettings>("{}").unwrap().check().unwrap();
        for json in [
            r#"{"hosts": ["/run/postgresql"], "password_env": "PGPASSWORD"}"#,
            r#"{"hosts": ["a", "b"], "tls": "require", "password_file": "/run/secret"}"#,
            r#"{"tls": "verify-full", "tls_ca_file": "/ca.pem", "statement_timeout_ms": 0}"#,
            r#"{"tls": "verify-ca", "tls_ca_file": "/ca.pem", "tls_cert_file": "/c", "tls_key_file": "/k"}"#,
        ] {
            let settings: PostgresSettings = serde_json::from_str(json).unwrap();
            settings.check().unwrap();
        }
    }

    #[test]
    fn refusals_name_the_key() {
        for (json, words) in [
            (r#"{"host": "a"}"#, "unknown field `host`"),
            (r#"{"tls": "prefer"}"#, "expected one of `disable`"),
            (r#"{"hosts": []}"#, "`hosts`"),
            (r#"{"hosts": ["/a", "b"]}"#, "must stand alone"),
            (r#"{"hosts": ["/a"], "tls": "require"}"#, "`tls`"),
            (r#"{"tls": "verify-full"}"#, "`tls_ca_file`: needed"),
            (r#"{"tls": "verify-ca"}"#, "`tls_ca_file`: needed"),
            (r#"{"tls": "require", "tls_ca_file": "/x"}"#, "has no effect"),
            (r#"{"tls": "require", "tls_cert_file": "/x"}"#, "`tls_key_file`: give both"),
            (r#"{"tls_cert_file": "/x", "tls_key_file": "/x"}"#, "`tls_cert_file`: has no effect"),
            (r#"{"password_env": "A", "password_file": "/b"}"#, "either"),
            (r#"{"user": ""}"#, "`user`"),
            (r#"{"port": 0}"#, "`port`"),
            (r#"{"connect_timeout_ms": 0}"#, "`connect_timeout_ms`"),
            (r#"{"statement_timeout_ms": 9999999999}"#, "exceeds"),
        ] {
            let text = refused(json);
            assert!(text.contains(words), "{json}: {text}");
        }
    }

    #[test]
    fn the_password_is_read_from_its_file_and_shown_nowhere() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret \n").unwrap();
        let settings =
            PostgresSettings { password_file: Some(file.path().to_owned()), ..PostgresSettings::default() };
        assert_eq!(settings.password().unwrap().unwrap(), "s3cret ");
        assert!(!format!("{settings:?}").contains("s3cret"));
        let config = settings.to_config().unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
        let missing = PostgresSettings {
            password_env: Some("STREAMFLOW_NO_SUCH_VARIABLE".to_owned()),
            ..PostgresSettings::default()
        };
        let text = missing.password().unwrap_err().to_string();
        assert!(text.contains("STREAMFLOW_NO_SUCH_VARIABLE"), "{text}");
    }
}
