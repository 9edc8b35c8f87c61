//! A PostgreSQL of one's own: in a temporary directory, gone when its owner is.
//!
//! ```text
//! /tmp/streamflow-pg-XXXXXX/   0700, owned by the server's account
//!   data/                      the cluster
//!   password                   of the TCP role, if TCP is on (0600)
//!   server.log
//!   .s.PGSQL.<port>            the socket; who can enter the directory is trusted
//! ```
//!
//! The server never runs as root: started by root it runs as `postgres`, or else `nobody`. A small watching
//! process removes server and directory when the owner ends, by whatever death.

mod install;
mod watcher;

use std::fs::{self, File, Permissions};
use std::io;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::connect::connect;
use super::error::PostgresError;
use super::settings::PostgresSettings;
use install::{Account, Install};
use watcher::Watcher;

const NAME: &str = "streamflow";
const LOOPBACK: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 5432;
/// Longest path of a unix socket, in bytes.
const SOCKET_PATH_LIMIT: usize = 107;
/// Ample for crash recovery of what fits between two checkpoints.
const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
/// How much of the log an error quotes.
const LOG_TAIL_LINES: usize = 5;

/// How the private server is set up.
#[derive(Debug, Clone, Default)]
pub struct PrivateOptions {
    /// Wait for the disk at each commit. Without it commits survive the death of any process, but not of
    /// the machine.
    pub durable: bool,
    /// Listen on a free port of 127.0.0.1 as well, with a generated password.
    pub tcp: bool,
    /// Further server parameters, name and value; they win over the defaults.
    pub parameters: Vec<(String, String)>,
}

/// A running (or stopped) private server. Dropping it removes everything.
#[derive(Debug)]
pub struct PrivatePostgres {
    install: Install,
    directory: PathBuf,
    port: u16,
    tcp: bool,
    server: Option<Child>,
    watcher: Watcher,
}

impl PrivatePostgres {
    /// Sets up a cluster with a database and superuser `streamflow` and starts it; about a second.
    ///
    /// # Errors
    /// [`PostgresError::Server`]: no PostgreSQL installed, or it does not start (the message quotes its log).
    pub fn start(options: &PrivateOptions) -> Result<Self, PostgresError> {
        let install = Install::find()?;
        let account = install.account();
        let temporary = temporary_directory().map_err(failed("creating its directory"))?;
        let directory = temporary.path().to_owned();
        give(&directory, account).map_err(failed("handing over its directory"))?;
        let watcher = Watcher::start(&directory).map_err(failed("starting its watcher"))?;
        // From here on the watcher cleans up.
        let directory = temporary.keep();
        let port =
            if options.tcp { free_port().map_err(failed("finding a free port"))? } else { DEFAULT_PORT };
        write_password(&directory, account).map_err(failed("writing the password"))?;
        let mut this = Self { install, directory, port, tcp: options.tcp, server: None, watcher };
        this.initialize()?;
        this.configure(options).map_err(failed("writing its configuration"))?;
        this.launch("template1")?;
        let mut client = connect(&this.settings_for("template1"))?;
        client.batch_execute(&format!("CREATE DATABASE {NAME}"))?;
        Ok(this)
    }

    /// Settings to connect over the unix socket.
    #[must_use]
    pub fn settings(&self) -> PostgresSettings {
        self.settings_for(NAME)
    }

    /// Settings to connect over TCP, if it is on.
    #[must_use]
    pub fn tcp_settings(&self) -> Option<PostgresSettings> {
        self.tcp.then(|| PostgresSettings {
            hosts: vec![LOOPBACK.to_owned()],
            password_file: Some(self.directory.join("password")),
            ..self.settings()
        })
    }

    /// A command that opens a session, to be pasted into a shell.
    #[must_use]
    pub fn psql_command(&self) -> String {
        format!(
            "{} -h {} -p {} -U {NAME} -d {NAME}",
            self.install.psql(),
            self.directory.display(),
            self.port
        )
    }

    /// Where cluster, socket and log are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether the server's process runs.
    pub fn is_running(&mut self) -> bool {
        match &mut self.server {
            Some(server) => matches!(server.try_wait(), Ok(None)),
            None => false,
        }
    }

    /// Shuts the server down in order: sessions are cut, a checkpoint is written.
    ///
    /// # Errors
    /// [`PostgresError::Server`] when it does not end within a minute.
    pub fn stop(&mut self) -> Result<(), PostgresError> {
        self.end("INT")
    }

    /// Kills the server with SIGKILL and waits until its sessions' processes are gone too.
    ///
    /// # Errors
    /// [`PostgresError::Server`] when they do not end within a minute.
    pub fn kill(&mut self) -> Result<(), PostgresError> {
        if let Some(mut server) = self.server.take() {
            server.kill().and_then(|()| server.wait()).map_err(failed("killing the server"))?;
        }
        let data = self.data();
        let deadline = Instant::now() + STOP_LIMIT;
        while install::runs_in(&data) {
            wait_until(deadline, "waiting for orphaned sessions")?;
        }
        Ok(())
    }

    /// Stops the server if it runs and starts it again on the same data, socket and port.
    ///
    /// # Errors
    /// [`PostgresError::Server`] as for start and stop.
    pub fn restart(&mut self) -> Result<(), PostgresError> {
        self.stop()?;
        self.launch(NAME)
    }

    fn settings_for(&self, database: &str) -> PostgresSettings {
        PostgresSettings {
            hosts: vec![self.directory.display().to_string()],
            port: self.port,
            database: database.to_owned(),
            user: NAME.to_owned(),
            ..PostgresSettings::default()
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.join("server.log")
    }

    fn initialize(&self) -> Result<(), PostgresError> {
        let output = self
            .install
            .command("initdb", &self.directory)
            .arg("--pgdata")
            .arg(self.data())
            .arg("--pwfile")
            .arg(self.directory.join("password"))
            .args(["--username", NAME, "--encoding=UTF8", "--locale=C"])
            .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
            .args(["--no-sync", "--no-instructions"])
            .output()
            .map_err(failed("running initdb"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(PostgresError::Server {
            doing: "running initdb",
            problem: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    fn configure(&self, options: &PrivateOptions) -> io::Result<()> {
        let switch = |on: bool| if on { "on" } else { "off" };
        let port = self.port.to_string();
        let directory = self.directory.display().to_string();
        let defaults = [
            ("listen_addresses", if self.tcp { LOOPBACK } else { "" }),
            ("port", &port),
            ("unix_socket_directories", &directory),
            ("fsync", switch(options.durable)),
            ("full_page_writes", switch(options.durable)),
            ("shared_buffers", "256MB"),
            // Few checkpoints: each makes the next change of every page log the whole page.
            ("max_wal_size", "4GB"),
            ("checkpoint_timeout", "30min"),
            ("wal_compression", "off"),
            ("jit", "off"),
            ("logging_collector", "off"),
            ("log_timezone", "UTC"),
            ("timezone", "UTC"),
        ];
        let own = options.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut text = String::new();
        for (name, value) in defaults.into_iter().chain(own) {
            text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        }
        // The file stays the server account's own.
        fs::write(self.data().join("postgresql.conf"), text)
    }

    /// Starts the server and waits until `database` accepts connections.
    fn launch(&mut self, database: &str) -> Result<(), PostgresError> {
        let log =
            File::options().create(true).append(true).open(self.log()).map_err(failed("opening its log"))?;
        let errors = log.try_clone().map_err(failed("opening its log"))?;
        let mut server = self
            .install
            .command("postgres", &self.directory)
            .arg("-D")
            .arg(self.data())
            // Away from the terminal's Ctrl-C, which is the owner's to handle.
            .process_group(0)
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(errors))
            .spawn()
            .map_err(failed("starting the server"))?;
        let settings = self.settings_for(database);
        let deadline = Instant::now() + START_LIMIT;
        let outcome = loop {
            if let Ok(Some(status)) = server.try_wait() {
                let problem = format!("{status}\n{}", log_tail(&self.log()));
                let doing = "starting the server";
                return Err(PostgresError::Server { doing, problem });
            }
            match connect(&settings) {
                Ok(_) => break Ok(()),
                Err(error) if !error.is_retryable() => break Err(error),
                Err(_) => {}
            }
            if let Err(late) = wait_until(deadline, "waiting for the server") {
                break Err(late);
            }
        };
        self.server = Some(server);
        outcome
    }

    fn end(&mut self, signal: &str) -> Result<(), PostgresError> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        let deadline = Instant::now() + STOP_LIMIT;
        // Its number may be another's once it has ended.
        if matches!(server.try_wait(), Ok(None)) {
            send(signal, server.id()).map_err(failed("stopping the server"))?;
        }
        while matches!(server.try_wait(), Ok(None)) {
            if let Err(late) = wait_until(deadline, "stopping the server") {
                self.server = Some(server);
                return Err(late);
            }
        }
        Ok(())
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        // Nothing is kept, so the quickest way will do. What this misses the watcher ends.
        if let Err(error) = self.end("QUIT") {
            tracing::warn!(%error, "left to its watcher");
        }
        self.watcher.finish();
    }
}

fn temporary_directory() -> io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("streamflow-pg-").permissions(Permissions::from_mode(0o700));
    let directory = builder.tempdir()?;
    let longest = directory.path().join(".s.PGSQL.65535");
    if longest.as_os_str().as_bytes().len() <= SOCKET_PATH_LIMIT {
        Ok(directory)
    } else {
        builder.tempdir_in("/tmp")
    }
}

fn give(path: &Path, account: Option<Account>) -> io::Result<()> {
    match account {
        Some(Account { uid, gid }) => chown(path, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

fn write_password(directory: &Path, account: Option<Account>) -> io::Result<()> {
    let path = directory.join("password");
    let password = rand::random::<u128>();
    fs::write(&path, format!("{password:032x}\n"))?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    give(&path, account)
}

/// Free now; nobody is likely to take it before the server does.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((LOOPBACK, 0))?.local_addr()?.port())
}

/// By the shell's own `kill`, which is always there.
fn send(signal: &str, process: u32) -> io::Result<()> {
    let process = process.to_string();
    Command::new("/bin/sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", signal, &process])
        .stdin(Stdio::null())
        .status()?;
    Ok(())
}

fn wait_until(deadline: Instant, doing: &'static str) -> Result<(), PostgresError> {
    if Instant::now() >= deadline {
        let problem = "it takes too long".to_owned();
        return Err(PostgresError::Server { doing, problem });
    }
    sleep(POLL);
    Ok(())
}

fn log_tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LOG_TAIL_LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> PostgresError {
    move |error| PostgresError::Server { doing, problem: error.to_string() }
}
