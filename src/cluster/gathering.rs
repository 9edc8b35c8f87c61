//! Connects all processes: each connects to those before it and accepts connections of those after it.
//!
//! Until then any process may leave and return. A process reports to the first one once it has all
//! connections, and the first one decides from where to continue once all have reported.

use super::connection::Connection;
use super::credentials::Credentials;
use super::dialing::{Call, Dialing};
use super::greeting::{Answer, Greeting, Identity, Party};
use super::members::Members;
use super::reception::{Guest, Reception};
use super::settings::ClusterSettings;
use crate::stop::Stop;
use anyhow::{Context, Result, bail};
use socket2::{SockRef, TcpKeepalive};
use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two checks whether a process has connected or left.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How often the names of pods are resolved.
const COUNT_EVERY: Duration = Duration::from_millis(500);

/// How often the log repeats for which processes this one waits.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// What a process sends to the first one when it has all connections.
const COMPLETE: u8 = b'C';

/// All processes, connected.
pub struct Gathered {
    pub reception: Reception,
    /// This process.
    pub party: Party,
    /// To each of the others, by number; `None` for this process.
    pub peers: Vec<Option<Peer>>,
}

/// A connection to another process.
pub struct Peer {
    pub address: String,
    pub connection: Connection,
}

pub struct Gathering<'a> {
    settings: &'a ClusterSettings,
    members: &'a Members,
    identity: &'a Identity,
    stop: &'a Stop,
    credentials: Arc<Credentials>,
    reception: Reception,
    addresses: Vec<String>,
    /// Since when the number of processes has been the same.
    settled_since: Instant,
    counted: Instant,
    peers: Vec<Option<Peer>>,
    dialing: Vec<Dialing>,
    logged: Option<(String, Instant)>,
}

impl<'a> Gathering<'a> {
    /// Listens for the others.
    ///
    /// # Errors
    /// It cannot listen at its own address, or read its password: whoever configured that can fix it.
    pub fn begin(
        settings: &'a ClusterSettings,
        members: &'a Members,
        identity: &'a Identity,
        stop: &'a Stop,
    ) -> Result<Self> {
        let own = members.address(members.process());
        let credentials = Arc::new(Credentials::read(settings)?);
        let reception = Reception::new(listen(&own, settings.join(), stop)?, &credentials)?;
        let now = Instant::now();
        Ok(Self {
            settings,
            members,
            identity,
            stop,
            credentials,
            reception,
            addresses: Vec::new(),
            settled_since: now,
            counted: now.checked_sub(COUNT_EVERY).unwrap_or(now),
            peers: Vec::new(),
            dialing: Vec::new(),
            logged: None,
        })
    }

    /// Waits until all processes are connected; `None` if a stop is requested before.
    ///
    /// # Errors
    /// Names the processes that did not connect in time, with the reason if it is known.
    pub fn wait(mut self) -> Result<Option<Gathered>> {
        let begun = Instant::now();
        while !self.stop.is_asked() {
            self.count();
            if self.is_settled() {
                self.accept()?;
                self.dial();
                self.peers.iter_mut().for_each(drop_if_closed);
                if self.has_all() && self.all_have_all()? {
                    return Ok(Some(self.gathered()));
                }
            }
            let missing = self.missing();
            if begun.elapsed() > self.settings.join() {
                bail!("{missing} (cluster.join_seconds = {})", self.settings.join_seconds);
            }
            self.log(missing);
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(None)
    }

    fn process(&self) -> usize {
        self.members.process()
    }

    fn party(&self) -> Party {
        Party::new(self.identity, self.addresses.len(), self.process())
    }

    fn gathered(self) -> Gathered {
        let party = self.party();
        Gathered { reception: self.reception, party, peers: self.peers }
    }

    /// Resolves the addresses again; where they have changed all connections are made anew.
    fn count(&mut self) {
        if self.counted.elapsed() < COUNT_EVERY {
            return;
        }
        self.counted = Instant::now();
        let addresses = self.members.addresses();
        if addresses != self.addresses {
            self.settled_since = Instant::now();
            self.addresses = addresses;
            self.begin_anew();
        }
    }

    fn begin_anew(&mut self) {
        let processes = self.addresses.len();
        self.peers = (0..processes).map(|_| None).collect();
        self.dialing = (0..self.process().min(processes)).map(|_| Dialing::new()).collect();
    }

    fn is_settled(&self) -> bool {
        let settled = !self.members.can_change() || self.settled_since.elapsed() >= self.settings.settle();
        settled && self.process() < self.addresses.len()
    }

    fn has_all(&self) -> bool {
        let present = self.peers.iter().flatten().count();
        present + 1 == self.peers.len()
    }

    /// Answers processes of higher numbers that have connected and proved themselves.
    fn accept(&mut self) -> Result<()> {
        while let Some(guest) = self.reception.next().context("cannot be reached by the other processes")? {
            self.welcome(guest);
        }
        Ok(())
    }

    fn welcome(&mut self, guest: Guest) {
        let process = guest.greeting.from.process;
        match self.refuse(&guest.greeting) {
            Some(reason) => {
                tracing::warn!(process, reason, "a process is refused");
                // It comes again.
                let _ = guest.answer(&Answer::Refused(reason));
            }
            None => {
                if let Ok(connection) = guest.answer(&Answer::Welcome) {
                    self.keep(process, connection);
                }
            }
        }
    }

    /// Why whoever greets so cannot be one of the processes now.
    fn refuse(&self, greeting: &Greeting) -> Option<String> {
        let (mine, other) = (self.party(), &greeting.from);
        match mine.refuse(greeting) {
            Some(reason) => Some(reason.to_owned()),
            None if other.processes != mine.processes => {
                Some(format!("it counts {} processes, this one {}", other.processes, mine.processes))
            }
            None if other.process <= mine.process || other.process >= mine.processes => {
                Some(format!("it says that it is process {}, which is another", other.process))
            }
            None => None,
        }
    }

    /// Connects to the processes of lower numbers that are not connected.
    fn dial(&mut self) {
        let party = self.party();
        for process in 0..self.process() {
            if self.peers[process].is_some() || self.stop.is_asked() {
                continue;
            }
            let call = || Call {
                address: self.addresses[process].clone(),
                greeting: party.greet(process),
                credentials: Arc::clone(&self.credentials),
            };
            if let Some(connection) = self.dialing[process].connection(call) {
                self.keep(process, connection);
            }
        }
    }

    fn keep(&mut self, process: usize, mut connection: Connection) {
        let Some(address) = self.addresses.get(process).cloned() else { return };
        if let Err(error) = prepare(&mut connection, self.settings.peer_timeout()) {
            tracing::warn!(process, %error, "a connection cannot be used");
            return;
        }
        tracing::info!(process, address, "connected");
        self.peers[process] = Some(Peer { address, connection });
    }

    /// Whether all processes have reported to the first one; the others learn it when the first one sends its
    /// decision.
    fn all_have_all(&mut self) -> Result<bool> {
        if self.process() == 0 {
            return Ok(self
                .peers
                .iter()
                .flatten()
                .all(|peer| peer_state(peer.connection.socket()) == PeerState::Readable));
        }
        if let Some(Some(first)) = self.peers.first_mut()
            && first.connection.write_all(&[COMPLETE]).is_err()
        {
            self.begin_anew();
            return Ok(false);
        }
        let begun = Instant::now();
        while !self.stop.is_asked() && begun.elapsed() < self.settings.join() {
            if self
                .peers
                .iter()
                .flatten()
                .any(|peer| peer_state(peer.connection.socket()) == PeerState::Closed)
            {
                // The report to the first process is no longer true: it must not start with this one.
                self.begin_anew();
                return Ok(false);
            }
            if let Some(Some(first)) = self.peers.first()
                && peer_state(first.connection.socket()) == PeerState::Readable
            {
                return Ok(true);
            }
            self.accept()?;
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(false)
    }

    /// A line for the log: for which processes this one waits.
    fn missing(&self) -> String {
        let own = self.members.address(self.process());
        if self.process() >= self.addresses.len() {
            let missing = self.members.address(self.addresses.len());
            return format!("waiting for peers: {missing} has no address yet, this is {own}");
        }
        let absent = (0..self.peers.len()).filter(|process| *process != self.process());
        let absent: Vec<String> = absent
            .filter(|process| self.peers[*process].is_none())
            .map(|process| {
                let problem = self.dialing.get(process).and_then(Dialing::problem);
                let problem = problem.map(|problem| format!(": {problem}")).unwrap_or_default();
                format!("process {process} ({}){problem}", self.addresses[process])
            })
            .collect();
        match absent.as_slice() {
            [] => "waiting for peers: they wait for others".to_owned(),
            absent => format!("waiting for peers: {}", absent.join("; ")),
        }
    }

    fn log(&mut self, line: String) {
        let is_due =
            self.logged.as_ref().is_none_or(|(logged, at)| *logged != line || at.elapsed() > LOG_EVERY);
        if is_due {
            tracing::info!("{line}");
            self.logged = Some((line, Instant::now()));
        }
    }
}

/// Its own name may take a moment to be known.
fn listen(own: &str, patience: Duration, stop: &Stop) -> Result<TcpListener> {
    let begun = Instant::now();
    loop {
        match TcpListener::bind(own) {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                let is_known = own.to_socket_addrs().is_ok();
                if is_known || stop.is_asked() || begun.elapsed() > patience {
                    return Err(error)
                        .with_context(|| format!("cannot listen for the other processes at {own}"));
                }
            }
        }
        std::thread::sleep(COUNT_EVERY);
    }
}

/// A peer that falls silent is noticed: by what is sent and not acknowledged, and by probes where nothing is
/// sent.
fn prepare(connection: &mut Connection, timeout: Duration) -> std::io::Result<()> {
    connection.limit(None)?;
    connection.socket().set_nodelay(true)?;
    let socket = SockRef::from(connection.socket());
    let between = (timeout / 4).max(Duration::from_secs(1));
    let keepalive = TcpKeepalive::new().with_time(between).with_interval(between).with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(timeout))
}

#[derive(PartialEq, Eq)]
enum PeerState {
    /// Nothing has arrived.
    Quiet,
    Readable,
    /// The peer has closed the connection, or it is broken.
    Closed,
}

/// Neither waits nor reads what has arrived.
fn peer_state(stream: &TcpStream) -> PeerState {
    let mut byte = [0];
    if stream.set_nonblocking(true).is_err() {
        return PeerState::Closed;
    }
    let state = match stream.peek(&mut byte) {
        Ok(0) => PeerState::Closed,
        Ok(_) => PeerState::Readable,
        Err(error) if error.kind() == ErrorKind::WouldBlock => PeerState::Quiet,
        Err(_) => PeerState::Closed,
    };
    if stream.set_nonblocking(false).is_err() { PeerState::Closed } else { state }
}

fn drop_if_closed(peer: &mut Option<Peer>) {
    if peer.as_ref().is_some_and(|peer| peer_state(peer.connection.socket()) == PeerState::Closed) {
        *peer = None;
    }
}
