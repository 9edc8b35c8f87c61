//! What two processes send each other, encrypted. The side that reads and the side that writes may be in two threads:
//! they share what encrypts and decrypts, and neither has it while it waits for the other process.

use super::refusal::in_words;
use super::wire::Wire;
use crate::lock::lock;
use rustls::Reader;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::Mutex;

/// How much is received at once, bytes.
const AT_ONCE: usize = 1 << 16;

/// One connection's encryption, after both sides have proved themselves.
pub struct Session {
    machine: Mutex<rustls::Connection>,
    /// Locked by who reads.
    received: Mutex<Received>,
    /// What goes out, encrypted; locked by who writes.
    sealed: Mutex<Vec<u8>>,
}

/// What was received and is not decrypted yet.
struct Received {
    bytes: Box<[u8]>,
    rest: Range<usize>,
}

impl Session {
    /// Has both sides prove themselves over `wire`.
    ///
    /// # Errors
    /// The connection is gone; or one of both sides refuses the other, in words that tell which and why.
    pub fn begin(mut machine: rustls::Connection, wire: &mut Wire) -> io::Result<Self> {
        while machine.is_handshaking() {
            if let Err(error) = machine.complete_io(wire) {
                tell(&mut machine, wire);
                return Err(in_words(error));
            }
        }
        Ok(Self { machine: Mutex::new(machine), received: Mutex::default(), sealed: Mutex::default() })
    }

    /// Reads, and waits for that as `wire` does. Who reads must know from what came whether that was all: an end of
    /// the connection is not proved by the other side.
    ///
    /// # Errors
    /// The connection is gone, or what came is not of the other side.
    pub fn read(&self, wire: &mut Wire, buffer: &mut [u8]) -> io::Result<usize> {
        self.next(wire, |reader| reader.read(buffer))
    }

    /// How many bytes can be read at once; 0 at the end. Waits as `socket` does.
    ///
    /// # Errors
    /// As [`Session::read`].
    pub fn peek(&self, mut socket: &TcpStream) -> io::Result<usize> {
        self.next(&mut socket, |reader| Ok(reader.fill_buf()?.len()))
    }

    /// Encrypts and sends some of these bytes; how many.
    ///
    /// # Errors
    /// The connection is gone, and cannot be used any more.
    pub fn write(&self, wire: &mut Wire, bytes: &[u8]) -> io::Result<usize> {
        let mut sealed = lock(&self.sealed);
        let written = self.seal(bytes, &mut sealed)?;
        let sent = wire.write_all(&sealed);
        sealed.clear();
        sent.map(|()| written)
    }

    fn seal(&self, bytes: &[u8], sealed: &mut Vec<u8>) -> io::Result<usize> {
        let mut machine = lock(&self.machine);
        let written = machine.writer().write(bytes)?;
        while machine.wants_write() {
            machine.write_tls(sealed)?;
        }
        Ok(written)
    }

    /// What `take` makes of the next bytes that come.
    fn next(
        &self,
        from: &mut impl Read,
        mut take: impl FnMut(&mut Reader<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut received = lock(&self.received);
        loop {
            match self.open(&mut received, &mut take) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            if received.fill(from)? == 0 {
                return Ok(0);
            }
        }
    }

    /// As [`Session::next`], of what was received; [`ErrorKind::WouldBlock`] where that is too little.
    fn open(
        &self,
        received: &mut Received,
        take: &mut impl FnMut(&mut Reader<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut machine = lock(&self.machine);
        loop {
            match take(&mut machine.reader()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock && !received.rest.is_empty() => {}
                outcome => return outcome,
            }
            machine.read_tls(received)?;
            machine.process_new_packets().map_err(|error| in_words(io::Error::other(error)))?;
        }
    }
}

/// Tells the other side why it is refused, as far as it still listens.
fn tell(machine: &mut rustls::Connection, wire: &mut Wire) {
    while machine.wants_write() && machine.write_tls(wire).is_ok_and(|written| written > 0) {}
}

impl Received {
    /// Receives more, where all before is decrypted; how much.
    fn fill(&mut self, from: &mut impl Read) -> io::Result<usize> {
        let received = from.read(&mut self.bytes)?;
        self.rest = 0..received;
        Ok(received)
    }
}

impl Default for Received {
    fn default() -> Self {
        Self { bytes: vec![0; AT_ONCE].into(), rest: 0..0 }
    }
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = (&self.bytes[self.rest.clone()]).read(buffer)?;
        self.rest.start += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::super::certified::connected;
    use super::super::connection::Arrived;
    use super::*;
    use std::net::Shutdown;
    use std::thread;

    /// More than fits into what both sides have for what is under way.
    fn much() -> Vec<u8> {
        (0..20_000_000_u32).map(|place| (place / 251) as u8).collect()
    }

    #[test]
    fn both_directions_are_used_at_once() {
        let ends = connected().map(|end| (end.try_clone().unwrap(), end));
        let begun = ends.map(|(mut writes, mut reads)| {
            let writing = thread::spawn(move || {
                much().chunks(70_000).for_each(|chunk| writes.write_all(chunk).unwrap());
                writes.socket().shutdown(Shutdown::Write).unwrap();
            });
            let reading = thread::spawn(move || {
                let mut all = Vec::new();
                reads.read_to_end(&mut all).unwrap();
                assert!(all == much());
            });
            [writing, reading]
        });
        begun.into_iter().flatten().for_each(|thread| thread.join().unwrap());
    }

    #[test]
    fn who_waits_for_words_can_be_spoken_for() {
        let [mut ours, mut theirs] = connected();
        let mut waits = ours.try_clone().unwrap();
        let waiting = thread::spawn(move || {
            let mut answer = [0; 6];
            waits.read_exact(&mut answer).unwrap();
            answer
        });
        ours.write_all(b"question").unwrap();
        theirs.read_exact(&mut [0; 8]).unwrap();
        theirs.write_all(b"answer").unwrap();
        assert_eq!(&waiting.join().unwrap(), b"answer");
    }

    #[test]
    fn what_came_together_is_seen_one_after_the_other() {
        let [mut ours, mut theirs] = connected();
        theirs.limit(None).unwrap();
        assert_eq!(theirs.look(), Arrived::Nothing);
        for word in [b"one", b"two"] {
            ours.write_all(word).unwrap();
        }
        ours.socket().shutdown(Shutdown::Write).unwrap();
        for word in [b"one", b"two"] {
            while theirs.look() == Arrived::Nothing {
                thread::yield_now();
            }
            assert_eq!(theirs.look(), Arrived::Something);
            let mut heard = [0; 3];
            theirs.read_exact(&mut heard).unwrap();
            assert_eq!(&heard, word);
        }
        while theirs.look() == Arrived::Nothing {
            thread::yield_now();
        }
        assert_eq!(theirs.look(), Arrived::End);
    }

    #[test]
    fn what_is_changed_on_its_way_is_an_error() {
        let [mut ours, mut theirs] = connected();
        ours.write_all(b"genuine").unwrap();
        let mut socket = ours.socket();
        socket.write_all(&[23, 3, 3, 0, 24, 1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        socket.write_all(&[0; 16]).unwrap();
        let mut all = Vec::new();
        assert!(theirs.read_to_end(&mut all).is_err());
        assert!(b"genuine".starts_with(&all), "{all:?}");
    }
}
