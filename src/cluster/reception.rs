//! Hears out those that connect, each in a thread of its own and not for long: a stranger that is slow or
//! silent delays nobody.

use super::challenge::{Challenge, NOT_PROVED, Side};
use super::connection::Connection;
use super::credentials::Credentials;
use super::encryption::Encryption;
use super::greeting::{Answer, Greeting};
use anyhow::Result;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long a whole greeting may take.
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// Greetings under way. One more ends the oldest, which of all of them is most likely a stranger's: a process
/// greets within milliseconds.
const MOST_UNDER_WAY: usize = 32;

/// How often the log says that somebody is refused.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Where the others connect.
pub struct Reception {
    listener: TcpListener,
    proofs: Proofs,
    /// Those that are heard out, the oldest first; they are gone when their threads have ended.
    under_way: VecDeque<Weak<TcpStream>>,
    sender: Sender<Arrival>,
    arrivals: Receiver<Arrival>,
    logged: Option<Instant>,
}

/// By what those that connect are to prove themselves.
#[derive(Clone)]
struct Proofs {
    credentials: Arc<Credentials>,
    encryption: Option<Arc<Encryption>>,
}

/// Who was heard out.
enum Arrival {
    Guest(Box<Guest>),
    /// Somebody that speaks as a process does, without the password; or that does not encrypt, or has no certificate
    /// that counts, where one is needed; and which of these.
    Refused(SocketAddr, String),
}

/// A process that has proved itself and awaits an answer.
pub struct Guest {
    pub greeting: Greeting,
    connection: Connection,
    challenge: Challenge,
    credentials: Arc<Credentials>,
}

impl Guest {
    /// Answers it. The connection can be used if it is welcome.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn answer(mut self, answer: &Answer) -> Result<Connection> {
        self.challenge.send(&mut self.connection, &self.credentials, answer)?;
        Ok(self.connection)
    }
}

impl Reception {
    /// # Errors
    /// The system refuses to look without waiting.
    pub fn new(
        listener: TcpListener,
        credentials: &Arc<Credentials>,
        encryption: Option<&Arc<Encryption>>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let (sender, arrivals) = channel();
        let proofs = Proofs { credentials: Arc::clone(credentials), encryption: encryption.cloned() };
        Ok(Self { listener, proofs, under_way: VecDeque::new(), sender, arrivals, logged: None })
    }

    /// Takes on those that have connected, and returns the next one that has proved itself, if there is any.
    /// Does not wait.
    ///
    /// # Errors
    /// Nobody can connect any more.
    pub fn next(&mut self) -> io::Result<Option<Guest>> {
        self.admit()?;
        while let Ok(arrival) = self.arrivals.try_recv() {
            match arrival {
                Arrival::Guest(guest) => return Ok(Some(*guest)),
                Arrival::Refused(address, reason) => self.log(address, &reason),
            }
        }
        Ok(None)
    }

    fn admit(&mut self) -> io::Result<()> {
        // Those that come faster than that wait for the next time.
        for _ in 0..MOST_UNDER_WAY {
            match self.listener.accept() {
                Ok((socket, address)) => self.hear(socket, address),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // The connection was gone before it was accepted.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Where there is no thread for it, its connection is closed: a process comes again.
    fn hear(&mut self, socket: TcpStream, address: SocketAddr) {
        self.make_room();
        let Ok(handle) = socket.try_clone().map(Arc::new) else { return };
        let (proofs, sender) = (self.proofs.clone(), self.sender.clone());
        let under_way = Arc::downgrade(&handle);
        let hear = move || {
            // What is no process of StreamFlow is not worth a word.
            let heard = hear_out(socket, address, proofs);
            drop(handle);
            if let Ok(arrival) = heard {
                // Nobody awaits it where this process ends.
                let _ = sender.send(arrival);
            }
        };
        if std::thread::Builder::new().name("greeting".to_owned()).spawn(hear).is_ok() {
            self.under_way.push_back(under_way);
        }
    }

    fn make_room(&mut self) {
        self.under_way.retain(|socket| socket.strong_count() > 0);
        if self.under_way.len() >= MOST_UNDER_WAY
            && let Some(oldest) = self.under_way.pop_front().and_then(|socket| socket.upgrade())
        {
            // Its thread notices.
            let _ = oldest.shutdown(Shutdown::Both);
        }
    }

    fn log(&mut self, address: SocketAddr, reason: &str) {
        if self.logged.is_none_or(|at| at.elapsed() > LOG_EVERY) {
            tracing::warn!(%address, reason, "a process is refused");
            self.logged = Some(Instant::now());
        }
    }
}

fn hear_out(socket: TcpStream, address: SocketAddr, proofs: Proofs) -> Result<Arrival> {
    let Proofs { credentials, encryption } = proofs;
    let mut connection = Connection::new(socket, Instant::now() + GREETING_TIMEOUT)?;
    if let Some(encryption) = encryption
        && let Some(reason) = encrypt(&mut connection, &encryption)?
    {
        return Ok(Arrival::Refused(address, reason));
    }
    let challenge = Challenge::exchange(&mut connection, Side::Listens)?;
    if let Some(greeting) = challenge.receive(&mut connection, &credentials)? {
        return Ok(Arrival::Guest(Box::new(Guest { greeting, connection, challenge, credentials })));
    }
    // It does not believe this, and so learns what is wrong.
    let _ = challenge.send(&mut connection, &credentials, &Answer::Refused(NOT_PROVED.to_owned()));
    Ok(Arrival::Refused(address, NOT_PROVED.to_owned()))
}

/// Why whoever has connected is refused, if it is.
fn encrypt(connection: &mut Connection, encryption: &Encryption) -> Result<Option<String>> {
    let machine = match encryption.listens() {
        Ok(machine) => machine,
        Err(error) => return Ok(Some(format!("{error:#}"))),
    };
    match connection.encrypt(machine) {
        Err(error) if error.kind() == ErrorKind::InvalidData => Ok(Some(error.to_string())),
        outcome => Ok(outcome.map(|()| None)?),
    }
}
