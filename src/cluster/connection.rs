//! A connection to another process: encrypted where the configuration says so.

use super::session::Session;
use super::wire::Wire;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

/// A connection whose reads and writes wait: together until a deadline, if it has one.
pub struct Connection {
    wire: Wire,
    /// By which what is sent is encrypted; `None` where it is sent as it is.
    session: Option<Arc<Session>>,
}

/// What has arrived over a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrived {
    Nothing,
    Something,
    /// The other side has closed the connection, or it is broken.
    End,
}

impl Connection {
    /// With a deadline for all that is read and written. Not encrypted.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn new(socket: TcpStream, until: Instant) -> io::Result<Self> {
        Ok(Self { wire: Wire::new(socket, until)?, session: None })
    }

    /// Encrypts all that follows, once both sides have proved themselves as `machine` asks.
    ///
    /// # Errors
    /// The connection is gone, or one of both sides refuses the other: then the kind is
    /// [`ErrorKind::InvalidData`].
    pub fn encrypt(&mut self, machine: rustls::Connection) -> io::Result<()> {
        self.session = Some(Arc::new(Session::begin(machine, &mut self.wire)?));
        Ok(())
    }

    /// Gives it another deadline, or none.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn limit(&mut self, until: Option<Instant>) -> io::Result<()> {
        self.wire.limit(until)
    }

    /// What it runs over; what is to be read or written goes through the connection.
    pub fn socket(&self) -> &TcpStream {
        self.wire.socket()
    }

    /// A second handle, with which another thread can write while this one reads.
    ///
    /// # Errors
    /// There are too many open files.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { wire: self.wire.try_clone()?, session: self.session.clone() })
    }

    /// Neither waits nor reads what has arrived.
    pub fn look(&self) -> Arrived {
        let socket = self.socket();
        if socket.set_nonblocking(true).is_err() {
            return Arrived::End;
        }
        let arrived = match &self.session {
            Some(session) => session.peek(socket),
            None => socket.peek(&mut [0]),
        };
        let arrived = match arrived {
            Ok(0) => Arrived::End,
            Ok(_) => Arrived::Something,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Arrived::Nothing,
            Err(_) => Arrived::End,
        };
        if socket.set_nonblocking(false).is_err() { Arrived::End } else { arrived }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.session {
            Some(session) => session.read(&mut self.wire, buffer),
            None => self.wire.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.session {
            Some(session) => session.write(&mut self.wire, bytes),
            None => self.wire.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.wire.flush()
    }
}
