//! What a connection to another process runs over. What it waits for may have a deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A socket whose reads and writes wait: together until a deadline, if it has one.
pub struct Wire {
    socket: TcpStream,
    until: Option<Instant>,
}

impl Wire {
    /// With a deadline for all that is read and written.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn new(socket: TcpStream, until: Instant) -> io::Result<Self> {
        socket.set_nonblocking(false)?;
        Ok(Self { socket, until: Some(until) })
    }

    /// Gives it another deadline, or none.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn limit(&mut self, until: Option<Instant>) -> io::Result<()> {
        self.until = until;
        self.socket.set_read_timeout(None)?;
        self.socket.set_write_timeout(None)
    }

    /// The socket; what is read and written through it has no deadline.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// A second handle, with which another thread can write while this one reads.
    ///
    /// # Errors
    /// There are too many open files.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { socket: self.socket.try_clone()?, until: self.until })
    }

    /// How long the next step may take; `None` is for ever.
    fn left(&self) -> io::Result<Option<Duration>> {
        let Some(until) = self.until else { return Ok(None) };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(late()) } else { Ok(Some(left)) }
    }
}

fn late() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "it does not answer in time")
}

/// The system's word for a limit that has passed is another.
fn in_time<T>(outcome: io::Result<T>, has_deadline: bool) -> io::Result<T> {
    outcome
        .map_err(|error| if has_deadline && error.kind() == ErrorKind::WouldBlock { late() } else { error })
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left()?;
        if left.is_some() {
            self.socket.set_read_timeout(left)?;
        }
        in_time(self.socket.read(buffer), left.is_some())
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left()?;
        if left.is_some() {
            self.socket.set_write_timeout(left)?;
        }
        in_time(self.socket.write(bytes), left.is_some())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_deadline_is_one_for_all_that_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut slow = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let until = Instant::now() + Duration::from_secs(1);
        let mut wire = Wire::new(listener.accept().unwrap().0, until).unwrap();
        // Each byte comes in time; all of them do not.
        std::thread::spawn(move || {
            while slow.write_all(&[0]).is_ok() {
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        let error = wire.read_exact(&mut [0; 100]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(Instant::now() >= until);
    }
}
