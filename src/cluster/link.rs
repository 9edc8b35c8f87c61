//! A connection that timely sends through. Timely's threads panic when one breaks; here a callback gets one line
//! instead, and they are told that it has ended in order, once no worker is left to be deceived by that.

use super::connection::Connection;
use super::framing::Framing;
use super::ties::Ties;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use timely::communication::allocator::zero_copy::stream::Stream;

/// Called, once or several times, with how a connection has ended.
pub type Lost = Arc<dyn Fn(String) + Send + Sync>;

/// A connection to another process.
pub struct Link {
    connection: Connection,
    lost: Lost,
    ties: Arc<Ties>,
    /// The place in what is read.
    framing: Framing,
    /// Whether it has broken: the reader is told what brings it to its end, and what is written goes nowhere.
    is_broken: bool,
}

impl Link {
    pub fn new(connection: Connection, lost: Lost, ties: Arc<Ties>) -> Self {
        Self { connection, lost, ties, framing: Framing::new(), is_broken: false }
    }

    /// What came; `None` where nothing comes any more.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.connection.read(buffer) {
            Ok(0) if self.framing.has_ended() => return Ok(Some(0)),
            Ok(0) => self.lose("it has closed the connection".to_owned()),
            Ok(read) => {
                self.framing.follow(&buffer[..read]);
                return Ok(Some(read));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => self.lose(error.to_string()),
        }
        Ok(None)
    }

    fn lose(&mut self, how: String) {
        self.is_broken = true;
        if !self.ties.are_cut() {
            (self.lost)(how);
        }
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.is_broken
            && let Some(read) = self.receive(buffer)?
        {
            return Ok(read);
        }
        self.ties.await_release();
        Ok(self.framing.complete(buffer))
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_broken || self.ties.are_cut() {
            return Ok(bytes.len());
        }
        match self.connection.write(bytes) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                self.lose(error.to_string());
                Ok(bytes.len())
            }
            outcome => outcome,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.connection.flush()
    }
}

impl Stream for Link {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self::new(self.connection.try_clone()?, Arc::clone(&self.lost), Arc::clone(&self.ties)))
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
    use super::super::framing::HEADER;
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

    fn ties(connection: &Connection) -> Arc<Ties> {
        Arc::new(Ties::new(vec![connection.socket().try_clone().unwrap()]))
    }

    #[test]
    fn an_end_that_was_announced_is_no_loss() {
        let (mut sender, receiver) = connected();
        let ties = ties(&receiver);
        let mut link = Link::new(receiver, Arc::new(|how| panic!("{how}")), ties);
        sender.write_all(&[0; HEADER]).unwrap();
        drop(sender);
        let mut all = Vec::new();
        link.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), HEADER);
    }

    #[test]
    fn any_other_end_is_told_and_the_reader_goes_once_the_workers_have() {
        let (mut sender, receiver) = connected();
        let ties = ties(&receiver);
        let (told, words) = mpsc::channel();
        let mut link = Link::new(receiver, Arc::new(move |how| told.send(how).unwrap()), Arc::clone(&ties));
        sender.write_all(&[0; HEADER - 1]).unwrap();
        drop(sender);
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            link.read_to_end(&mut all).unwrap();
            link.write_all(&[1; 1000]).unwrap();
            all.len()
        });
        assert!(words.recv().unwrap().contains("closed"));
        assert!(!reading.is_finished());
        ties.release();
        assert_eq!(reading.join().unwrap(), HEADER);
    }

    #[test]
    fn what_is_cut_here_is_lost_there_and_no_loss_here() {
        let (mut other, receiver) = connected();
        let ties = ties(&receiver);
        let mut link = Link::new(receiver, Arc::new(|how| panic!("{how}")), Arc::clone(&ties));
        ties.cut();
        ties.release();
        link.write_all(&[0; HEADER]).unwrap();
        link.read_to_end(&mut Vec::new()).unwrap();
        let mut received = Vec::new();
        other.read_to_end(&mut received).unwrap();
        assert!(received.is_empty());
    }
}
