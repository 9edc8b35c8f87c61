//! A connection that timely sends through. Timely's threads panic when one breaks; here a callback gets one
//! line instead, and the thread rests until the process ends.

use super::connection::Connection;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use timely::communication::allocator::zero_copy::stream::Stream;

/// Length of timely's header. One of zeros, of an empty message, is the last thing that is sent.
const HEADER: usize = 48;

/// Called, once or several times, with how a connection has ended.
pub type Lost = Arc<dyn Fn(String) + Send + Sync>;

/// A connection to another process.
pub struct Link {
    connection: Connection,
    lost: Lost,
    /// The last bytes that were read.
    tail: [u8; HEADER],
}

impl Link {
    pub fn new(connection: Connection, lost: Lost) -> Self {
        Self { connection, lost, tail: [1; HEADER] }
    }

    fn remember(&mut self, read: &[u8]) {
        if let Some(last) = read.last_chunk::<HEADER>() {
            self.tail = *last;
        } else {
            self.tail.rotate_left(read.len());
            self.tail[HEADER - read.len()..].copy_from_slice(read);
        }
    }

    fn lose(&self, how: String) -> ! {
        (self.lost)(how);
        loop {
            std::thread::park();
        }
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.connection.read(buffer) {
            Ok(0) if self.tail == [0; HEADER] => Ok(0),
            Ok(0) => self.lose("it has closed the connection".to_owned()),
            Ok(read) => {
                self.remember(&buffer[..read]);
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => self.lose(error.to_string()),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.connection.write(bytes) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => self.lose(error.to_string()),
            outcome => outcome,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.connection.flush()
    }
}

impl Stream for Link {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self::new(self.connection.try_clone()?, Arc::clone(&self.lost)))
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.connection.socket().set_nonblocking(nonblocking)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        // Where the other end has closed already, reading reports it.
        let _ = self.connection.socket().shutdown(how);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    fn connected() -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        (stream, Connection::new(listener.accept().unwrap().0, until).unwrap())
    }

    #[test]
    fn an_end_that_was_announced_is_no_loss() {
        let (mut sender, receiver) = connected();
        let mut link = Link::new(receiver, Arc::new(|how| panic!("{how}")));
        sender.write_all(&[7; 20]).unwrap();
        sender.write_all(&[0; HEADER]).unwrap();
        drop(sender);
        let mut all = Vec::new();
        link.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 20 + HEADER);
    }

    #[test]
    fn any_other_end_is_told() {
        let (mut sender, receiver) = connected();
        let (told, words) = mpsc::channel();
        let mut link = Link::new(receiver, Arc::new(move |how| told.send(how).unwrap()));
        sender.write_all(&[0; HEADER - 1]).unwrap();
        drop(sender);
        // It does not come back.
        std::thread::spawn(move || link.read_to_end(&mut Vec::new()));
        assert!(words.recv().unwrap().contains("closed"));
    }
}
