//! Decides whether two processes can work together.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Debug;
use std::fs::File;
use std::io::Read;

/// What must be the same in all processes: they send each other what only the same program understands, and
/// each of them makes a part of every result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// A digest of the executable.
    program: String,
    /// A digest of the settings on which results and the graph depend.
    settings: String,
    /// Worker threads of each process.
    workers: usize,
}

impl Identity {
    /// The identity of this process, whose results depend on `settings`.
    ///
    /// # Errors
    /// The executable cannot be read.
    pub fn new(settings: &impl Debug, workers: usize) -> Result<Self> {
        let path = std::env::current_exe().context("cannot find the program's own file")?;
        let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let settings = hex(&Sha256::digest(format!("{settings:?}")));
        Ok(Self { program: digest(file)?, settings, workers })
    }

    /// Why a process with the identity `other` cannot work with this one.
    fn refuse(&self, other: &Self) -> Option<&'static str> {
        if self.program != other.program {
            Some("it runs another build of the program")
        } else if self.settings != other.settings {
            Some("its configuration differs where results depend on it")
        } else if self.workers != other.workers {
            Some("it has another number of workers")
        } else {
            None
        }
    }
}

fn digest(mut file: File) -> Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&digest.finalize())),
            read => digest.update(&buffer[..read]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A process, as it describes itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Party {
    identity: Identity,
    /// Which of the processes it is.
    pub process: usize,
}

/// The first message of whoever connects and proves itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Greeting {
    /// Who greets.
    pub from: Party,
    /// Which process it takes the other one for.
    pub to: usize,
}

/// The answer to a greeting.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The connection is kept.
    Welcome,
    /// The connection is refused, with the reason.
    Refused(String),
}

impl Party {
    /// One of the processes.
    pub fn new(identity: Identity, process: usize) -> Self {
        Self { identity, process }
    }

    /// Greets another process.
    pub fn greet(&self, process: usize) -> Greeting {
        Greeting { from: self.clone(), to: process }
    }

    /// Why whoever greets so cannot be one of the processes.
    pub fn refuse(&self, greeting: &Greeting) -> Option<&'static str> {
        let alike = self.identity.refuse(&greeting.from.identity);
        alike.or((greeting.to != self.process).then_some("it takes this process for another one"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_program_and_settings_are_alike() {
        let identity = Identity::new(&"settings", 2).unwrap();
        let party = Party::new(identity.clone(), 0);
        assert_eq!(party.refuse(&Party::new(identity.clone(), 1).greet(0)), None);
        assert!(party.refuse(&Party::new(identity.clone(), 1).greet(2)).unwrap().contains("another one"));
        let other = |identity: Identity| party.refuse(&Party::new(identity, 1).greet(0)).unwrap();
        assert!(other(Identity::new(&"others", 2).unwrap()).contains("configuration"));
        assert!(other(Identity::new(&"settings", 1).unwrap()).contains("workers"));
        assert!(other(Identity { program: String::new(), ..identity }).contains("build"));
    }
}
