//! Which processes make up one dataflow, and how long they wait for each other.

use anyhow::{Result, bail};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// Where the other processes are. Without `hosts` and `service` there are none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterSettings {
    /// `host:port` of every process in their order, this one included; the same list for all of them.
    pub hosts: Vec<String>,
    /// The index of this process in `hosts`.
    pub process: Option<usize>,
    /// The headless service that names the pods of a StatefulSet; this pod's own name is in `POD_NAME`.
    pub service: Option<String>,
    /// Environment variable that holds the password by which processes know each other.
    pub password_env: Option<String>,
    /// File that holds that password; one newline at its end is ignored.
    pub password_file: Option<PathBuf>,
    /// PEM file with the authorities whose certificates processes trust. With it and the two below they encrypt.
    pub tls_ca_file: Option<PathBuf>,
    /// PEM file with this process's certificate and those between it and an authority that the others trust.
    pub tls_cert_file: Option<PathBuf>,
    /// PEM file with the key to it, not encrypted.
    pub tls_key_file: Option<PathBuf>,
    /// The name that the certificates of all processes hold; without it each holds the host of its own process.
    pub tls_name: Option<String>,
    /// The port on which pods of `service` listen for each other.
    pub port: u16,
    /// How long the number of pods of `service` must have stayed the same before they begin, seconds.
    pub settle_seconds: u64,
    /// How long to wait for each process that does not come before the others begin without it, in seconds.
    pub join_seconds: u64,
    /// A process that is silent for this long counts as gone, in seconds.
    pub peer_timeout_seconds: u64,
    /// How long committing what is in flight may take when they stop, seconds.
    pub leave_seconds: u64,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            process: None,
            service: None,
            password_env: None,
            password_file: None,
            tls_ca_file: None,
            tls_cert_file: None,
            tls_key_file: None,
            tls_name: None,
            port: 2101,
            settle_seconds: 3,
            join_seconds: 5,
            peer_timeout_seconds: 10,
            leave_seconds: 60,
        }
    }
}

impl ClusterSettings {
    /// # Errors
    /// One line that names the key, its value and what is allowed.
    pub fn check(&self) -> Result<()> {
        let limits = [
            ("port", u64::from(self.port), 1, 65_535),
            ("settle_seconds", self.settle_seconds, 0, 600),
            ("join_seconds", self.join_seconds, 1, 86_400),
            ("peer_timeout_seconds", self.peer_timeout_seconds, 1, 3600),
            ("leave_seconds", self.leave_seconds, 1, 3600),
        ];
        for (key, value, low, high) in limits {
            if !(low..=high).contains(&value) {
                bail!("configuration: cluster.{key} = {value}: must be {low} to {high}");
            }
        }
        if self.password_env.is_some() && self.password_file.is_some() {
            bail!("configuration: cluster.password_file: give either password_env or password_file");
        }
        self.check_tls()?;
        match (self.hosts.len(), self.process) {
            (0, Some(process)) => {
                bail!("configuration: cluster.process = {process}: needs cluster.hosts, of which it is one")
            }
            (1.., _) if self.service.is_some() => {
                bail!("configuration: cluster.hosts and cluster.service: only one can say who belongs to it")
            }
            (1.., None) => {
                bail!("configuration: cluster.process: must say which of cluster.hosts this is, from 0")
            }
            (hosts @ 1.., Some(process)) if process >= hosts => {
                bail!("configuration: cluster.process = {process}: must be 0 to {}", hosts - 1)
            }
            _ => Ok(()),
        }
    }

    fn check_tls(&self) -> Result<()> {
        let files = [&self.tls_ca_file, &self.tls_cert_file, &self.tls_key_file];
        let given = files.into_iter().flatten().count();
        if given != 0 && given != files.len() {
            bail!(
                "configuration: cluster.tls_key_file: give tls_ca_file, tls_cert_file and tls_key_file, or none"
            );
        }
        if self.tls_name.is_some() && given == 0 {
            bail!("configuration: cluster.tls_name: has no effect without tls_cert_file");
        }
        Ok(())
    }

    pub(super) fn settle(&self) -> Duration {
        Duration::from_secs(self.settle_seconds)
    }

    pub(super) fn join(&self) -> Duration {
        Duration::from_secs(self.join_seconds)
    }

    pub(super) fn peer_timeout(&self) -> Duration {
        Duration::from_secs(self.peer_timeout_seconds)
    }

    /// How long committing what is in flight may take when they stop.
    pub fn leave(&self) -> Duration {
        Duration::from_secs(self.leave_seconds)
    }
}
