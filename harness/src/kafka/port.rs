//! Ports that stay reserved for a server while it is down.

use std::fs::File;
use std::net::TcpListener;

use anyhow::{Context, Result};

/// A port of the loopback address, reserved on this machine until dropped.
#[derive(Debug)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// Its lock is the reservation: the system releases it however the process ends.
    _reservation: File,
}

impl Port {
    /// Reserves a port that nobody listens on, below the range the system hands out to clients.
    ///
    /// # Errors
    /// None is free.
    pub fn reserve() -> Result<Self> {
        (20_000..30_000).find_map(Self::take).context("no free port between 20000 and 30000")
    }

    fn take(number: u16) -> Option<Self> {
        let path = std::env::temp_dir().join(format!("streamflow-port-{number}"));
        let file = File::options().create(true).append(true).open(path).ok()?;
        file.try_lock().ok()?;
        TcpListener::bind(("127.0.0.1", number)).ok()?;
        Some(Self { number, _reservation: file })
    }
}
