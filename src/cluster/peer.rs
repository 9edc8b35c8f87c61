//! A connection to another process, and what both say over it before the dataflow begins.

use super::connection::{Arrived, Connection};
use super::message;
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::{Duration, Instant};

/// How long a message that has begun to arrive may take.
const WORD_TIMEOUT: Duration = Duration::from_secs(5);

/// What processes say to each other until they have agreed who begins.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// Said to the first of those that the sender is connected to: all of these, itself included, in order.
    Reaches(Vec<usize>),
    /// These begin, in this order. Said by the first of them, and confirmed by each to each; afterwards nothing
    /// else is said.
    Begin(Vec<usize>),
}

/// A connection to another process.
pub struct Peer {
    pub address: String,
    pub connection: Connection,
    /// Whom it is connected to, as it said last.
    pub reaches: Option<Vec<usize>>,
}

impl Peer {
    /// A peer that falls silent is noticed: by what is sent and not acknowledged, and by probes where nothing is
    /// sent.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn new(address: String, mut connection: Connection, timeout: Duration) -> io::Result<Self> {
        connection.limit(None)?;
        connection.socket().set_nodelay(true)?;
        let socket = SockRef::from(connection.socket());
        let between = (timeout / 4).max(Duration::from_secs(1));
        let keepalive = TcpKeepalive::new().with_time(between).with_interval(between).with_retries(3);
        socket.set_tcp_keepalive(&keepalive)?;
        socket.set_tcp_user_timeout(Some(timeout))?;
        Ok(Self { address, connection, reaches: None })
    }

    /// # Errors
    /// The connection is gone.
    pub fn say(&mut self, word: &Word) -> Result<()> {
        self.connection.limit(Some(Instant::now() + WORD_TIMEOUT))?;
        message::send(&mut self.connection, word)?;
        Ok(self.connection.limit(None)?)
    }

    /// What it has said, if it has said something. Does not wait for it to begin.
    ///
    /// # Errors
    /// The connection is gone, or what came is not understood.
    pub fn hear(&mut self) -> Result<Option<Word>> {
        match self.connection.look() {
            Arrived::Nothing => Ok(None),
            Arrived::End => bail!("it has closed the connection"),
            Arrived::Something => self.listen(Instant::now() + WORD_TIMEOUT).map(Some),
        }
    }

    /// Waits until it confirms that these begin.
    ///
    /// # Errors
    /// It does not, or not in time; the connection is gone.
    pub fn confirms(&mut self, list: &[usize], until: Instant) -> Result<()> {
        loop {
            match self.listen(until)? {
                // Said before it knew.
                Word::Reaches(_) => {}
                Word::Begin(other) if other == list => return Ok(()),
                Word::Begin(other) => bail!("it begins with {other:?}"),
            }
        }
    }

    fn listen(&mut self, until: Instant) -> Result<Word> {
        self.connection.limit(Some(until))?;
        let word = message::receive(&mut self.connection)?;
        self.connection.limit(None)?;
        Ok(word)
    }
}
