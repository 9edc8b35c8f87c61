//! Attempts to reach a process, each in a thread of its own: what does not answer delays nobody.

use super::challenge::{Challenge, NOT_PROVED, Side};
use super::connection::Connection;
use super::credentials::Credentials;
use super::encryption::Encryption;
use super::greeting::{Answer, Greeting};
use super::reception::GREETING_TIMEOUT;
use super::site::Site;
use anyhow::{Context, Result, bail};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};
use streamflow_connectors::backoff::Backoff;

/// How long a host may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Attempts to reach one process.
pub struct Dialing {
    backoff: Backoff,
    due: Instant,
    under_way: Option<Receiver<Result<Connection>>>,
    /// Why the last one failed.
    problem: Option<String>,
}

/// Whom to reach, and how.
pub struct Call {
    address: String,
    greeting: Greeting,
    credentials: Arc<Credentials>,
    encryption: Option<Arc<Encryption>>,
}

impl Dialing {
    pub fn new() -> Self {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        Self { backoff, due: Instant::now(), under_way: None, problem: None }
    }

    /// Why the process cannot be reached, as far as is known.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The connection, once it is there; else begins the next attempt if that is due. Does not wait.
    pub fn connection(&mut self, call: impl FnOnce() -> Call) -> Option<Connection> {
        let Some(under_way) = &self.under_way else {
            if Instant::now() >= self.due {
                self.begin(call());
            }
            return None;
        };
        match under_way.try_recv() {
            Ok(Ok(connection)) => {
                *self = Self::new();
                return Some(connection);
            }
            Ok(Err(error)) => self.fail(format!("{error:#}")),
            Err(TryRecvError::Disconnected) => self.fail("the attempt has broken off".to_owned()),
            Err(TryRecvError::Empty) => {}
        }
        None
    }

    fn begin(&mut self, call: Call) {
        let (sender, outcome) = sync_channel(1);
        // Where nobody awaits it any more, the connection is closed again.
        let dial = move || drop(sender.send(call.connect()));
        match std::thread::Builder::new().name("dial".to_owned()).spawn(dial) {
            Ok(_) => self.under_way = Some(outcome),
            Err(error) => self.fail(error.to_string()),
        }
    }

    fn fail(&mut self, problem: String) {
        self.problem = Some(problem);
        self.under_way = None;
        self.due = Instant::now() + self.backoff.pause();
    }
}

impl Call {
    /// To the process of this number.
    pub fn new(site: &Site, process: usize) -> Self {
        Self {
            address: site.members.address(process),
            greeting: site.party.greet(process),
            credentials: Arc::clone(&site.credentials),
            encryption: site.encryption.clone(),
        }
    }

    /// A connection to a process that has proved itself and welcomes this one.
    fn connect(&self) -> Result<Connection> {
        let address = self.address.to_socket_addrs()?.next().context("it has no address")?;
        let socket = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        let mut connection = Connection::new(socket, Instant::now() + GREETING_TIMEOUT)?;
        if let Some(encryption) = &self.encryption {
            connection.encrypt(encryption.dials(&self.address)?)?;
        }
        let challenge = Challenge::exchange(&mut connection, Side::Dials)?;
        challenge.send(&mut connection, &self.credentials, &self.greeting)?;
        match challenge.receive(&mut connection, &self.credentials)? {
            Some(Answer::Welcome) => Ok(connection),
            Some(Answer::Refused(reason)) => bail!("it refuses this process: {reason}"),
            None => bail!(NOT_PROVED),
        }
    }
}
