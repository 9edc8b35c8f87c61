//! How two processes prove to each other that they belong together. Both choose a number that was never used
//! before, and every message of the greeting comes with a proof over both numbers. So what was recorded of an
//! earlier greeting proves nothing, and nothing is understood, or even parsed, before it is proved.
//!
//! ```text
//!  who dials     protocol, its number    ──>
//!                                        <──   protocol, its number     who listens
//!                greeting, proof         ──>
//!                                        <──   answer, proof
//! ```

use super::connection::Connection;
use super::credentials::{Credentials, PROOF};
use super::message;
use anyhow::{Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{Read, Write};

/// Sent first: what connects and does not send it is no process of StreamFlow.
const PROTOCOL: &[u8; 20] = b"streamflow cluster 3";

/// Bytes of a number that is used once.
const NUMBER: usize = 32;

/// Bytes. More than a greeting or an answer needs, and little enough to allocate for a stranger's length.
const LARGEST: u32 = 1 << 12;

/// Why a proof does not hold.
pub const NOT_PROVED: &str =
    "it has another password: cluster.password_file (or password_env) must be the same for all processes";

/// Which side of a connection a process is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Dials,
    Listens,
}

impl Side {
    /// What nobody can pass on as said by the other side.
    fn mark(self) -> &'static [u8] {
        match self {
            Self::Dials => b"D",
            Self::Listens => b"L",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Dials => Self::Listens,
            Self::Listens => Self::Dials,
        }
    }
}

/// The numbers of one greeting, as one of both sides knows them.
pub struct Challenge {
    side: Side,
    /// Of who dials, and of who listens.
    numbers: [[u8; NUMBER]; 2],
}

impl Challenge {
    /// Exchanges the numbers. Who listens says nothing to what is no process of StreamFlow.
    ///
    /// # Errors
    /// The connection is gone, or that is no process of StreamFlow.
    pub fn exchange(connection: &mut Connection, side: Side) -> Result<Self> {
        let own: [u8; NUMBER] = rand::random();
        let opening = [&PROTOCOL[..], &own].concat();
        let numbers = match side {
            Side::Dials => {
                connection.write_all(&opening)?;
                [own, receive_number(connection)?]
            }
            Side::Listens => {
                let other = receive_number(connection)?;
                connection.write_all(&opening)?;
                [other, own]
            }
        };
        Ok(Self { side, numbers })
    }

    /// Sends a message with its proof.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send(
        &self,
        connection: &mut Connection,
        credentials: &Credentials,
        message: &impl Serialize,
    ) -> Result<()> {
        let mut bytes = serde_json::to_vec(message)?;
        let proof = credentials.prove(&self.parts(self.side, &bytes))?;
        bytes.extend(proof);
        message::send_bytes(connection, &bytes)
    }

    /// Receives a message of the other side, `None` where it does not prove itself by that.
    ///
    /// # Errors
    /// The connection is gone, or that is no process of StreamFlow.
    pub fn receive<M: DeserializeOwned>(
        &self,
        connection: &mut Connection,
        credentials: &Credentials,
    ) -> Result<Option<M>> {
        let bytes = message::receive_bytes(connection, LARGEST)?;
        let Some((text, proof)) = bytes.split_last_chunk::<PROOF>() else {
            bail!("a message without a proof: that is no process of StreamFlow");
        };
        if !credentials.is_proof(proof, &self.parts(self.side.other(), text))? {
            return Ok(None);
        }
        message::read(text).map(Some)
    }

    /// What the proof of a message from `side` covers.
    fn parts<'a>(&'a self, side: Side, text: &'a [u8]) -> [&'a [u8]; 5] {
        let [dials, listens] = &self.numbers;
        [PROTOCOL, side.mark(), dials, listens, text]
    }
}

fn receive_number(connection: &mut Connection) -> Result<[u8; NUMBER]> {
    let mut protocol = [0; PROTOCOL.len()];
    connection.read_exact(&mut protocol)?;
    if protocol != *PROTOCOL {
        bail!("that is no process of StreamFlow, or one of another version");
    }
    let mut number = [0; NUMBER];
    connection.read_exact(&mut number)?;
    Ok(number)
}
