//! The installed PostgreSQL, and the account it may run under.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::postgres::error::PostgresError;

/// Where Debian and its kin keep each major version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Accounts to run under when started by root, in order of preference.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];
const ROOT: u32 = 0;

/// A user and its primary group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Programs found, and who runs them.
#[derive(Debug)]
pub(super) struct Install {
    binaries: PathBuf,
    account: Option<Account>,
}

impl Install {
    /// The newest version installed, else what PATH offers.
    pub(super) fn find() -> Result<Self, PostgresError> {
        let binaries = newest_version().or_else(|| on_path("initdb")).ok_or_else(|| {
            missing(format!("neither {VERSIONS}/*/bin nor PATH has initdb; install the PostgreSQL server"))
        })?;
        let account = if is_root() {
            Some(unprivileged().ok_or_else(|| {
                missing("root needs an account `postgres` or `nobody` to run it".to_owned())
            })?)
        } else {
            None
        };
        Ok(Self { binaries, account })
    }

    /// Whom the server's files belong to, unless to this process's user.
    pub(super) fn account(&self) -> Option<Account> {
        self.account
    }

    /// A server program under the right account, with an environment of its own.
    pub(super) fn command(&self, program: &str, directory: &Path) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C")
            .current_dir(directory)
            .stdin(Stdio::null());
        if let Some(Account { uid, gid }) = self.account {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// `psql` as a person would call it.
    pub(super) fn psql(&self) -> String {
        if on_path("psql").is_some() {
            "psql".to_owned()
        } else {
            self.binaries.join("psql").display().to_string()
        }
    }
}

/// Whether any process works in `directory`, as all of a server's do in its data directory.
pub(super) fn runs_in(directory: &Path) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    processes
        .flatten()
        .any(|process| fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == directory))
}

fn newest_version() -> Option<PathBuf> {
    let version = |path: &Path| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let newest = fs::read_dir(VERSIONS)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(|path| version(path))?;
    Some(newest.join("bin"))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).find(|directory| directory.join(program).is_file())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == ROOT)
}

fn unprivileged() -> Option<Account> {
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    ACCOUNTS.iter().find_map(|name| accounts.lines().find_map(|line| account(line, name)))
}

/// A line is `name:password:uid:gid:...`.
fn account(line: &str, name: &str) -> Option<Account> {
    let mut fields = line.split(':');
    if fields.next()? != name {
        return None;
    }
    Some(Account { uid: fields.nth(1)?.parse().ok()?, gid: fields.next()?.parse().ok()? })
}

fn missing(problem: String) -> PostgresError {
    PostgresError::Server { doing: "looking for programs", problem }
}
